import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../src/core/random.ts';
import { readBundle } from '../src/model/bundleFiles.ts';
import type { ColumnBatch } from '../src/schema/columns.ts';
import { createEncoder } from '../src/schema/encoder.ts';
import { columnFromJson } from '../src/schema/jsonColumns.ts';
import { parseSchema } from '../src/schema/parseSchema.ts';
import { createReferenceScorer } from '../src/scoring/engines/reference/scorer.ts';
import { loadBackend } from '../src/scoring/engines/tfjs/load.ts';
import { parseConfig } from './config.ts';
import { tinyLog, tinySchema, writeLog } from './tinyLog.ts';
import { tinyInputs } from './tinyTraining.ts';
import { type TrainInputs, train } from './train.ts';

const folder = mkdtempSync(join(tmpdir(), 'distil-test-'));
const log = join(folder, 'log.parquet');
const backend = await loadBackend('wasm');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Requests of four rows, and a label that is drawn by a coin. */
const batch: ColumnBatch = (() => {
  const { rowCount, columns } = tinyLog(3000);
  const random = createRandom(5);
  const requests = columnFromJson(
    Array.from({ length: rowCount }, (_, row) => row >> 2),
    'integer',
    'request_id',
  );
  const coins = columnFromJson(
    Array.from({ length: rowCount }, () => random.below(2)),
    'integer',
    'coin',
  );
  return { rowCount, columns: new Map([...columns, ['request_id', requests], ['coin', coins]]) };
})();

const schemaOf = (column: string, more: object = {}) =>
  parseSchema({ ...tinySchema, request: 'request_id', labels: [{ name: 'click', column }], ...more });
// One validation, at the end: by labels that say nothing, an earlier one might be the best.
const rates = { batchSize: 16, learningRate: 0.01, embeddingLearningRate: 0.05, validationsPerEpoch: 1 };

const configOf = (distil: object = {}, training: object = {}) =>
  parseConfig({ model: { hidden: [8] }, training: { ...rates, ...training }, distil });

async function trained(name: string, more: Partial<TrainInputs> = {}) {
  await train({
    schema: schemaOf('coin'),
    config: configOf(),
    ...tinyInputs(folder, name, log, backend),
    ...more,
  });
  return readBundle(join(folder, name));
}

beforeAll(async () => {
  await writeLog(log, batch);
  await trained('teacher', { schema: schemaOf('click') });
});

/** How often, of two rows of one request, a model prefers the same as the teacher. */
async function agreement(name: string): Promise<number> {
  const [teacher, student] = await Promise.all(
    ['teacher', name].map(async (model) => {
      const bundle = await readBundle(join(folder, model));
      const { fields } = createEncoder(bundle.typed.schema, bundle.fitted).encode(batch);
      const scores = createReferenceScorer(bundle).score({ rowCount: batch.rowCount, fields });
      return scores.get('click') as Float32Array;
    }),
  );
  let same = 0;
  let pairs = 0;
  for (let row = 0; row < batch.rowCount; row++) {
    for (let other = row + 1; other >> 2 === row >> 2; other++, pairs++)
      if (Math.sign(teacher[row] - teacher[other]) === Math.sign(student[row] - student[other])) same++;
  }
  return same / pairs;
}

const bytesOf = (name: string) => readFileSync(join(folder, name, 'weights.safetensors')).toString('base64');
const teacher = join(folder, 'teacher');

describe('a distilled model', () => {
  it('ranks within requests as its teacher does, though its labels say nothing', async () => {
    const distil = { weight: 5, temperature: 2 };
    await trained('taught', { distil: teacher, config: configOf(distil) });
    await trained('alone');
    expect(await agreement('taught')).toBeGreaterThan(0.85);
    expect(Math.abs((await agreement('alone')) - 0.5)).toBeLessThan(0.15);
  });

  it('says in its manifest whom it learned from', async () => {
    const { manifest } = await readBundle(join(folder, 'taught'));
    expect(manifest.training.distil).toEqual({ model: teacher, weight: 5, temperature: 2 });
    expect(readFileSync(join(folder, 'taught', 'report.html'), 'utf8')).toContain('distilled from');
  });

  it('is bit-identical when interrupted and resumed', async () => {
    const given = { distil: teacher };
    await trained('whole', given);
    let steps = 0;
    await expect(trained('resumed', { ...given, isInterrupted: () => ++steps === 11 })).rejects.toThrow();
    await trained('resumed', { ...given, from: join(folder, 'resumed.checkpoint') });
    expect(bytesOf('resumed')).toBe(bytesOf('whole'));
    expect(bytesOf('resumed')).not.toBe(bytesOf('alone'));
  });

  it.each<[string, () => Partial<TrainInputs>, RegExp]>([
    [
      'a schema without requests',
      () => ({ schema: parseSchema({ ...tinySchema, labels: [{ name: 'click', column: 'coin' }] }) }),
      /^--distil needs to know which rows were ranked together: add "request", their column, to schema 'tiny'$/,
    ],
    [
      'a teacher of another label',
      () => ({ schema: schemaOf('coin', { labels: [{ name: 'view', column: 'coin' }] }) }),
      /^--distil .*teacher: it has click, not 'view'; name a model of that label$/,
    ],
    [
      'sampled negatives',
      () => ({ config: configOf({}, { negativeSampling: 0.5 }) }),
      /^configuration: negativeSampling tears apart the lists that --distil learns from; remove one of the two$/,
    ],
    ['a teacher that is not there', () => ({ distil: join(folder, 'nobody') }), /nobody/],
  ])('refuses %s', async (_, given, message) => {
    await expect(trained('refused', { distil: teacher, ...given() })).rejects.toThrow(message);
  });

  it('refuses a teacher that reads what the data lacks, and rows without a request', async () => {
    const bare = await writeLog(join(folder, 'bare.parquet'), batch, { without: ['price'] });
    const fields = tinySchema.fields.filter(({ name }) => name !== 'price');
    await expect(
      trained('refused', { distil: teacher, train: bare, schema: schemaOf('coin', { fields }) }),
    ).rejects.toThrow(/^column 'price', which --distil .*teacher reads, is not in .*bare.parquet/);
    const requests = columnFromJson(
      Array.from({ length: batch.rowCount }, (_, row) => (row === 7 ? null : row)),
      'integer',
      'request_id',
    );
    const nulls = await writeLog(join(folder, 'nulls.parquet'), batch, { columns: { request_id: requests } });
    await expect(trained('refused', { distil: teacher, train: nulls })).rejects.toThrow(
      /^request column 'request_id': expected a value in every row, got none in row 7 of .*nulls.parquet; fill it/,
    );
  });
});
