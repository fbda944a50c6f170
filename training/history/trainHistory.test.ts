import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { auc } from '../../src/evaluation/auc.ts';
import { createHistoryPlan, type HistoryPlan } from '../../src/history/historyPlan.ts';
import { loadHistory } from '../../src/history/state.ts';
import { readBundle, readHistoryFile } from '../../src/model/bundleFiles.ts';
import { historyFile } from '../../src/model/historyFile.ts';
import type { Column, ListColumn, NumberColumn } from '../../src/schema/columns.ts';
import { parseSchema } from '../../src/schema/parseSchema.ts';
import { selectRows } from '../../src/schema/selectRows.ts';
import { loadBackend } from '../../src/scoring/engines/tfjs/load.ts';
import { createScorer } from '../../src/scoring/engines.ts';
import { replayGolden } from '../../src/scoring/golden.ts';
import { openTable } from '../../src/tables/parquetReader.ts';
import { backfill } from '../backfill.ts';
import { parseConfig } from '../config.ts';
import { evaluate } from '../evaluate.ts';
import { predict } from '../predict.ts';
import { silentReporter } from '../reporter.ts';
import { dayOf, tinyHistorySchema, tinyLog, writeLog } from '../tinyLog.ts';
import { tinyInputs } from '../tinyTraining.ts';
import { type TrainInputs, train } from '../train.ts';
import { withHistory } from './withHistory.ts';

const folder = mkdtempSync(join(tmpdir(), 'train-history-test-'));
const backend = await loadBackend('wasm');
const schema = parseSchema(tinyHistorySchema);
const rowCount = 2400;
const rows = tinyLog(rowCount);
const lastMs = Number((rows.columns.get('time_ms') as { values: BigInt64Array }).values[rowCount - 1]);
const log = join(folder, 'log.parquet');
const bundle = join(folder, 'one');

async function trained(name: string, more: Partial<TrainInputs> = {}) {
  await train({
    schema,
    config: parseConfig({ model: { hidden: [8] }, training: { batchSize: 128, validationsPerEpoch: 2 } }),
    ...tinyInputs(folder, name, log, backend),
    ...more,
  });
  return readBundle(join(folder, name));
}

afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeAll(async () => {
  // In one row group, as what is written from it: rows are shuffled by the groups they come in.
  await writeLog(log, rows, { rowGroupRows: rowCount });
  await trained('one');
});

async function loaded() {
  const read = await readBundle(bundle);
  return { read, scorer: (await createScorer(read, { engine: 'reference' })).scorer };
}

const modelFiles = ['vocabularies.safetensors', 'weights.safetensors', 'golden.json', historyFile];
const sumsOf = (name: string) =>
  modelFiles.map(
    (file) =>
      `${file} ${createHash('sha256')
        .update(readFileSync(join(folder, name, file)))
        .digest('hex')}`,
  );

const dayRows = (from: number, to: number) => {
  const times = (rows.columns.get('time_ms') as { values: BigInt64Array }).values;
  const all = Array.from({ length: rowCount }, (_, row) => row);
  return selectRows(rows, Int32Array.from(all.filter((row) => times[row] >= dayOf(from) && times[row] < dayOf(to))));
};

