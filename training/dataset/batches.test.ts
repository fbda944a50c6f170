import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import type { EncodedColumn } from '../../src/schema/encoded.ts';
import { orderedBatches, shuffledBatches } from './batches.ts';
import { type EncodedChunk, EncodedStore } from './encodedStore.ts';

/** A chunk whose every column says which row it is: `first + row`. */
function chunkOf(first: number, rowCount: number): EncodedChunk {
  const numbers = Float32Array.from({ length: rowCount }, (_, row) => first + row);
  const counts = Int32Array.from(numbers, (n) => n % 4);
  const offsets = new Int32Array(rowCount + 1);
  counts.forEach((count, row) => {
    offsets[row + 1] = offsets[row] + count;
  });
  const ids = new Int32Array(offsets[rowCount]);
  for (let row = 0; row < rowCount; row++) for (let i = offsets[row]; i < offsets[row + 1]; i++) ids[i] = first + row;
  const fields = new Map<string, EncodedColumn>([
    ['id', { kind: 'id', ids: Int32Array.from(numbers) }],
    ['list', { kind: 'ids', offsets, ids, pooling: 'sum' }],
    [
      'dense',
      {
        kind: 'dense',
        width: 2,
        values: Float32Array.from({ length: 2 * rowCount }, (_, i) => first + (i >> 1) + (i % 2) / 2),
      },
    ],
  ]);
  return {
    rowCount,
    fields,
    labels: new Map([['click', numbers.map((n) => n % 2)]]),
    truths: new Map([['click', numbers.map((n) => n / 1e6)]]),
    weights: numbers.map((n) => n + 0.5),
    users: Int32Array.from({ length: 2 * rowCount }, (_, i) => (i % 2 === 0 ? first + (i >> 1) : -1)),
  };
}

/** The rows of a chunk, each checked to be of one piece. */
function rowsIn(chunk: EncodedChunk): number[] {
  const { ids } = chunk.fields.get('id') as EncodedColumn & { kind: 'id' };
  const list = chunk.fields.get('list') as EncodedColumn & { kind: 'ids' };
  const { values } = chunk.fields.get('dense') as EncodedColumn & { kind: 'dense' };
  expect([ids.length, list.offsets.length, values.length]).toEqual([
    chunk.rowCount,
    chunk.rowCount + 1,
    2 * chunk.rowCount,
  ]);
  return Array.from(ids, (n, row) => {
    expect([...list.ids.subarray(list.offsets[row], list.offsets[row + 1])]).toEqual(new Array(n % 4).fill(n));
    expect([values[2 * row], values[2 * row + 1], chunk.labels.get('click')?.[row]]).toEqual([n, n + 0.5, n % 2]);
    expect([chunk.truths.get('click')?.[row], chunk.weights?.[row]]).toEqual([Math.fround(n / 1e6), n + 0.5]);
    expect([chunk.users?.[2 * row], chunk.users?.[2 * row + 1]]).toEqual([n, -1]);
    return n;
  });
}

const stores: EncodedStore[] = [];
afterEach(() => {
  for (const store of stores.splice(0)) store.dispose();
});

function storeOf(sizes: readonly number[]): EncodedStore {
  const store = new EncodedStore();
  stores.push(store);
  let first = 0;
  for (const size of sizes) {
    store.append(chunkOf(first, size));
    first += size;
  }
  return store;
}

const sizes = fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 6 });

describe('an encoded store', () => {
  it('gives back what was put in, empty chunks left out', () => {
    const store = storeOf([3, 0, 5]);
    expect([store.rowCounts, store.rowCount]).toEqual([[3, 5], 8]);
    expect(store.chunk(0)).toEqual(chunkOf(0, 3));
    expect(store.chunk(1)).toEqual(chunkOf(3, 5));
    expect(store.chunk(0)).toBe(store.chunk(0));
  });

  it('says so where there is no room for it', () => {
    vi.stubEnv('TMPDIR', '/no/such/folder');
    expect(() => new EncodedStore()).toThrow(
      /^cannot keep encoded rows in \/no\/such\/folder: ENOENT.*; set TMPDIR to a folder that can be written to$/,
    );
    vi.unstubAllEnvs();
  });

  it('keeps chunks without users, weights and truths as they are', () => {
    const store = new EncodedStore();
    stores.push(store);
    const { rowCount, fields, labels } = chunkOf(0, 4);
    store.append({ rowCount, fields, labels, truths: new Map() });
    expect(store.chunk(0)).toEqual({
      rowCount,
      fields,
      labels,
      truths: new Map(),
      weights: undefined,
      users: undefined,
    });
  });
});

