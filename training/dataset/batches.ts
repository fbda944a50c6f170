import type { Random } from '../../src/core/random.ts';
import { shuffle } from '../../src/core/random.ts';
import type { EncodedColumn } from '../../src/schema/encoded.ts';
import type { EncodedChunk, EncodedStore } from './encodedStore.ts';

/** Rows of so many are shuffled together: a bounded buffer, filled with whole chunks in random order. */
const shuffleRows = 1_000_000;

/** All rows of a store in random order, `batchSize` at a time; the last batch may be smaller. */
export function* shuffledBatches(
  store: EncodedStore,
  batchSize: number,
  random: Random,
  keep?: RowFilter,
): Generator<EncodedChunk> {
  const order = Int32Array.from(store.rowCounts, (_, i) => i);
  shuffle(order, random);
  for (let from = 0; from < order.length; ) {
    let to = from;
    let rows = 0;
    while (to < order.length && (rows === 0 || rows + store.rowCounts[order[to]] <= shuffleRows))
      rows += store.rowCounts[order[to++]];
    const chunks = Array.from(order.subarray(from, to), (index) => store.chunk(index));
    yield* batchesOf(chunks, rows, batchSize, random, keep);
    from = to;
  }
}

/** Whether to keep a row this time: for negative down-sampling. */
export type RowFilter = (chunk: EncodedChunk, row: number) => boolean;

function* batchesOf(
  chunks: EncodedChunk[],
  rows: number,
  batchSize: number,
  random: Random,
  keep?: RowFilter,
): Generator<EncodedChunk> {
  // A row is numbered through all chunks; `owners` says whose it is, `starts` from where its chunk's rows count.
  const owners = new Int32Array(rows);
  const starts = new Int32Array(chunks.length);
  const places = new Int32Array(rows);
  let count = 0;
  let place = 0;
  chunks.forEach((chunk, c) => {
    starts[c] = place;
    for (let row = 0; row < chunk.rowCount; row++, place++) {
      owners[place] = c;
      if (keep === undefined || keep(chunk, row)) places[count++] = place;
    }
  });
  shuffle(places, random, count);
  for (let from = 0; from < count; from += batchSize) {
    const chunkOf = places.slice(from, Math.min(count, from + batchSize));
    const rowOf = new Int32Array(chunkOf.length);
    for (let i = 0; i < chunkOf.length; i++) {
      const c = owners[chunkOf[i]];
      rowOf[i] = chunkOf[i] - starts[c];
      chunkOf[i] = c;
    }
    yield gatherRows(chunks, chunkOf, rowOf);
  }
}

/** All rows of a store in their order, `batchSize` at a time at most. */
export function* orderedBatches(store: EncodedStore, batchSize: number): Generator<EncodedChunk> {
  for (let c = 0; c < store.rowCounts.length; c++) {
    const chunk = store.chunk(c);
    for (let from = 0; from < chunk.rowCount; from += batchSize) {
      const rowOf = Int32Array.from({ length: Math.min(batchSize, chunk.rowCount - from) }, (_, i) => from + i);
      yield gatherRows([chunk], new Int32Array(rowOf.length), rowOf);
    }
  }
}

/** Row `i` is row `rowOf[i]` of chunk `chunkOf[i]`. */
function gatherRows(chunks: readonly EncodedChunk[], chunkOf: Int32Array, rowOf: Int32Array): EncodedChunk {
  const rowCount = rowOf.length;
  const floats = (of: (chunk: EncodedChunk) => Float32Array, width = 1) => {
    const sources = chunks.map(of);
    const out = new Float32Array(rowCount * width);
    for (let i = 0; i < rowCount; i++) {
      const source = sources[chunkOf[i]];
      for (let w = 0, at = i * width, from = rowOf[i] * width; w < width; w++) out[at + w] = source[from + w];
    }
    return out;
  };
  const [first] = chunks;
  const fields = new Map<string, EncodedColumn>();
  for (const [name, column] of first.fields) {
    if (column.kind === 'dense') {
      const values = floats((chunk) => (chunk.fields.get(name) as typeof column).values, column.width);
      fields.set(name, { kind: 'dense', width: column.width, values });
    } else if (column.kind === 'id') {
      const sources = chunks.map((chunk) => (chunk.fields.get(name) as typeof column).ids);
      const ids = new Int32Array(rowCount);
      for (let i = 0; i < rowCount; i++) ids[i] = sources[chunkOf[i]][rowOf[i]];
      fields.set(name, { kind: 'id', ids });
    } else {
      const sources = chunks.map((chunk) => chunk.fields.get(name) as typeof column);
      const offsets = new Int32Array(rowCount + 1);
      for (let i = 0; i < rowCount; i++) {
        const source = sources[chunkOf[i]].offsets;
        offsets[i + 1] = offsets[i] + source[rowOf[i] + 1] - source[rowOf[i]];
      }
      const ids = new Int32Array(offsets[rowCount]);
      for (let i = 0; i < rowCount; i++) {
        const source = sources[chunkOf[i]];
        for (let to = offsets[i], from = source.offsets[rowOf[i]]; to < offsets[i + 1]; to++, from++)
          ids[to] = source.ids[from];
      }
      fields.set(name, { kind: 'ids', offsets, ids, pooling: column.pooling });
    }
  }
  const labels = new Map(
    [...first.labels.keys()].map((name) => [name, floats((chunk) => chunk.labels.get(name) as Float32Array)]),
  );
  const truths = new Map(
    [...first.truths.keys()].map((name) => [name, floats((chunk) => chunk.truths.get(name) as Float32Array)]),
  );
  const targets =
    first.targets &&
    new Map(
      [...first.targets.keys()].map((name) => [name, floats((chunk) => chunk.targets?.get(name) as Float32Array)]),
    );
  const weights = first.weights === undefined ? undefined : floats((chunk) => chunk.weights as Float32Array);
  let users: Int32Array | undefined;
  if (first.users !== undefined) {
    users = new Int32Array(2 * rowCount);
    for (let i = 0; i < rowCount; i++) {
      const source = chunks[chunkOf[i]].users as Int32Array;
      users[2 * i] = source[2 * rowOf[i]];
      users[2 * i + 1] = source[2 * rowOf[i] + 1];
    }
  }
  return { rowCount, fields, labels, truths, ...(targets && { targets }), weights, users };
}
