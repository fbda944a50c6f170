import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { UserError } from '../src/core/errors.ts';
import type { Column } from '../src/schema/columns.ts';
import { columnFromJson } from '../src/schema/jsonColumns.ts';
import { parseSchema } from '../src/schema/parseSchema.ts';
import { selectRows } from '../src/schema/selectRows.ts';
import { createTfjsLearner } from '../src/scoring/engines/tfjs/learner.ts';
import { loadBackend } from '../src/scoring/engines/tfjs/load.ts';
import { parseConfig } from './config.ts';
import { silentReporter } from './reporter.ts';
import { dayOf, tinyLog, tinySchema, writeLog } from './tinyLog.ts';
import { type TrainInputs, train } from './train.ts';

const folder = mkdtempSync(join(tmpdir(), 'bad-input-test-'));
const path = (name: string) => join(folder, name);
const backend = await loadBackend('wasm');
const rowCount = 400;
const log = tinyLog(rowCount);
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

const inputsOf = (more: Partial<TrainInputs> = {}): TrainInputs => ({
  schema: parseSchema(tinySchema),
  config: parseConfig({ model: { hidden: [4] }, training: { batchSize: 64 } }),
  train: path('log.parquet'),
  valid: { fromMs: dayOf(7) },
  out: path('next'),
  seed: 1,
  loadLearner: async () => (typed, options) => createTfjsLearner(typed, backend, options),
  reporter: silentReporter,
  nowMs: () => 0,
  createdBy: 'test',
  ...more,
});

/** A log with one column in place of its own. */
const withColumn = (name: string, column: Column) => async () => ({
  train: await writeLog(
    path(`with-${name}-${Math.floor(column.rowCount)}-${readdirSync(folder).length}.parquet`),
    log,
    {
      columns: { [name]: column },
    },
  ),
});
const numbersWith = (value: number, row: number): Column => ({
  type: 'number',
  rowCount,
  values: Float64Array.from({ length: rowCount }, (_, i) => (i === row ? value : 5)),
});
const schemaWith = (change: object) => parseSchema({ ...tinySchema, ...change });

const good = path('good');
const contents = (of: string) =>
  readdirSync(of).map((name) => [
    name,
    readFileSync(join(of, name)).toString('base64'),
    statSync(join(of, name)).mtimeMs,
  ]);
let kept: unknown;

beforeAll(async () => {
  // Encoded rows are kept where TMPDIR says: a place of our own, to see that nothing stays behind.
  mkdirSync(path('tmp'));
  vi.stubEnv('TMPDIR', path('tmp'));
  await writeLog(path('log.parquet'), log);
  await train(inputsOf({ out: good }));
  kept = contents(good);
});

type Case = [what: string, given: () => Promise<Partial<TrainInputs>> | Partial<TrainInputs>, message: string | RegExp];

