import { hashBytes, joinKeys, type KeyHalves } from '../core/hash.ts';
import { type Column, type ListColumn, typeName } from './columns.ts';
import { RowError } from './rowError.ts';

/**
 * The 64-bit keys of a column: item `i` has its low half at `words[2i]` and its high half at `words[2i + 1]`.
 * With `offsets`, row `r` has the items from `offsets[r]` to `offsets[r+1]`; without, one item, present where `valid` says. Lists
 * have `valid` only where items without a value keep their place, as those of a sequence do.
 */
export interface Keys {
  readonly rowCount: number;
  readonly words: Int32Array;
  readonly offsets?: Int32Array;
  readonly valid?: Uint8Array;
}

/**
 * The keys of a column's values. Whole numbers are their own key; texts are hashed; a column of floats may hold ids if
 * all are whole, and its NaNs (how pandas writes a missing id) are no value.
 *
 * @param what how messages name the column: `field 'userId' (column 'user_id')`
 * @param keepsPlaces whether a list's items without a value stay, as those of a sequence must
 * @throws UserError if a float is not whole
 */
export function keysOf(column: Column, what: string, keepsPlaces = false): Keys {
  switch (column.type) {
    case 'list': {
      const items = keysOf(column.items, what);
      if (keepsPlaces && column.valid === undefined)
        return { ...items, rowCount: column.rowCount, offsets: column.offsets };
      return withoutNullItems(items, column, keepsPlaces);
    }
    case 'integer':
      return { rowCount: column.rowCount, words: integerWords(column.values, column.rowCount), valid: column.valid };
    case 'number':
      return numberKeys(column.values, column.rowCount, column.valid, what);
    case 'text': {
      const words = textWords(
        column.offsets,
        column.bytes,
        column.indices ? column.offsets.length - 1 : column.rowCount,
      );
      if (column.indices === undefined) return { rowCount: column.rowCount, words, valid: column.valid };
      const spread = new Int32Array(column.rowCount * 2);
      for (let row = 0; row < column.rowCount; row++) {
        const entry = column.indices[row];
        spread[2 * row] = words[2 * entry];
        spread[2 * row + 1] = words[2 * entry + 1];
      }
      return { rowCount: column.rowCount, words: spread, valid: column.valid };
    }
  }
}

function integerWords(values: Int32Array | BigInt64Array, rowCount: number): Int32Array {
  // Arrow and every machine we run on are little-endian: an int64 is already its two halves.
  if (values instanceof BigInt64Array) return new Int32Array(values.buffer, values.byteOffset, rowCount * 2);
  const words = new Int32Array(rowCount * 2);
  for (let row = 0; row < rowCount; row++) {
    words[2 * row] = values[row];
    words[2 * row + 1] = values[row] >> 31;
  }
  return words;
}

function numberKeys(
  values: Float32Array | Float64Array,
  rowCount: number,
  valid: Uint8Array | undefined,
  what: string,
): Keys {
  const words = new Int32Array(rowCount * 2);
  const present = new Uint8Array(rowCount);
  for (let row = 0; row < rowCount; row++) {
    const value = values[row];
    if ((valid !== undefined && valid[row] === 0) || Number.isNaN(value)) continue;
    if (!Number.isInteger(value)) {
      throw new RowError(
        `${what}: expected whole numbers as ids, got ${value}`,
        row,
        "use kind 'number' or round the column",
      );
    }
    present[row] = 1;
    words[2 * row] = value | 0;
    if (Math.abs(value) < 2147483648) words[2 * row + 1] = value < 0 ? -1 : 0;
    else {
      const wide = BigInt.asUintN(64, BigInt(value));
      words[2 * row] = Number(wide & 0xffffffffn) | 0;
      words[2 * row + 1] = Number(wide >> 32n) | 0;
    }
  }
  return { rowCount, words, valid: present };
}

