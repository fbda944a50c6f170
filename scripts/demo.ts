import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { textTable } from '../src/commands/output.ts';
import type { ColumnBatch } from '../src/schema/columns.ts';
import { columnOf, isMade } from '../src/schema/fields.ts';
import { columnToJson } from '../src/schema/jsonColumns.ts';
import { parseSchema } from '../src/schema/parseSchema.ts';
import { openTable } from '../src/tables/parquetReader.ts';
import { readJson } from '../training/config.ts';

/*
 * The whole loop, as a user would run it: every step below but the last is a command line of limelight's, printed as it runs.
 */

const { values } = parseArgs({
  options: { impressions: { type: 'string', default: '200000' }, keep: { type: 'string' } },
});
const root = fileURLToPath(new URL('../', import.meta.url));
const schemaFile = 'data/simulator/schema.json';
const candidateCount = 200;
const shownSlots = 8;
const folder = values.keep ?? mkdtempSync(join(tmpdir(), 'limelight-demo-'));
const market = join(folder, 'market');
const model = join(folder, 'models', 'ctr');

/** Starts a command of limelight's and shows its line. */
function start(args: string[], output: 'inherit' | 'pipe') {
  const shown = args.map((arg) => arg.replaceAll(`${folder}/`, ''));
  process.stdout.write(`\n\x1b[1m$ limelight ${shown.join(' ')}\x1b[0m\n`);
  return spawn(process.execPath, ['--import', 'tsx', join(root, 'src/cli.ts'), ...args], {
    cwd: root,
    stdio: ['ignore', output, 'inherit'],
  });
}

async function run(...args: string[]): Promise<string> {
  const child = start(args, 'pipe');
  let text = '';
  child.stdout?.on('data', (chunk) => {
    text += chunk;
    if (!args.includes('--json')) process.stdout.write(String(chunk).replaceAll(`${folder}/`, ''));
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  if (code !== 0) throw new Error(`limelight ${args[0]} ended with exit code ${code}`);
  return text;
}

/** The first rows of a table, a row group at the most, with the columns asked for. */
async function firstRows(files: string, columns?: string[]): Promise<ColumnBatch> {
  for await (const batch of (await openTable(files)).scan({ columns })) return batch;
  throw new Error(`${files} has no rows`);
}

/** A request as an ad server would send it: one user of the held-out days, bare ad ids, the rest from the catalog. */
async function makeRequest(heldOut: string) {
  const schema = parseSchema(readJson(join(root, schemaFile), 'schema'));
  const row = await firstRows(heldOut);
  const user: Record<string, unknown> = {};
  for (const field of schema.fields) {
    if (isMade(field) || field.scope !== 'request' || field.servingValue !== undefined) continue;
    user[field.name] = columnToJson(row.columns.get(columnOf(field)) as never, [0])[0];
  }
  const ads = await firstRows(join(market, 'catalog/ads.parquet'), ['adId']);
  const rows = Array.from({ length: Math.min(candidateCount, ads.rowCount) }, (_, i) => i);
  return {
    requestId: 'demo',
    user,
    slots: shownSlots,
    candidates: columnToJson(ads.columns.get('adId') as never, rows),
  };
}

/** Serves the model, sends the request a few times and shows the last answer. */
async function serveAndAsk(request: { candidates: unknown[] }): Promise<void> {
  const server = start(
    ['serve', '--model', model, '--catalog', join(market, 'catalog/ads.parquet'), '--port', '0', '--log-level', 'warn'],
    'pipe',
  );
  try {
    const address = await new Promise<string>((resolve, reject) => {
      let text = '';
      server.on('close', (code) => reject(new Error(`limelight serve ended with exit code ${code}`)));
      server.stdout?.on('data', (chunk) => {
        text += chunk;
        const found = /http:\/\/[\w.:[\]]+/.exec(text);
        if (found === null) return;
        process.stdout.write(text);
        resolve(found[0]);
      });
    });
    process.stdout.write(
      `\n\x1b[1m$ curl ${address}/v1/rank -H 'content-type: application/json' -d '{"user": {…}, "slots": ${shownSlots}, "candidates": [${request.candidates.length} ad ids]}'\x1b[0m\n`,
    );
    const times: number[] = [];
    let answer: { slots: Record<string, number | string>[] } = { slots: [] };
    for (let i = 0; i < 20; i++) {
      const startMs = performance.now();
      const response = await fetch(`${address}/v1/rank`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(request),
      });
      answer = (await response.json()) as typeof answer;
      times.push(performance.now() - startMs);
      if (!response.ok) throw new Error(JSON.stringify(answer));
    }
    const fixed = (value: unknown, digits: number) => (typeof value === 'number' ? value.toFixed(digits) : '–');
    const rows = answer.slots.map((slot) => [
      String(slot.slot),
      String(slot.adId),
      String(slot.bidType),
      fixed(Number(slot.bidMicros) / 1e6, 2),
      fixed(slot.pCtr, 4),
      fixed(slot.pCvr, 4),
      fixed(Number(slot.eCpmMicros) / 1e6, 2),
      fixed(Number(slot.priceMicros) / 1e6, 4),
    ]);
    process.stdout.write(`${textTable(['slot', 'ad', 'bid type', 'bid', 'pCTR', 'pCVR', 'eCPM', 'price'], rows)}\n`);
    times.sort((a, b) => a - b);
    process.stdout.write(
      `${request.candidates.length} candidates ranked in ${times[10].toFixed(1)} ms, round trip over HTTP (median of 20)\n`,
    );
  } finally {
    server.kill('SIGTERM');
  }
}

try {
  await run('simulate', '--out', market, '--impressions', values.impressions, '--seed', '1', '--preset', 'static');
  const days = readdirSync(join(market, 'log')).sort();
  const heldOut = days.slice(-3);
  await run(
    'train',
    '--schema',
    schemaFile,
    '--config',
    'data/simulator/config.json',
    '--train',
    join(market, 'log'),
    '--valid-from',
    heldOut[0].slice('date='.length),
    '--out',
    join(model, '1'),
  );
  const report = await run(
    'evaluate',
    '--model',
    model,
    '--data',
    ...heldOut.map((day) => join(market, 'log', day)),
    '--json',
  );
  const { click } = JSON.parse(report).tasks;
  const closed = (click.constantLogLoss - click.logLoss) / (click.constantLogLoss - click.truth.logLoss);
  process.stdout.write(
    `click AUC ${click.auc.toFixed(4)}; the best possible, from the true probabilities: ${click.truth.auc.toFixed(4)}\n` +
      `of the log-loss gap between a constant and the truth, the model closes ${(100 * closed).toFixed(0)} %\n`,
  );
  await serveAndAsk(await makeRequest(join(market, 'log', heldOut[heldOut.length - 1])));
  if (values.keep !== undefined) process.stdout.write(`\nkept in ${folder}: the log, the catalog and the model\n`);
} finally {
  if (values.keep === undefined) rmSync(folder, { recursive: true, force: true });
}