const cases: Case[] = [
  [
    'columns that are missing, all of them at once',
    async () => ({ train: await writeLog(path('lacking.parquet'), log, { without: ['ad_id', 'click'] }) }),
    /^columns '(ad_id' and 'click|click' and 'ad_id)', which schema 'tiny' reads, are not in .*lacking\.parquet; it has time_ms, .*: correct the schema or the data$/,
  ],
  [
    'a validation table that lacks a column, before training begins',
    async () => ({ valid: { data: await writeLog(path('valid-lacking.parquet'), log, { without: ['price'] }) } }),
    /^column 'price', which schema 'tiny' reads, is not in .*valid-lacking\.parquet; it has /,
  ],
  [
    'an id column of lists',
    withColumn('ad_id', columnFromJson(new Array(rowCount).fill([1]), 'list of integer', '')),
    "field 'adId' (column 'ad_id', list of integer): kind 'id' has one value a row; use kind 'ids' for a list, or another column",
  ],
  [
    'a number column of text',
    withColumn('price', columnFromJson(new Array(rowCount).fill('1'), 'text', '')),
    "field 'price', text: kind 'number' needs a column of numbers; use kind 'id'",
  ],
  [
    'ids that are not whole',
    withColumn('ad_id', numbersWith(2.5, 3)),
    /field 'adId' \(column 'ad_id', number\): expected whole numbers as ids, got 2.5 in row 3 of \S+\.parquet; use kind 'number' or round the column/,
  ],
  [
    'NaN',
    withColumn('price', numbersWith(Number.NaN, 7)),
    /field 'price', number: expected finite numbers, got NaN in row 7 of \S+\.parquet; clean the column/,
  ],
  [
    'infinity',
    withColumn('price', numbersWith(Number.POSITIVE_INFINITY, 0)),
    /got Infinity in row 0 of \S+\.parquet; clean the column, or set "invalid": "missing"/,
  ],
  [
    'vectors of another length',
    withColumn('image', columnFromJson(new Array(rowCount).fill([1, 2, 3]), 'list of number', '')),
    /expected 2 numbers a row, got 3 in row 0 of \S+\.parquet; correct the field's length or the data/,
  ],
  [
    'a label of 2',
    withColumn('click', numbersWith(2, 0)),
    /label 'click' \(column 'click'\): expected 0 or 1, got 2 in row 0 of \S+\.parquet; name another column or clean it/,
  ],
  [
    'a label that is missing',
    withColumn('click', columnFromJson(new Array(rowCount).fill(null), 'integer', '')),
    'expected 0 or 1, got no value in row 0',
  ],
  [
    'a time that is missing',
    withColumn('time_ms', columnFromJson(new Array(rowCount).fill(null), 'integer', '')),
    "time column 'time_ms': expected a time in every row, got none in row 0",
  ],
  [
    'an empty table',
    async () => ({ train: await writeLog(path('empty.parquet'), selectRows(log, new Int32Array(0))) }),
    /empty\.parquet: the table has no rows; name files that have some/,
  ],
  [
    'a truncated file',
    async () => {
      const file = await writeLog(path('cut.parquet'), log);
      truncateSync(file, Math.floor(statSync(file).size / 2));
      return { train: file };
    },
    /cut\.parquet: .*(restore|write|copy|download|again)/,
  ],
  [
    'a file that is no Parquet',
    () => {
      writeFileSync(path('text.parquet'), 'click,price\n1,2\n');
      return { train: path('text.parquet') };
    },
    /text\.parquet: /,
  ],
  ['files that do not exist', { train: path('none-*.parquet') }, /none-\*\.parquet/],
  [
    'no rows to train on',
    { valid: { fromMs: dayOf(-1) } },
    'no rows to train on before the validation’s first time; name another time or other files',
  ],
  [
    'no rows to validate on',
    { valid: { fromMs: dayOf(99) } },
    'no rows to validate on from that time on; name another time or other files',
  ],
  [
    'a split by time without a time',
    { schema: schemaWith({ time: undefined }) },
    `splitting by time needs the schema to name its time column: add "time" to schema 'tiny'`,
  ],
  [
    'an unknown architecture',
    { architecture: 'senet' },
    /^unknown architecture 'senet'; use one of senet-dnn, lr, fm, deep-fm, dcn-v2, din, dual-tower$/,
  ],
  [
    'an option the architecture lacks',
    { architecture: 'lr' },
    "configuration: model has unknown 'hidden'; remove or correct it",
  ],
  [
    'sampled negatives of two labels side by side',
    {
      schema: schemaWith({ labels: tinySchema.labels.map(({ after: _, ...label }) => label) }),
      config: parseConfig({ training: { negativeSampling: 0.5 } }),
      architecture: 'lr',
    },
    'negativeSampling needs the first label to be the one all others come after, got click and conversion beside each other; remove it, or set "after"',
  ],
  [
    'dropout of the ids of a field that has none',
    { config: parseConfig({ training: { idDropout: { max: 0.5, scale: 5, fields: ['adId', 'price'] } } }) },
    /^configuration: idDropout names 'price', which is no field with ids; name some of userId, placement, tags, adId, placementAd$/,
  ],
  [
    'an output that exists',
    { out: good },
    /^output folder '.*good' exists; name another, such as the next version, or remove it$/,
  ],
  [
    'an output that cannot be made',
    { out: join(folder, 'log.parquet', 'model') },
    /^output folder '.*log\.parquet\/model' cannot be made \(.*\); name another place$/,
  ],
  [
    'a bundle of another schema to start from',
    { from: good, schema: schemaWith({ name: 'other' }) },
    /^--from .*good: its schema differs from the one given; use the same, or train anew without --from$/,
  ],
  [
    'a bundle of another architecture to start from',
    { from: good, config: parseConfig({ model: { hidden: [5] } }) },
    'its architecture or its options differs',
  ],
  ['no bundle where it should start from', { from: path('nothing') }, /nothing/],
  [
    'a checkpoint in the way',
    () => {
      mkdirSync(path('next.checkpoint'));
      return {};
    },
    /^an interrupted training left '.*next\.checkpoint', which this one would overwrite; resume it with --from .*next\.checkpoint, or remove it$/,
  ],
].map(([what, given, message]) => [what, typeof given === 'function' ? given : () => given, message]) as Case[];

describe('train refuses', () => {
  it.each(cases)('%s, says what to do, and harms nothing', async (_, given, message) => {
    const inputs = inputsOf(await given());
    const error = await train(inputs).then(
      () => undefined,
      (thrown) => thrown,
    );
    rmSync(path('next.checkpoint'), { recursive: true, force: true });
    expect(error).toBeInstanceOf(UserError);
    if (typeof message === 'string') expect(error.message).toContain(message);
    else expect(error.message).toMatch(message);
    expect(contents(good)).toEqual(kept);
    expect(readdirSync(folder).filter((name) => name.startsWith('next'))).toEqual([]);
    expect(readdirSync(process.env.TMPDIR as string)).toEqual([]);
  });

  it('to go on where weights are no longer numbers, and says which rates to lower', async () => {
    const diverging = inputsOf({
      loadLearner: async () => (typed, options) => {
        const learner = createTfjsLearner(typed, backend, options);
        const logits = learner.logits.bind(learner);
        learner.logits = (batch) =>
          new Map([...logits(batch)].map(([name, values]) => [name, values.fill(Number.NaN)]));
        return learner;
      },
    });
    await expect(train(diverging)).rejects.toThrow(
      /^validation log loss is NaN after \d+ examples: the training diverged; lower learningRate and embeddingLearningRate$/,
    );
    expect(readdirSync(folder).filter((name) => name.startsWith('next'))).toEqual([]);
  });

  it('a training that fails half-way, and keeps the last checkpoint', async () => {
    let steps = 0;
    const failing = inputsOf({
      out: path('half'),
      loadLearner: async () => (typed, options) => {
        const learner = createTfjsLearner(typed, backend, options);
        const step = learner.step.bind(learner);
        learner.step = (batch, rate) => {
          if (++steps > 3) throw new UserError('backend: the device is gone; use --backend cpu');
          return step(batch, rate);
        };
        return learner;
      },
    });
    await expect(train(failing)).rejects.toThrow('the device is gone');
    expect(readdirSync(folder).filter((name) => name.startsWith('half'))).toEqual(['half.checkpoint']);
    expect(contents(good)).toEqual(kept);
    const resumed = await train(inputsOf({ out: path('half'), from: path('half.checkpoint') }));
    expect(resumed.interrupted).toBe(false);
  });
});
