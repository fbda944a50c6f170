import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '../src/core/errors.ts';
import { createRandom } from '../src/core/random.ts';
import { calibrate } from '../src/evaluation/calibration.ts';
import { evaluateTask } from '../src/evaluation/metrics.ts';
import type { Bundle } from '../src/model/bundle.ts';
import { readBundle } from '../src/model/bundleFiles.ts';
import type { Column } from '../src/schema/columns.ts';
import { columnFromJson, columnToJson } from '../src/schema/jsonColumns.ts';
import { parseSchema } from '../src/schema/parseSchema.ts';
import { selectRows } from '../src/schema/selectRows.ts';
import { createReferenceScorer } from '../src/scoring/engines/reference/scorer.ts';
import { createTfjsLearner } from '../src/scoring/engines/tfjs/learner.ts';
import { loadBackend } from '../src/scoring/engines/tfjs/load.ts';
import type { Scorer } from '../src/scoring/scorer.ts';
import { openTable } from '../src/tables/parquetReader.ts';
import { compare } from './compare.ts';
import { parseConfig } from './config.ts';
import { evaluate } from './evaluate.ts';
import { predict } from './predict.ts';
import { silentReporter } from './reporter.ts';
import { dayOf, tinyLog, tinySchema, writeLog } from './tinyLog.ts';
import { train } from './train.ts';

const folder = mkdtempSync(join(tmpdir(), 'scoring-test-'));
const path = (name: string) => join(folder, name);
const log = path('log.parquet');
const held = path('held.parquet');
const backend = await loadBackend('wasm');
const models: Record<string, { bundle: Bundle; scorer: Scorer }> = {};
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeAll(async () => {
  await writeLog(log, tinyLog(6000));
  await writeLog(held, tinyLog(2000, 7));
  for (const [name, architecture, epochs] of [
    ['good', 'senet-dnn', 4],
    ['poor', 'lr', 1],
  ] as const) {
    await train({
      schema: parseSchema({ ...tinySchema, keys: ['user_id', 'time_ms', 'no_such_key'] }),
      config: parseConfig({
        model: architecture === 'lr' ? {} : { hidden: [16] },
        training: { batchSize: 128, epochs, learningRate: 0.01, embeddingLearningRate: 0.01 },
      }),
      architecture,
      train: log,
      valid: { fromMs: dayOf(8) },
      out: path(name),
      seed: 1,
      loadLearner: async () => (typed, options) => createTfjsLearner(typed, backend, options),
      reporter: silentReporter,
      nowMs: () => 0,
      createdBy: 'test',
    });
    const bundle = await readBundle(path(name));
    models[name] = { bundle, scorer: createReferenceScorer(bundle) };
  }
});

/** A table's rows as JSON, by column. */
async function read(file: string): Promise<Record<string, unknown[]>> {
  const out: Record<string, unknown[]> = {};
  for await (const { rowCount, columns } of (await openTable(file)).scan()) {
    const rows = Array.from({ length: rowCount }, (_, row) => row);
    for (const [name, column] of columns) out[name] = [...(out[name] ?? []), ...columnToJson(column, rows)];
  }
  return out;
}

