import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { calibrate } from '../src/evaluation/calibration.ts';
import { halfOf } from '../src/evaluation/groups.ts';
import { readBundle } from '../src/model/bundleFiles.ts';
import { columnFromJson } from '../src/schema/jsonColumns.ts';
import { parseSchema } from '../src/schema/parseSchema.ts';
import { selectRows } from '../src/schema/selectRows.ts';
import { createTfjsLearner } from '../src/scoring/engines/tfjs/learner.ts';
import { loadBackend } from '../src/scoring/engines/tfjs/load.ts';
import { parseConfig } from './config.ts';
import { type EvaluationRows, groupsOf, halves, metricsOf, pickRows } from './evaluationRows.ts';
import { calibrateAll } from './judge.ts';
import { silentReporter } from './reporter.ts';
import { tinyLog, tinySchema, writeLog } from './tinyLog.ts';
import { type TrainInputs, train } from './train.ts';

const folder = mkdtempSync(join(tmpdir(), 'judge-test-'));
const backend = await loadBackend('wasm');
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeAll(() => writeLog(join(folder, 'log.parquet'), tinyLog(2000)));

const trainOn = (name: string, valid: string, more: Partial<TrainInputs> = {}) =>
  train({
    schema: parseSchema(tinySchema),
    config: parseConfig({ model: { hidden: [4] }, training: { batchSize: 128 } }),
    train: join(folder, 'log.parquet'),
    valid: { data: valid },
    out: join(folder, name),
    seed: 1,
    loadLearner: async () => (typed, options) => createTfjsLearner(typed, backend, options),
    reporter: silentReporter,
    nowMs: () => 0,
    createdBy: 'test',
    ...more,
  });

/** Twelve rows of four users, two halves a key. */
const rows: EvaluationRows = {
  rowCount: 12,
  probabilities: new Map([['click', Float64Array.from({ length: 12 }, (_, i) => (i + 1) / 20)]]),
  labels: new Map([['click', Float32Array.from({ length: 12 }, (_, i) => (i % 3 === 0 ? 1 : 0))]]),
  truths: new Map(),
  weights: Float32Array.from({ length: 12 }, (_, i) => 1 + (i % 2)),
  users: Int32Array.from({ length: 24 }, (_, i) => (i % 2 === 0 ? (i >> 1) % 4 : 7)),
  hasUsers: true,
  slices: new Map([['placement', Int32Array.from({ length: 12 }, (_, i) => 2 + (i % 3))]]),
};

describe('the rows a model is judged by', () => {
  it('fall into two halves by user, none in both', () => {
    const [first, second] = halves(rows);
    expect([...first, ...second].sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, i) => i));
    for (const row of first) expect(halfOf(rows.users[2 * row], rows.users[2 * row + 1])).toBe(0);
    for (const row of second) expect(halfOf(rows.users[2 * row], rows.users[2 * row + 1])).toBe(1);
  });

  it('are picked with all their columns', () => {
    const picked = pickRows(rows, Int32Array.of(11, 0));
    expect(picked).toMatchObject({ rowCount: 2, weights: Float32Array.of(2, 1), users: Int32Array.of(3, 7, 0, 7) });
    expect(picked.probabilities.get('click')).toEqual(Float64Array.of(0.6, 0.05));
    expect(picked.labels.get('click')).toEqual(Float32Array.of(0, 1));
    expect(picked.slices.get('placement')).toEqual(Int32Array.of(4, 2));
  });

  it('are grouped by user where the schema names one', () => {
    const groups = groupsOf(rows) as Int32Array;
    expect(new Set(groups).size).toBe(4);
    for (let row = 4; row < 12; row++) expect(groups[row]).toBe(groups[row - 4]);
    expect(groupsOf({ ...rows, hasUsers: false })).toBeUndefined();
    expect(metricsOf({ ...rows, hasUsers: false }).get('click')?.gauc).toBeNull();
  });
});

