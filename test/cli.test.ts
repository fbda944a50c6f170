import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseSchema } from '../src/schema/parseSchema.ts';
import { openTable } from '../src/tables/parquetReader.ts';
import { tinyLog, tinySchema, writeLog } from '../training/tinyLog.ts';

/* The commands as a user runs them: exit codes, and what goes to which stream. */

const root = join(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'cli-test-'));
const path = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** @param onErr sees what has come on standard error so far, and may send a signal */
function limelight(args: readonly string[], onErr?: (text: string, kill: (signal: NodeJS.Signals) => void) => void) {
  const child = spawn(process.execPath, ['--import', 'tsx', join(root, 'src/cli.ts'), ...args], {
    cwd: root,
    env: { ...process.env, TMPDIR: folder },
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (data) => {
    out += data;
  });
  child.stderr.on('data', (data) => {
    err += data;
    onErr?.(err, (signal) => child.kill(signal));
  });
  return new Promise<Ended>((resolve) => child.on('close', (code) => resolve({ code, out, err })));
}

const schema = path('schema.json');
const config = path('config.json');
const training = ['train', '--schema', schema, '--train', path('log.parquet'), '--valid-from', '2026-03-09'];

beforeAll(async () => {
  writeFileSync(schema, JSON.stringify(tinySchema));
  writeFileSync(config, JSON.stringify({ architecture: 'lr', training: { batchSize: 128 } }));
  await writeLog(path('log.parquet'), tinyLog(3000));
});

describe('limelight', () => {
  it('trains, evaluates, compares and predicts, with --json one JSON object alone on standard output', async () => {
    const trained = await limelight([...training, '--config', config, '--out', path('m/1'), '--json']);
    expect(trained.err).toContain('training lr on wasm');
    expect(JSON.parse(trained.out)).toMatchObject({
      out: path('m/1'),
      interrupted: false,
      trainRows: 2400,
      validRows: 600,
    });
    expect(existsSync(path('m/1/report.html'))).toBe(true);
    const data = ['--data', path('log.parquet')];
    const [evaluated, compared, predicted] = await Promise.all([
      limelight(['evaluate', '--model', path('m'), ...data, '--json']),
      limelight(['compare', '--model', path('m/1'), '--model', path('m/1'), ...data, '--json']),
      limelight(['predict', '--model', path('m/1'), ...data, '--out', path('p.parquet')]),
    ]);
    const evaluation = JSON.parse(evaluated.out);
    expect(evaluation.rows).toBe(3000);
    for (const metric of ['auc', 'gauc', 'logLoss', 'normalizedEntropy', 'pcoc', 'ece'])
      expect(Number.isFinite(evaluation.tasks.click[metric]), metric).toBe(true);
    expect(Object.keys(evaluation.slices)).toEqual(['placement']);
    expect(JSON.parse(compared.out).tasks.click.auc.difference).toBe(0);
    expect([trained.code, evaluated.code, compared.code, predicted.code]).toEqual([0, 0, 0, 0]);
    expect(predicted.out).toBe(
      `wrote 3000 rows to ${path('p.parquet')}: user_id, time_ms, click, conversion, p_click, p_conversion\n`,
    );
  });

  it('keeps a checkpoint on Ctrl-C, says how to resume, and resumes', async () => {
    const long = path('long.json');
    writeFileSync(
      long,
      JSON.stringify({ architecture: 'lr', training: { batchSize: 8, epochs: 1000, patience: 100000 } }),
    );
    const out = path('stopped');
    let sent = false;
    const stopped = await limelight([...training, '--config', long, '--out', out, '--json'], (text, kill) => {
      if (sent || !text.includes('examples: validation')) return;
      sent = true;
      kill('SIGINT');
    });
    expect([stopped.code, stopped.out]).toEqual([130, '']);
    expect(stopped.err).toContain(`resume with the same command and --from ${out}.checkpoint`);
    expect([existsSync(out), existsSync(`${out}.checkpoint/manifest.json`)]).toEqual([false, true]);
    let again = false;
    const resumed = await limelight(
      [...training, '--config', long, '--out', out, '--from', `${out}.checkpoint`],
      (text, kill) => {
        if (again || !text.includes('resuming after')) return;
        again = true;
        kill('SIGINT');
      },
    );
    expect(resumed.err).toMatch(/resuming after \d+ examples/);
    expect(resumed.code).toBe(130);
  });

  it('tells a user’s mistake in one line of standard error, without a stack, and exits with 2', async () => {
    const wrong: [args: string[], message: RegExp][] = [
      [
        ['evaluate', '--model', path('none'), '--data', path('log.parquet'), '--json'],
        /^limelight: no bundle at '.*none'; name a folder that holds one\n$/,
      ],
      [
        [
          'train',
          '--schema',
          path('none.json'),
          '--train',
          path('log.parquet'),
          '--valid-from',
          '2026-03-09',
          '--out',
          path('x'),
        ],
        /^limelight: schema '.*none\.json' cannot be read \(.*\); correct the path\n$/,
      ],
      [
        [...training, '--valid', path('log.parquet'), '--out', path('x')],
        /^limelight: train needs either --valid or --valid-from, .*; give one of them\n$/,
      ],
      [
        [...training, '--out', path('x'), '--backend', 'cuda'],
        /^limelight: backend 'cuda' is unknown; use one of auto, tensorflow, wasm, cpu\n$/,
      ],
    ];
    const ended = await Promise.all(wrong.map(([args]) => limelight(args)));
    ended.forEach(({ code, out, err }, i) => {
      expect(err).toMatch(wrong[i][1]);
      expect([code, out]).toEqual([2, '']);
    });
    expect(existsSync(path('x'))).toBe(false);
  });

  it('drafts a schema that it can read, never over a file', async () => {
    const args = ['schema', '--data', path('log.parquet'), '--label', 'click', '--out', path('draft.json')];
    const drafted = await limelight(args);
    expect([drafted.code, drafted.err]).toEqual([0, '']);
    expect(drafted.out).toContain('3000 rows; click is 1 in ');
    const draft = parseSchema(JSON.parse(readFileSync(path('draft.json'), 'utf8')));
    expect(draft.fields.map(({ name }) => name)).toContain('ad_id');
    const [again, wrong] = await Promise.all([
      limelight(args),
      limelight(['schema', '--data', path('log.parquet'), '--label', 'clik']),
    ]);
    expect(again.err).toMatch(/^limelight: output file '.*draft\.json' exists; name another, or remove it\n$/);
    expect(wrong.err).toMatch(/^limelight: --label: the table has no column 'clik'; it has time_ms, /);
    expect([again.code, wrong.code]).toEqual([2, 2]);
  });

  it('makes the folder of a draft, and says where it cannot be written', async () => {
    const args = ['schema', '--data', path('log.parquet'), '--label', 'click', '--out'];
    const [made, under] = await Promise.all([
      limelight([...args, path('new/folder/draft.json')]),
      limelight([...args, path('schema.json/draft.json')]),
    ]);
    expect([made.code, made.err, existsSync(path('new/folder/draft.json'))]).toEqual([0, '', true]);
    expect(under.err).toMatch(/^limelight: .*schema\.json\/draft\.json: cannot be written \((ENOTDIR|EEXIST)\).*\n$/);
    expect(under.code).toBe(2);
  });

  it('refuses options it cannot read with 2, a command line that lacks some or has unknown ones with 1, and says what it takes', async () => {
    const replay = ['creative', 'replay', '--data', path('log.parquet'), '--clicks', 'click'];
    const ended = await Promise.all([
      limelight([...training.slice(0, -1), 'yesterday', '--out', path('x')]),
      limelight([...training, '--out', path('x'), '--seed', '1.5']),
      limelight(['train', '--schema', schema]),
      limelight(['trian']),
      limelight(['import', 'csv', 'log.csv', '--out', path('x'), '--type', 'price=flaot']),
      limelight(['creative', 'evaluate', '--data', 'x', '--estimator', 'isp']),
      limelight([...replay, '--test', 'user_id', '--arm', 'ad_id', '--policy', 'thomson']),
      limelight(['serve', '--model', path('m'), '--log-level', 'loud']),
      limelight(['creative', 'evaluate', '--dta', 'x']),
    ]);
    expect(ended[0].err).toContain(
      'expected a time such as 2022-05-05, 2022-05-05T00:00:00+08:00 or milliseconds since 1970',
    );
    expect(ended[1].err).toContain('expected a whole number from 0 to 2147483648');
    expect(ended[2].err).toContain("required option '--train <glob...>' not specified");
    expect(ended[3].err).toContain('Did you mean train?');
    expect(ended[4].err).toContain("'flaot' is no type; expected integer, number, text, boolean, timestamp");
    expect(ended[5].err).toContain("'isp' is none; expected ips, snips");
    expect(ended[6].err).toContain("did you mean 'thompson'?");
    expect(ended.map(({ code }) => code)).toEqual([2, 2, 1, 1, 2, 2, 2, 2, 1]);
    for (const { out } of ended) expect(out).toBe('');
  });

  it('writes predictions that are a table', async () => {
    const table = await openTable(path('p.parquet'));
    expect(table.rowCount).toBe(3000);
    expect(table.columns.map(({ name, type }) => `${name} ${type}`)).toEqual([
      'user_id integer',
      'time_ms integer',
      'click integer',
      'conversion integer',
      'p_click number',
      'p_conversion number',
    ]);
  });
});