describe('evaluate', () => {
  it('measures what predict writes, beside the true probabilities and by slice', async () => {
    const { bundle, scorer } = models.good;
    const evaluation = await evaluate(bundle, scorer, held, silentReporter);
    await predict(bundle, scorer, held, path('predictions.parquet'), silentReporter);
    const written = await read(path('predictions.parquet'));
    expect(Object.keys(evaluation.tasks)).toEqual(['click', 'conversion']);
    for (const task of ['click', 'conversion']) {
      const expected = evaluateTask({
        probabilities: Float64Array.from(written[`p_${task}`] as number[]),
        labels: Float32Array.from(written[task] as number[]),
      });
      expect(evaluation.tasks[task]).toMatchObject({
        rows: 2000,
        auc: expected.auc,
        logLoss: expected.logLoss,
        pcoc: expected.pcoc,
      });
    }
    const { click, conversion } = evaluation.tasks;
    expect(click.auc).toBeGreaterThan(0.6);
    expect(click.gauc).not.toBeNull();
    // The true probabilities are the best there is; conversions have none in this log.
    expect(click.truth?.logLoss).toBeLessThan(click.logLoss as number);
    expect(conversion.truth).toBeUndefined();
    // Calibration keeps the order, so nearly the AUC.
    expect(click.raw.auc).toBeCloseTo(click.auc as number, 3);
    const byPlacement = evaluation.slices.placement.click;
    expect(byPlacement.map(({ name }) => name).sort()).toEqual(['feed', 'search', 'story']);
    expect(byPlacement.reduce((sum, { metrics }) => sum + metrics.rows, 0)).toBe(2000);
  });

  it('takes rows from a time on', async () => {
    const { bundle, scorer } = models.good;
    const evaluation = await evaluate(bundle, scorer, held, silentReporter, { fromMs: dayOf(9) });
    expect(evaluation.rows).toBe(200);
    await expect(evaluate(bundle, scorer, held, silentReporter, { fromMs: dayOf(99) })).rejects.toThrow(
      'no rows to measure on',
    );
  });

  it('needs labels and users, not the true probabilities nor the time', async () => {
    const { bundle, scorer } = models.good;
    const plain = await writeLog(path('plain.parquet'), tinyLog(300, 3), { without: ['true_p', 'time_ms'] });
    expect((await evaluate(bundle, scorer, plain, silentReporter)).tasks.click.truth).toBeUndefined();
    for (const without of ['click', 'user_id', 'ad_id']) {
      const file = await writeLog(path(`no-${without}.parquet`), tinyLog(300, 3), { without: [without] });
      await expect(evaluate(bundle, scorer, file, silentReporter)).rejects.toThrow(
        new RegExp(`column '${without}', which bundle 'tiny' reads, is not in .*no-${without}.parquet; it has `),
      );
    }
  });

  it('answers for one row, for one class alone, and for users none of whom clicked', async () => {
    const { bundle, scorer } = models.good;
    const one = await writeLog(path('one.parquet'), selectRows(tinyLog(300, 3), Int32Array.of(5)));
    const { rows, tasks } = await evaluate(bundle, scorer, one, silentReporter);
    expect([rows, tasks.click.auc, tasks.click.gauc]).toEqual([1, null, null]);
    expect(JSON.parse(JSON.stringify(tasks)).click.logLoss).toBeGreaterThan(0);
  });
});

describe('predict', () => {
  it('writes keys, labels and a probability a task, row for row, the same for every engine batch', async () => {
    const { bundle, scorer } = models.good;
    const many = await writeLog(path('many.parquet'), tinyLog(9000, 4), { rowGroupRows: 5000 });
    const result = await predict(bundle, scorer, many, path('many-out.parquet'), silentReporter);
    expect(result).toEqual({
      rows: 9000,
      columns: ['user_id', 'time_ms', 'click', 'conversion', 'p_click', 'p_conversion'],
    });
    const [given, written] = [await read(many), await read(path('many-out.parquet'))];
    for (const name of ['user_id', 'time_ms', 'click', 'conversion']) expect(written[name]).toEqual(given[name]);
    expect(given.user_id[0]).toMatch(/^90071992547\d+$/);
    const p = written.p_click as number[];
    expect(p.every((x) => x > 0 && x < 1)).toBe(true);
    expect((written.p_conversion as number[]).every((x, row) => x <= p[row] * 1.2)).toBe(true);
  });

  it('applies the bundle’s calibration to the engine’s scores', async () => {
    const { bundle, scorer } = models.good;
    const written = await read(path('predictions.parquet'));
    const { createEncoder } = await import('../src/schema/encoder.ts');
    const first = selectRows(
      tinyLog(2000, 7),
      Int32Array.from({ length: 20 }, (_, i) => i),
    );
    const raw = scorer.score(createEncoder(bundle.typed.schema, bundle.fitted).encode(first)).get('click') ?? [];
    for (let row = 0; row < 20; row++)
      expect(written.p_click[row]).toBeCloseTo(calibrate(bundle.manifest.calibration.click, raw[row]), 12);
  });

  it('needs no labels, users or times, takes rows whose label is missing, and finds the same', async () => {
    const { bundle, scorer } = models.good;
    const expected = (await read(path('predictions.parquet'))).p_click;
    const bare = await writeLog(path('bare.parquet'), tinyLog(2000, 7), {
      without: ['click', 'conversion', 'user_id_', 'time_ms', 'true_p', 'weight'],
    });
    const result = await predict(bundle, scorer, bare, path('bare-out.parquet'), silentReporter);
    expect(result.columns).toEqual(['user_id', 'p_click', 'p_conversion']);
    expect((await read(path('bare-out.parquet'))).p_click).toEqual(expected);
    const nulls = columnFromJson(new Array(2000).fill(null), 'integer', '');
    const unlabelled = await writeLog(path('nulls.parquet'), tinyLog(2000, 7), { columns: { click: nulls } });
    await predict(bundle, scorer, unlabelled, path('nulls-out.parquet'), silentReporter);
    const written = await read(path('nulls-out.parquet'));
    expect([written.click[0], written.p_click]).toEqual([null, expected]);
  });

  it('reads files that hold a key in 32 and in 64 bits as one table', async () => {
    const { bundle, scorer } = models.good;
    const log32 = tinyLog(50, 3);
    const small: Column = { type: 'integer', rowCount: 50, values: Int32Array.from({ length: 50 }, (_, i) => i) };
    const files = [
      await writeLog(path('a32.parquet'), log32, { columns: { user_id: small } }),
      await writeLog(path('b64.parquet'), log32),
    ];
    await predict(bundle, scorer, files, path('both.parquet'), silentReporter);
    const { user_id: users } = await read(path('both.parquet'));
    expect([users.length, users[1], users[50]]).toEqual([100, 1, (await read(files[1])).user_id[0]]);
  });

  it('refuses an output that exists and one that cannot be made, and leaves nothing behind when it fails', async () => {
    const { bundle, scorer } = models.good;
    await expect(predict(bundle, scorer, held, held, silentReporter)).rejects.toThrow(
      /held\.parquet' exists; name another/,
    );
    await expect(predict(bundle, scorer, held, join(held, 'x.parquet'), silentReporter)).rejects.toThrow(UserError);
    const fails: Scorer = {
      ...scorer,
      score(input) {
        if (input.rowCount < 1000) throw new UserError('engine: out of memory; use a smaller batch');
        return scorer.score(input);
      },
    };
    const many = await writeLog(path('fails.parquet'), tinyLog(8700, 4), { rowGroupRows: 8192 });
    await expect(predict(bundle, fails, many, path('failed.parquet'), silentReporter)).rejects.toThrow('out of memory');
    expect(existsSync(path('failed.parquet'))).toBe(false);
    expect(readdirSync(folder).filter((name) => name.includes('failed'))).toEqual([]);
  });
});

