import { assert } from '../core/errors.ts';
import type { EncodedColumn, EncodedDense, EncodedIds, EncodedLists } from './encoded.ts';
import type { Keys } from './keys.ts';

/*
 * Rows are picked from two sources: row `at[i]` of a catalog where that is 0 or more, else row `-1 - at[i]` of what a request itself
 * gave.
 */

/** Buffers of one column, reused from request to request. */
export class ColumnBuffers {
  private ints = new Int32Array(0);
  private offsets = new Int32Array(0);
  private floats = new Float32Array(0);

  takeInts(length: number): Int32Array {
    if (this.ints.length < length) this.ints = new Int32Array(roomFor(length));
    return this.ints.subarray(0, length);
  }

  takeOffsets(length: number): Int32Array {
    if (this.offsets.length < length) this.offsets = new Int32Array(roomFor(length));
    return this.offsets.subarray(0, length);
  }

  takeFloats(length: number): Float32Array {
    if (this.floats.length < length) this.floats = new Float32Array(roomFor(length));
    return this.floats.subarray(0, length);
  }
}

/** Buffers by the name of their column. */
export class NamedBuffers {
  private readonly byName = new Map<string, ColumnBuffers>();

  of(name: string): ColumnBuffers {
    let buffers = this.byName.get(name);
    if (buffers === undefined) this.byName.set(name, (buffers = new ColumnBuffers()));
    return buffers;
  }
}

/** Grows by half, so that requests of slowly rising size do not each allocate. */
export const roomFor = (length: number) => Math.ceil(length * 1.5);

/**
 * The picked rows of an encoded column.
 *
 * @param catalog [ads]
 * @param own     [rows the request gave]; absent where `at` never points there
 * @param at      [count]
 * @returns [count], in `buffers`: valid until they are used again
 */
export function gatherEncoded(
  catalog: EncodedColumn | undefined,
  own: EncodedColumn | undefined,
  at: Int32Array,
  buffers: ColumnBuffers,
): EncodedColumn {
  const first = catalog ?? own;
  assert(first !== undefined, 'gatherEncoded: no source');
  const second = own ?? first;
  assert(first.kind === second.kind, 'gatherEncoded: two kinds');
  switch (first.kind) {
    case 'id': {
      const ids = buffers.takeInts(at.length);
      gatherIds(first.ids, (second as EncodedIds).ids, at, ids);
      return { kind: 'id', ids };
    }
    case 'dense':
      return { ...first, values: gatherDense(first, second as EncodedDense, at, buffers) };
    case 'ids': {
      const other = second as EncodedLists;
      const offsets = gatherOffsets(first.offsets, other.offsets, at, buffers);
      const ids = buffers.takeInts(offsets[at.length]);
      gatherItems(first.ids, first.offsets, other.ids, other.offsets, at, offsets, ids, 1);
      return { ...first, offsets, ids };
    }
  }
}

function gatherIds(a: Int32Array, b: Int32Array, at: Int32Array, out: Int32Array): void {
  for (let i = 0; i < at.length; i++) {
    const row = at[i];
    out[i] = row >= 0 ? a[row] : b[-1 - row];
  }
}

function gatherDense(first: EncodedDense, second: EncodedDense, at: Int32Array, buffers: ColumnBuffers): Float32Array {
  const { width } = first;
  const values = buffers.takeFloats(at.length * width);
  for (let i = 0; i < at.length; i++) {
    const source = at[i] >= 0 ? first.values : second.values;
    const from = (at[i] >= 0 ? at[i] : -1 - at[i]) * width;
    for (let d = 0; d < width; d++) values[i * width + d] = source[from + d];
  }
  return values;
}

/** The picked rows of raw keys; buffers as above. */
export function gatherKeys(
  catalog: Keys | undefined,
  own: Keys | undefined,
  at: Int32Array,
  buffers: ColumnBuffers,
): Keys {
  const first = catalog ?? own;
  assert(first !== undefined, 'gatherKeys: no source');
  const second = own ?? first;
  const rowCount = at.length;
  if (first.offsets !== undefined) {
    assert(second.offsets !== undefined, 'gatherKeys: two kinds');
    const offsets = gatherOffsets(first.offsets, second.offsets, at, buffers);
    const words = buffers.takeInts(2 * offsets[rowCount]);
    gatherItems(first.words, first.offsets, second.words, second.offsets, at, offsets, words, 2);
    return { rowCount, words, offsets };
  }
  const words = buffers.takeInts(2 * rowCount);
  const valid = new Uint8Array(rowCount);
  for (let i = 0; i < rowCount; i++) {
    const source = at[i] >= 0 ? first : second;
    const row = at[i] >= 0 ? at[i] : -1 - at[i];
    words[2 * i] = source.words[2 * row];
    words[2 * i + 1] = source.words[2 * row + 1];
    valid[i] = source.valid === undefined ? 1 : source.valid[row];
  }
  return { rowCount, words, valid };
}

function gatherOffsets(a: Int32Array, b: Int32Array, at: Int32Array, buffers: ColumnBuffers): Int32Array {
  const offsets = buffers.takeOffsets(at.length + 1);
  offsets[0] = 0;
  for (let i = 0; i < at.length; i++) {
    const source = at[i] >= 0 ? a : b;
    const row = at[i] >= 0 ? at[i] : -1 - at[i];
    offsets[i + 1] = offsets[i] + source[row + 1] - source[row];
  }
  return offsets;
}

/** Copies the items of lists, each of `width` numbers. */
function gatherItems(
  a: Int32Array,
  aOffsets: Int32Array,
  b: Int32Array,
  bOffsets: Int32Array,
  at: Int32Array,
  offsets: Int32Array,
  out: Int32Array,
  width: number,
): void {
  for (let i = 0; i < at.length; i++) {
    const source = at[i] >= 0 ? a : b;
    let from = (at[i] >= 0 ? aOffsets[at[i]] : bOffsets[-1 - at[i]]) * width;
    for (let to = offsets[i] * width; to < offsets[i + 1] * width; to++, from++) out[to] = source[from];
  }
}