describe('training on a log with a history', () => {
  it('makes a bundle whose model takes the history, and whose state ends with the last row given', async () => {
    const { read, scorer } = await loaded();
    replayGolden(read, scorer, 1e-6);
    const taken = new Set(read.typed.model.steps.flatMap(({ inputs }) => inputs));
    for (const name of ['user_stats', 'ad_stats', 'user_placement']) expect(taken).toContain(name);
    const plan = createHistoryPlan(read.typed.schema) as HistoryPlan;
    const state = loadHistory(plan, await readHistoryFile(bundle));
    expect(state.watermarkMs).toBe(lastMs);
    expect(state.stats().events).toBe(rowCount);
    expect(readFileSync(join(bundle, 'report.html'), 'utf8')).toContain('user_stats.halfLife(1d).rate(click)');
  });

  it('is measured as it was validated: evaluate replays the history by itself', async () => {
    const { read, scorer } = await loaded();
    const { rows: measured, tasks } = await evaluate(read, scorer, log, silentReporter, { fromMs: dayOf(8) });
    const all = read.manifest.metrics.all as { click: { logLoss: number; rows: number } };
    expect(measured).toBe(all.click.rows);
    expect(tasks.click.raw.logLoss).toBeCloseTo(all.click.logLoss, 6);
    const stale = await evaluate(read, scorer, log, silentReporter, { fromMs: dayOf(8), labelDelay: '1d' });
    expect(stale.tasks.click.raw.logLoss).not.toBeCloseTo(all.click.logLoss, 6);
  });

  it('gives the same bundle for a table that backfill wrote as for the log itself', async () => {
    await backfill({ schema, data: log, out: join(folder, 'written'), reporter: silentReporter });
    await trained('two', { train: join(folder, 'written') });
    expect(sumsOf('two')).toEqual(sumsOf('one'));
  });

  it('validates on a table of its own with the history of both', async () => {
    const whole = { rowGroupRows: rowCount };
    const days = [await writeLog(join(folder, 'early.parquet'), dayRows(0, 8), whole)];
    days.push(await writeLog(join(folder, 'late.parquet'), dayRows(8, 10), whole));
    await trained('three', { train: days[0], valid: { data: days[1] } });
    expect(sumsOf('three')).toEqual(sumsOf('one'));
  });

  it('lets its state go on: what evaluate and predict make of later rows is what they make of all rows', async () => {
    const early = await writeLog(join(folder, 'six.parquet'), dayRows(0, 6));
    const read = await trained('six', { train: early, valid: { fromMs: dayOf(5) } });
    const { scorer } = await createScorer(read, { engine: 'reference' });
    const late = await writeLog(join(folder, 'rest.parquet'), dayRows(6, 10));
    const all = await evaluate(read, scorer, log, silentReporter, { fromMs: dayOf(6) });
    expect(await evaluate(read, scorer, late, silentReporter, { history: join(folder, 'six') })).toEqual(all);
    expect(await evaluate(read, scorer, late, silentReporter)).not.toEqual(all);
    const out = join(folder, 'predicted.parquet');
    const history = join(folder, 'six');
    expect(await predict(read, scorer, late, out, silentReporter, { history })).toMatchObject({ rows: all.rows });
    await trained('seven', { train: late, valid: { fromMs: dayOf(8) }, history, from: history });
    expect(sumsOf('seven')[3]).toBe(sumsOf('one')[3]);
  });

  it('refuses rows that lie before the state they should follow, before anything is trained', async () => {
    await expect(trained('never', { history: bundle })).rejects.toThrow('where the given state of history ends');
  });

  it('learns nothing from counters of labels that mean nothing', async () => {
    const random = createRandom(5);
    const noise = tinyLog(6000);
    const click = Int32Array.from({ length: 6000 }, () => (random.next() < 0.3 ? 1 : 0));
    const column = (): Column => ({ type: 'integer', rowCount: 6000, values: click.slice() });
    const file = await writeLog(join(folder, 'noise.parquet'), noise, {
      columns: { click: column(), conversion: column() },
    });
    // Standard deviation of the AUC of a score that knows nothing of n1 and n0 labels: √((n + 1)/(12·n1·n0)).
    const deviation = (n: number) => Math.sqrt((n + 1) / (12 * 0.3 * 0.7 * n * n));
    const { tables } = await withHistory([await openTable(file)], { schema, reporter: silentReporter });
    for await (const { columns, rowCount: n } of tables[0].scan({
      columns: ['user_stats', 'ad_stats'],
      batchRows: 6000,
    })) {
      for (const list of columns.values()) {
        const { offsets, items } = list as ListColumn;
        for (let i = 0; i < offsets[1]; i++) {
          const scores = Float64Array.from({ length: n }, (_, row) => (items as NumberColumn).values[offsets[row] + i]);
          const labels = Float32Array.from(click.subarray(0, n));
          expect(Math.abs((auc(scores, labels) ?? 0.5) - 0.5)).toBeLessThan(4 * deviation(n));
        }
      }
    }
    const { manifest } = await trained('noise', { train: file });
    const { auc: learned, rows: n } = (manifest.metrics.all as { click: { auc: number; rows: number } }).click;
    expect(Math.abs(learned - 0.5)).toBeLessThan(4 * deviation(n));
  });
});