describe('compare', () => {
  it('finds the better model of two, with an interval around the difference', async () => {
    const { rows, tasks } = await compare(models.good, models.poor, held, createRandom(1), silentReporter);
    expect([rows, Object.keys(tasks)]).toEqual([2000, ['click', 'conversion']]);
    const { auc, logLoss } = tasks.click;
    expect(auc.difference).toBeCloseTo((auc.metricA as number) - (auc.metricB as number), 12);
    expect(auc.low as number).toBeLessThan(auc.difference as number);
    expect(auc.high as number).toBeGreaterThan(auc.difference as number);
    expect(auc.low as number).toBeGreaterThan(0);
    expect(logLoss.high as number).toBeLessThan(0);
    const evaluation = await evaluate(models.good.bundle, models.good.scorer, held, silentReporter);
    expect(auc.metricA).toBeCloseTo(evaluation.tasks.click.auc as number, 12);
  });

  it('finds no difference of a model to itself, and swaps signs with the models', async () => {
    const same = await compare(models.good, models.good, held, createRandom(1), silentReporter);
    expect(same.tasks.click.auc).toMatchObject({ difference: 0, low: 0, high: 0 });
    const one = await compare(models.good, models.poor, held, createRandom(3), silentReporter);
    const other = await compare(models.poor, models.good, held, createRandom(3), silentReporter);
    expect(other.tasks.click.auc.difference).toBeCloseTo(-(one.tasks.click.auc.difference as number), 12);
  });

  it('refuses models without a task in common', async () => {
    const { bundle, scorer } = models.good;
    const renamed = { ...bundle.typed.model, tasks: [{ name: 'install', logits: ['click.logit'] }], losses: [] };
    const other = { ...bundle, typed: { ...bundle.typed, model: renamed } };
    const answer = {
      ...scorer,
      score: (input: Parameters<Scorer['score']>[0]) =>
        new Map([['install', scorer.score(input).get('click') as never]]),
    };
    await expect(
      compare(models.good, { bundle: other, scorer: answer }, held, createRandom(1), silentReporter),
    ).rejects.toThrow('no task in common (click, conversion and install)');
  });
});
