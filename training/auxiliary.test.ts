import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildModel } from '../src/model/architectures.ts';
import { readBundle } from '../src/model/bundleFiles.ts';
import { parseSchema } from '../src/schema/parseSchema.ts';
import { createTfjsLearner } from '../src/scoring/engines/tfjs/learner.ts';
import { loadBackend } from '../src/scoring/engines/tfjs/load.ts';
import { createScorer } from '../src/scoring/engines.ts';
import { replayGolden } from '../src/scoring/golden.ts';
import { columnValue } from '../src/tables/columnBuilder.ts';
import { openTable } from '../src/tables/parquetReader.ts';
import { parseAuxiliary, servedModel, withAuxiliary, withThresholds } from './auxiliary.ts';
import { type Config, parseConfig } from './config.ts';
import { silentReporter } from './reporter.ts';
import { dayOf, tinyLog, tinySchema, writeLog } from './tinyLog.ts';
import { tinyInputs } from './tinyTraining.ts';
import { type TrainInputs, train } from './train.ts';

const folder = mkdtempSync(join(tmpdir(), 'auxiliary-test-'));
const log = join(folder, 'log.parquet');
const backend = await loadBackend('wasm');
const rows = tinyLog(2000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeAll(() => writeLog(log, rows));

/** Clicks alone are served. */
const schema = parseSchema({ ...tinySchema, labels: [{ name: 'click', column: 'click' }] });
const heavy = parseAuxiliary('heavy=weight>=1.5:0.3');
const converted = parseAuxiliary('converted=conversion');

function configOf(more: Partial<Config> = {}): Config {
  const training = { batchSize: 128, validationsPerEpoch: 2 };
  return { ...parseConfig({ model: { hidden: [8] }, training }), ...more };
}

async function trained(name: string, more: Partial<TrainInputs> = {}) {
  await train({
    schema,
    config: configOf(),
    ...tinyInputs(folder, name, log, backend),
    ...more,
  });
  return readBundle(join(folder, name));
}

const bytesOf = (name: string) => readFileSync(join(folder, name, 'weights.safetensors')).toString('base64');

describe('auxiliary tasks', () => {
  it('are written as name, column, threshold and weight', () => {
    expect(parseAuxiliary('like=is_like:0.1')).toEqual({ name: 'like', column: 'is_like', weight: 0.1 });
    expect(parseAuxiliary('long=play_time_ms>=7000:0.25')).toEqual({
      name: 'long',
      column: 'play_time_ms',
      atLeast: 7000,
      weight: 0.25,
    });
    expect(converted).toEqual({ name: 'converted', column: 'conversion' });
    for (const bad of ['like', '=x', 'a b=c', 'long=play>=:1', 'long=play>=1:0', 'long=play>=1e:1'])
      expect(() => parseAuxiliary(bad), bad).toThrow(`--aux '${bad}': expected <name>=<column>`);
  });

  it('change what is learned, and leave nothing of themselves in the bundle but that', async () => {
    const plain = await trained('plain');
    const { typed, weights, ...bundle } = await trained('aux', { config: configOf({ auxiliary: [heavy, converted] }) });
    expect(typed.model).toEqual(plain.typed.model);
    expect(typed.schema).toEqual(plain.typed.schema);
    expect([...weights.keys()]).toEqual([...plain.weights.keys()]);
    expect(bytesOf('aux')).not.toBe(bytesOf('plain'));
    expect(Object.keys(bundle.manifest.calibration)).toEqual(['click']);
    expect(Object.keys(bundle.manifest.metrics.all as object)).toEqual(['click']);
    const { scorer } = await createScorer({ ...bundle, typed, weights }, { engine: 'reference' });
    expect(() => replayGolden({ ...bundle, typed, weights }, scorer, 1e-6)).not.toThrow();
  });

  it('are shown in the learning curve', () => {
    const report = readFileSync(join(folder, 'aux', 'report.html'), 'utf8');
    for (const task of ['heavy', 'converted']) {
      expect(report).toContain(task);
      expect(readFileSync(join(folder, 'plain', 'report.html'), 'utf8')).not.toContain(task);
    }
  });

  it('survive an interruption: the resumed training ends where an uninterrupted one does', async () => {
    const config = configOf({ auxiliary: [heavy, converted] });
    let steps = 0;
    const checkpoint = join(folder, 'resumed.checkpoint');
    const inputs = { config, out: join(folder, 'resumed') };
    await train({
      ...inputs,
      schema,
      train: log,
      valid: { fromMs: dayOf(8) },
      seed: 1,
      loadLearner: async () => (typed, options) => createTfjsLearner(typed, backend, options),
      reporter: silentReporter,
      isInterrupted: () => ++steps === 5,
      nowMs: () => 1_700_000_000_000,
      createdBy: 'test',
    });
    await trained('resumed', { config, from: checkpoint });
    expect(bytesOf('resumed')).toBe(bytesOf('aux'));
  });

  it('may be added to a bundle that was trained without', async () => {
    const bundle = await trained('warm', { config: configOf({ auxiliary: [converted] }), from: join(folder, 'plain') });
    expect(bundle.typed.model.tasks.map(({ name }) => name)).toEqual(['click']);
  });

  it('take tables that only they use with them', () => {
    const { typed } = { typed: buildModel('lr', withAuxiliary(schema, [converted])) };
    const served = servedModel(typed, schema);
    expect(served.model).toEqual(buildModel('lr', schema).model);
    expect(typed.model.tables.length).toBeGreaterThan(served.model.tables.length);
  });

  it('are left out of both towers', () => {
    const typed = buildModel('dual-tower', withAuxiliary(schema, [heavy]), { hidden: [8] });
    expect(typed.model.tasks.map(({ name }) => name)).toEqual(['click', 'heavy', 'click.ad', 'heavy.ad']);
    expect(servedModel(typed, schema).model).toEqual(buildModel('dual-tower', schema, { hidden: [8] }).model);
  });

  it('of a threshold are 1 at or above it, 0 below and where there is no number', async () => {
    const prices = rows.columns.get('price');
    const table = withThresholds(await openTable(log), [{ name: 'dear', column: 'price', atLeast: 20 }]);
    let row = 0;
    for await (const { rowCount, columns } of table.scan({ columns: ['price>=20'] })) {
      for (let i = 0; i < rowCount; i++, row++) {
        const price = columnValue(prices as NonNullable<typeof prices>, row) as number | null;
        expect(columnValue(columns.get('price>=20') as never, i)).toBe(price !== null && price >= 20 ? 1 : 0);
      }
    }
    expect(row).toBe(2000);
  });

  it('must not learn what the model is given, nor be called as a label is', () => {
    const dear = { name: 'dear', column: 'price', atLeast: 20 };
    expect(() => withAuxiliary(schema, [dear])).toThrow("learns column 'price', which field 'price' gives the model");
    expect(() => withAuxiliary(schema, [{ name: 'click', column: 'conversion' }])).toThrow(
      'two labels have the same name',
    );
  });
});

describe('a teacher', () => {
  const taught = (column: string, weight: number) => configOf({ teacher: { column, label: 'click', weight } });

  it('who knows no more than the labels changes nothing', async () => {
    await trained('echo', { config: taught('click', 0.7) });
    expect(bytesOf('echo')).toBe(bytesOf('plain'));
  });

  it('who knows the true probabilities teaches better than the labels do, which metrics are still of', async () => {
    const [{ manifest: plain }, { manifest: told }] = [
      await readBundle(join(folder, 'plain')),
      await trained('taught', { config: taught('true_p', 1) }),
    ];
    type All = { click: { logLoss: number; rows: number; ctr: number } };
    const [before, after] = [plain.metrics.all as All, told.metrics.all as All];
    expect(after.click.logLoss).toBeLessThan(before.click.logLoss);
    expect(after.click.rows).toBe(before.click.rows);
    expect(after.click.ctr).toBe(before.click.ctr);
  });

  it('may leave rows out, of which the labels count alone', async () => {
    const { columns } = tinyLog(2000);
    const click = columns.get('click') as { values: Int32Array };
    const values = Float64Array.from(click.values, (y, row) => (row % 2 === 0 ? Number.NaN : Number(y)));
    const file = await writeLog(join(folder, 'half.parquet'), rows, {
      columns: { soft: { type: 'number', rowCount: 2000, values } },
    });
    await trained('half', { train: file, config: taught('soft', 0.5) });
    expect(bytesOf('half')).toBe(bytesOf('plain'));
  });

  it('must say probabilities of a label, of all rows that are trained on, in a column that is no feature', async () => {
    const fails = (config: Config) => expect(trained('never', { config })).rejects;
    await fails(taught('weight', 0.5)).toThrow("teacher column 'weight': expected numbers from 0 to 1, got 2 in row");
    await fails(taught('price', 0.5)).toThrow("the teacher's column 'price' is that of field 'price'");
    await fails(taught('nothing', 0.5)).toThrow("column 'nothing'");
    await fails(configOf({ teacher: { column: 'true_p', label: 'like', weight: 1 } })).toThrow("label 'like'");
    const sampled = configOf({ teacher: { column: 'true_p', label: 'click', weight: 1 } });
    await fails({ ...sampled, training: { ...sampled.training, negativeSampling: 0.5 } }).toThrow('negativeSampling');
  });
});