/** The same, each row ranked for a request that has up to three rows, some of them in other chunks. */
const rankedChunkOf = (first: number, rowCount: number): EncodedChunk => ({
  ...chunkOf(first, rowCount),
  ranked: {
    requests: Int32Array.from({ length: 2 * rowCount }, (_, i) => (i % 2 === 0 ? requestOf(first + (i >> 1)) : -1)),
    teacher: Float32Array.from({ length: rowCount }, (_, row) => first + row + 0.25),
  },
});
const requestOf = (n: number) => Math.floor(n / 9) * 3 + (n % 3);

describe('batches of ranked rows', () => {
  it('are whole lists in random order, all rows once, each with what the teacher made of it', () => {
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 30 }), fc.nat(), (counts, batchSize, seed) => {
        const store = new EncodedStore();
        stores.push(store);
        let first = 0;
        for (const size of counts) {
          store.append(rankedChunkOf(first, size));
          first += size;
        }
        const lists: number[][] = [];
        for (const batch of shuffledBatches(store, batchSize, createRandom(seed))) {
          const rows = rowsIn(batch);
          const { ranked, listOffsets } = batch as Required<EncodedChunk>;
          expect([...ranked.teacher]).toEqual(rows.map((n) => n + 0.25));
          expect([listOffsets[0], listOffsets.at(-1)]).toEqual([0, batch.rowCount]);
          for (let list = 0; list + 1 < listOffsets.length; list++)
            lists.push(rows.slice(listOffsets[list], listOffsets[list + 1]));
          if (listOffsets.length > 2) expect(batch.rowCount).toBeLessThanOrEqual(batchSize);
        }
        expect(lists.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: first }, (_, n) => n));
        const requests = lists.map((rows) => [...new Set(rows.map(requestOf))]);
        for (const list of requests) expect(list).toHaveLength(1);
        expect(new Set(requests.flat()).size).toBe(lists.length);
      }),
    );
  });
});

describe('batches', () => {
  it('in order are all rows once, in their order', () => {
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 50 }), (counts, batchSize) => {
        const store = storeOf(counts);
        const batches = [...orderedBatches(store, batchSize)];
        expect(batches.flatMap(rowsIn)).toEqual(Array.from({ length: store.rowCount }, (_, i) => i));
        for (const { rowCount } of batches) expect(rowCount > 0 && rowCount <= batchSize).toBe(true);
        store.dispose();
      }),
      { numRuns: 40 },
    );
  });

  it('shuffled are all rows once, whole but the last, however uneven the chunks', () => {
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 50 }), fc.integer(), (counts, batchSize, seed) => {
        const store = storeOf(counts);
        const batches = [...shuffledBatches(store, batchSize, createRandom(seed))];
        const rows = batches.flatMap(rowsIn);
        expect([...rows].sort((a, b) => a - b)).toEqual(Array.from({ length: store.rowCount }, (_, i) => i));
        for (const { rowCount } of batches.slice(0, -1)) expect(rowCount).toBe(batchSize);
        expect([...shuffledBatches(store, batchSize, createRandom(seed))].flatMap(rowsIn)).toEqual(rows);
        store.dispose();
      }),
      { numRuns: 40 },
    );
  });

  it('shuffled put every row anywhere with equal probability', () => {
    const store = storeOf([3, 1, 2]);
    const counts = Array.from({ length: 6 }, () => new Array(6).fill(0));
    for (let seed = 0; seed < 3000; seed++) {
      [...shuffledBatches(store, 4, createRandom(seed))].flatMap(rowsIn).forEach((row, place) => {
        counts[row][place]++;
      });
    }
    // 500 each; five standard errors of a binomial.
    for (const count of counts.flat())
      expect(Math.abs(count - 500)).toBeLessThan(5 * Math.sqrt(3000 * (1 / 6) * (5 / 6)));
  });

  it('leave out the rows a filter does not keep', () => {
    const store = storeOf([20, 1, 30]);
    const keep = (chunk: EncodedChunk, row: number) => chunk.labels.get('click')?.[row] === 1;
    const rows = [...shuffledBatches(store, 8, createRandom(1), keep)].flatMap(rowsIn);
    expect(rows.sort((a, b) => a - b)).toEqual(Array.from({ length: 25 }, (_, i) => 2 * i + 1));
    expect([...shuffledBatches(store, 8, createRandom(1), () => false)]).toEqual([]);
  });
});