function textWords(offsets: Int32Array, bytes: Uint8Array, count: number): Int32Array {
  const words = new Int32Array(count * 2);
  const key: KeyHalves = { lo: 0, hi: 0 };
  for (let i = 0; i < count; i++) {
    hashBytes(bytes, offsets[i], offsets[i + 1], key);
    words[2 * i] = key.lo;
    words[2 * i + 1] = key.hi;
  }
  return words;
}

/** Drops the items of null rows, and null items where they keep no place: to a model they are not there. */
function withoutNullItems(items: Keys, { offsets, rowCount, valid: rowValid }: ListColumn, keepsPlaces: boolean): Keys {
  if (items.valid === undefined && rowValid === undefined) return { rowCount, words: items.words, offsets };
  const kept = new Int32Array(rowCount + 1);
  const words = new Int32Array(items.words.length);
  const valid = keepsPlaces && items.valid !== undefined ? new Uint8Array(items.rowCount) : undefined;
  let count = 0;
  for (let row = 0; row < rowCount; row++) {
    const from = rowValid !== undefined && rowValid[row] === 0 ? offsets[row + 1] : offsets[row];
    for (let i = from; i < offsets[row + 1]; i++) {
      if (valid !== undefined) valid[count] = (items.valid as Uint8Array)[i];
      else if (items.valid !== undefined && items.valid[i] === 0) continue;
      words[2 * count] = items.words[2 * i];
      words[2 * count + 1] = items.words[2 * i + 1];
      count++;
    }
    kept[row + 1] = count;
  }
  return { rowCount, words: words.subarray(0, 2 * count), offsets: kept, valid };
}

const itemCount = (keys: Keys, row: number) =>
  keys.offsets !== undefined
    ? keys.offsets[row + 1] - keys.offsets[row]
    : keys.valid === undefined || keys.valid[row]
      ? 1
      : 0;

/**
 * The keys of a cross: every combination of its parts' values, in the parts' order. A row in which a part has no value
 * has no combination. A part of one row is used for every row, as a request's is for its candidates.
 */
export function crossKeys(parts: readonly Keys[]): Keys {
  return parts.reduce(crossPair);
}

function crossPair(left: Keys, right: Keys): Keys {
  const rowCount = left.rowCount === 1 ? right.rowCount : left.rowCount;
  const single = left.offsets === undefined && right.offsets === undefined;
  const offsets = new Int32Array(rowCount + 1);
  for (let row = 0; row < rowCount; row++) {
    const l = left.rowCount === 1 ? 0 : row;
    const r = right.rowCount === 1 ? 0 : row;
    offsets[row + 1] = offsets[row] + itemCount(left, l) * itemCount(right, r);
  }
  const words = new Int32Array(2 * (single ? rowCount : offsets[rowCount]));
  const valid = single ? new Uint8Array(rowCount) : undefined;
  const key: KeyHalves = { lo: 0, hi: 0 };
  for (let row = 0; row < rowCount; row++) {
    const l = left.rowCount === 1 ? 0 : row;
    const r = right.rowCount === 1 ? 0 : row;
    let at = single ? row : offsets[row];
    if (valid !== undefined) valid[row] = offsets[row + 1] - offsets[row];
    const leftFrom = left.offsets === undefined ? l : left.offsets[l];
    const rightFrom = right.offsets === undefined ? r : right.offsets[r];
    for (let i = 0; i < itemCount(left, l); i++) {
      for (let j = 0; j < itemCount(right, r); j++, at++) {
        const a = 2 * (leftFrom + i);
        const b = 2 * (rightFrom + j);
        joinKeys(left.words[a], left.words[a + 1], right.words[b], right.words[b + 1], key);
        words[2 * at] = key.lo;
        words[2 * at + 1] = key.hi;
      }
    }
  }
  return single ? { rowCount, words, valid } : { rowCount, words, offsets };
}

/** How messages name a field and its column. */
export function describeField(name: string, column: string, found?: Column): string {
  const type = found === undefined ? '' : `, ${typeName(found)}`;
  return name === column ? `field '${name}'${type}` : `field '${name}' (column '${column}'${type})`;
}