describe('calibration', () => {
  it('is applied to copies, task by task, and not to a task without a curve', () => {
    const curve = { x: [-2, 0, 2], y: [-3, -1, 1.5] };
    const p = Float64Array.of(0.1, 0.5, 0.9);
    const given = new Map([
      ['click', p],
      ['toString', p],
    ]);
    const calibrated = calibrateAll(given, { click: curve });
    expect([...(calibrated.get('click') ?? [])]).toEqual([...p].map((x) => calibrate(curve, x)));
    expect(calibrated.get('toString')).toEqual(p);
    expect(p).toEqual(Float64Array.of(0.1, 0.5, 0.9));
  });
});

describe('a model is judged', () => {
  it('raw beside calibrated on users that calibration has not seen, raw on all', async () => {
    const { metrics } = await trainOn('usual', join(folder, 'log.parquet'));
    const of = metrics as Record<string, Record<string, { rows: number; pcoc: number }>>;
    expect(of.all.click.rows).toBe(2000);
    expect(of.raw.click.rows).toBe(of.calibrated.click.rows);
    expect(of.raw.click.rows).toBeGreaterThan(700);
    expect(of.raw.click.rows).toBeLessThan(1300);
    const { manifest } = await readBundle(join(folder, 'usual'));
    expect(Object.keys(manifest.calibration)).toEqual(['click', 'conversion']);
    expect(manifest.metrics).toEqual(JSON.parse(JSON.stringify(metrics)));
  });

  const log = tinyLog(400, 9);
  const all = (value: unknown, type: 'integer' | 'number' = 'integer') =>
    columnFromJson(new Array(400).fill(value), type, '');
  it.each<[string, Parameters<typeof writeLog>[2], number]>([
    ['one user', { columns: { user_id: all(5) } }, 400],
    ['no user known', { columns: { user_id: all(null) } }, 400],
    ['no clicks', { columns: { click: all(0), conversion: all(0) } }, 400],
    ['clicks alone', { columns: { click: all(1) } }, 400],
    ['one row', {}, 1],
  ])('and written also where the validation rows have %s', async (what, change, rowCount) => {
    const name = what.replaceAll(' ', '-');
    const batch = selectRows(
      log,
      Int32Array.from({ length: rowCount }, (_, i) => i),
    );
    const file = await writeLog(join(folder, `${name}.parquet`), batch, change);
    const { metrics } = await trainOn(name, file);
    expect((metrics.all as Record<string, { rows: number }>).click.rows).toBe(rowCount);
    const report = readFileSync(join(folder, name, 'report.html'), 'utf8');
    expect(report).not.toMatch(/NaN|undefined|Infinity/);
    await readBundle(join(folder, name));
  });

  it('and warned of labels against their order, whose rows are kept', async () => {
    const warnings: string[] = [];
    const reporter = { ...silentReporter, warn: (text: string) => void warnings.push(text) };
    const click = columnFromJson(
      Array.from({ length: 400 }, (_, row) => (row < 3 ? 0 : row % 2)),
      'integer',
      '',
    );
    const conversion = columnFromJson(
      Array.from({ length: 400 }, (_, row) => (row < 3 ? 1 : 0)),
      'integer',
      '',
    );
    const odd = await writeLog(join(folder, 'against-train.parquet'), log, { columns: { click, conversion } });
    const { trainRows } = await trainOn('against', odd, { train: odd, reporter });
    expect(warnings).toEqual([
      '3 rows have conversion = 1 but click = 0, though conversion should come after click; they are kept',
    ]);
    expect(trainRows).toBe(400);
  });

  it('and written where every validation row weighs nothing, or training sees one class, with a warning', async () => {
    const warnings: string[] = [];
    const reporter = { ...silentReporter, warn: (text: string) => void warnings.push(text) };
    const zero = await writeLog(join(folder, 'no-clicks-train.parquet'), log, {
      columns: { click: all(0), conversion: all(0), weight: all(0, 'number') },
    });
    await trainOn('one-class', zero, {
      train: zero,
      reporter,
      schema: parseSchema({ ...tinySchema, weight: 'weight' }),
    });
    expect(warnings.join()).toContain("label 'click' is 0 in every training row: there is nothing to learn");
    await readBundle(join(folder, 'one-class'));
  });
});
