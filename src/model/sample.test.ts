import { describe, expect, it } from 'vitest';
import { createRandom } from '../core/random.ts';
import type { EncodedColumn, EncodedIds, EncodedLists } from '../schema/encoded.ts';
import { randomBundle } from '../scoring/conformance/randomBundle.ts';
import { checkBundle } from './checkBundle.ts';
import { decodeSafetensors, encodeSafetensors, type Tensor } from './safetensors.ts';
import { decodeSample, encodeSample, type Sample } from './sample.ts';

const bundle = randomBundle({ random: createRandom(1) });
const { typed } = bundle;
const sample = bundle.sample as Sample;
const rows = sample.input.rowCount;

describe('a sample', () => {
  it('comes back as it was written, with every kind of field', () => {
    const kinds = new Set([...sample.input.fields.values()].map(({ kind }) => kind));
    expect([...kinds].sort()).toEqual(['dense', 'id', 'ids']);
    expect(decodeSample(encodeSample(sample), typed, 'it')).toEqual(sample);
  });

  it('may lack the labels of a task', () => {
    const labels = new Map([...sample.labels].slice(0, 1));
    expect(decodeSample(encodeSample({ ...sample, labels }), typed, 'it').labels).toEqual(labels);
  });

  it.each<[string, (tensors: Map<string, Tensor>) => void, RegExp]>([
    ['without a field', (t) => t.delete('fields/adId.ids'), /^it: 'fields\/adId.ids' is missing; restore/],
    [
      'of another type',
      (t) => t.set('fields/taste.values', { shape: [1], values: new Int32Array(1) }),
      /^it: 'fields\/taste.values' is of Int32Array, expected Float32Array/,
    ],
  ])('is refused %s', (_, change, message) => {
    const tensors = decodeSafetensors(encodeSample(sample), 'it');
    change(tensors);
    expect(() => decodeSample(encodeSafetensors(tensors), typed, 'it')).toThrow(message);
  });

  const withColumn = (name: string, column: EncodedColumn): Sample => ({
    ...sample,
    input: { rowCount: rows, fields: new Map([...sample.input.fields, [name, column]]) },
  });
  const ids = (sample.input.fields.get('adId') as EncodedIds).ids;
  const lists = sample.input.fields.get('keywords') as EncodedLists;
  const tableRows = bundle.fitted.vocabularies.get('adId')?.rows as number;
  const changed = <T extends Int32Array | Float32Array>(values: T, at: number, value: number): T => {
    const copy = values.slice() as T;
    copy[at] = value;
    return copy;
  };

  it.each<[string, Sample, RegExp]>([
    [
      'an id outside its table',
      withColumn('adId', { kind: 'id', ids: changed(ids, 3, tableRows) }),
      /has a sample with id \d+ of 'adId', outside its table of \d+ rows/,
    ],
    ['a negative id', withColumn('adId', { kind: 'id', ids: changed(ids, 3, -1) }), /with id -1 of 'adId', outside/],
    ['a missing row', withColumn('adId', { kind: 'id', ids: ids.slice(1) }), /of 199 rows of 'adId', expected 200/],
    [
      'offsets out of order',
      withColumn('keywords', { ...lists, offsets: changed(lists.offsets, 2, lists.ids.length) }),
      /whose offsets of 'keywords' do not ascend/,
    ],
    [
      'offsets beyond its ids',
      withColumn('keywords', { ...lists, offsets: changed(lists.offsets, rows, lists.ids.length + 1) }),
      /whose offsets of 'keywords' do not ascend/,
    ],
    [
      'an infinite number',
      withColumn('taste', { kind: 'dense', width: 3, values: new Float32Array(3 * rows).fill(Infinity) }),
      /numbers of 'taste' that are not finite/,
    ],
    [
      'too few labels',
      { ...sample, labels: new Map([['click', new Float32Array(rows - 1)]]) },
      /of 199 labels 'click', expected 200/,
    ],
    [
      'a label of 0.5',
      { ...sample, labels: new Map([['click', new Float32Array(rows).fill(0.5)]]) },
      /labels 'click' other than 0 and 1/,
    ],
  ])('is refused with %s', (_, broken, message) => {
    expect(() => checkBundle({ ...bundle, sample: broken }, 'it')).toThrow(message);
  });
});
