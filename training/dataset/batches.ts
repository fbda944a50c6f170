import { assert } from '../../src/core/errors.ts';
import type { Random } from '../../src/core/random.ts';
import { shuffle } from '../../src/core/random.ts';
import { denseGroups, rowsByGroup } from '../../src/evaluation/groups.ts';
import type { EncodedColumn } from '../../src/schema/encoded.ts';
import type { EncodedChunk, EncodedStore } from './encodedStore.ts';

type Ranked = NonNullable<EncodedChunk['ranked']>;

/** Rows of so many are shuffled together: a bounded buffer, filled with whole chunks in random order. */
const shuffleRows = 1_000_000;

/**
 * All rows of a store in random order, `batchSize` at a time; the last batch may be smaller. Rows that were ranked stay together: whole
 * lists in random order, as many as a batch has room for, at least one.
 */
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
  const ends = chunks[0].ranked && shuffleLists(chunks, places.subarray(0, count), random);
  if (ends === undefined) shuffle(places, random, count);
  for (let from = 0, to = 0, list = 0; from < count; from = to) {
    const first = list;
    if (ends === undefined) to = Math.min(count, from + batchSize);
    else
      do to = ends[list++];
      while (list < ends.length && ends[list] - from <= batchSize);
    const chunkOf = places.slice(from, to);
    const rowOf = new Int32Array(chunkOf.length);
    for (let i = 0; i < chunkOf.length; i++) {
      const c = owners[chunkOf[i]];
      rowOf[i] = chunkOf[i] - starts[c];
      chunkOf[i] = c;
    }
    const batch = gatherRows(chunks, chunkOf, rowOf);
    yield ends === undefined
      ? batch
      : { ...batch, listOffsets: Int32Array.of(0, ...ends.subarray(first, list).map((end) => end - from)) };
  }
}

/**
 * Brings rows of one request together and requests into random order.
 *
 * @param places of rows through all chunks, in order; rearranged
 * @returns where each list ends
 */
function shuffleLists(chunks: readonly EncodedChunk[], places: Int32Array, random: Random): Int32Array {
  const halves = [0, 1].map((half) => {
    const all = chunks.flatMap(({ ranked }) => {
      assert(ranked !== undefined, 'a chunk whose rows were not ranked');
      return [ranked.requests.filter((_, i) => i % 2 === half)];
    });
    return concatenated(all);
  });
  const lists = denseGroups(halves[0], halves[1]);
  const { rows, starts } = rowsByGroup(Uint32Array.from(places), lists);
  const order = Int32Array.from({ length: starts.length - 1 }, (_, list) => list);
  shuffle(order, random);
  let to = 0;
  return order.map((list) => {
    const members = rows.subarray(starts[list], starts[list + 1]);
    places.set(members, to);
    to += members.length;
    return to;
  });
}

function concatenated(parts: readonly Int32Array[]): Int32Array {
  const all = new Int32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
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
  const keys = (of: (chunk: EncodedChunk) => Int32Array) => {
    const out = new Int32Array(2 * rowCount);
    for (let i = 0; i < rowCount; i++) {
      const source = of(chunks[chunkOf[i]]);
      out[2 * i] = source[2 * rowOf[i]];
      out[2 * i + 1] = source[2 * rowOf[i] + 1];
    }
    return out;
  };
  const users = first.users && keys((chunk) => chunk.users as Int32Array);
  const ranked = first.ranked && {
    requests: keys((chunk) => (chunk.ranked as Ranked).requests),
    teacher: floats((chunk) => (chunk.ranked as Ranked).teacher),
  };
  return {
    rowCount,
    fields,
    labels,
    truths,
    ...(targets && { targets }),
    weights,
    users,
    ...(ranked && { ranked }),
  };
}
