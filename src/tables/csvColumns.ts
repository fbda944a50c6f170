import type { Column } from '../schema/columns.ts';
import { type InferredType, isNullCell, parseBoolean, parseInteger, parseNumber, parseTimestamp } from './csvTypes.ts';

/** Collects one column's cells. */
export interface CellBuilder {
  /** Takes the next row's cell; `false` where it is not of the column's type. */
  add(cell: string): boolean;
  /** The rows so far as a column; the builder starts anew. */
  take(): Column;
}

const INT64_MAX = 2n ** 63n - 1n;

/** A builder for batches of up to `capacity` rows. */
export function createCellBuilder({ type, unsigned }: InferredType, capacity: number): CellBuilder {
  if (type === 'text') return textBuilder(capacity);
  if (type === 'number') return numberBuilder(capacity);
  return integerBuilder(type, unsigned ?? false, capacity);
}

const PARSERS = {
  boolean: (cell: string) => Number(parseBoolean(cell) ?? Number.NaN),
  timestamp: (cell: string) => parseTimestamp(cell) ?? Number.NaN,
  integer: (cell: string) => parseInteger(cell) ?? Number.NaN,
};

/** A whole number of one to nine digits, the common case; -1 for anything else. */
function smallInteger(cell: string): number {
  const { length } = cell;
  if (length === 0 || length > 9) return -1;
  let value = 0;
  for (let i = 0; i < length; i++) {
    const digit = cell.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

function integerBuilder(type: keyof typeof PARSERS, unsigned: boolean, capacity: number): CellBuilder {
  let values = new BigInt64Array(capacity);
  let low = new Int32Array(values.buffer);
  let valid = new Uint8Array(capacity);
  let rowCount = 0;
  let nullCount = 0;
  const meaning = type === 'integer' ? undefined : type;
  const parse = PARSERS[type];
  return {
    add(cell) {
      const small = type === 'integer' ? smallInteger(cell) : -1;
      if (small >= 0) {
        low[2 * rowCount] = small;
        valid[rowCount++] = 1;
        return true;
      }
      if (isNullCell(cell, type)) {
        rowCount++;
        nullCount++;
        return true;
      }
      const value = parse(cell);
      if (Number.isNaN(value)) return false;
      if (typeof value === 'bigint' && !unsigned && value > INT64_MAX) return false;
      if (unsigned && value < 0) return false;
      values[rowCount] = BigInt(value);
      valid[rowCount++] = 1;
      return true;
    },
    take() {
      const column: Column = {
        type: 'integer',
        rowCount,
        values: values.subarray(0, rowCount),
        valid: nullCount > 0 ? valid.subarray(0, rowCount) : undefined,
        unsigned: unsigned || undefined,
        meaning,
      };
      values = new BigInt64Array(capacity);
      low = new Int32Array(values.buffer);
      valid = new Uint8Array(capacity);
      rowCount = nullCount = 0;
      return column;
    },
  };
}

function numberBuilder(capacity: number): CellBuilder {
  let values = new Float64Array(capacity);
  let valid = new Uint8Array(capacity);
  let rowCount = 0;
  let nullCount = 0;
  return {
    add(cell) {
      if (isNullCell(cell, 'number')) {
        rowCount++;
        nullCount++;
        return true;
      }
      const value = parseNumber(cell);
      if (value === undefined) return false;
      values[rowCount] = value;
      valid[rowCount++] = 1;
      return true;
    },
    take() {
      const column: Column = {
        type: 'number',
        rowCount,
        values: values.subarray(0, rowCount),
        valid: nullCount > 0 ? valid.subarray(0, rowCount) : undefined,
      };
      values = new Float64Array(capacity);
      valid = new Uint8Array(capacity);
      rowCount = nullCount = 0;
      return column;
    },
  };
}

function textBuilder(capacity: number): CellBuilder {
  let cells: string[] = [];
  let valid = new Uint8Array(capacity);
  let nullCount = 0;
  return {
    add(cell) {
      if (isNullCell(cell, 'text')) {
        nullCount++;
        cells.push('');
      } else {
        valid[cells.length] = 1;
        cells.push(cell);
      }
      return true;
    },
    take() {
      const rowCount = cells.length;
      const bytes = new Uint8Array(Buffer.from(cells.join(''), 'utf8'));
      const offsets = new Int32Array(rowCount + 1);
      for (let row = 0; row < rowCount; row++) offsets[row + 1] = offsets[row] + cells[row].length;
      // As many bytes as characters: all ASCII. Otherwise lengths must be told one by one.
      if (bytes.length !== offsets[rowCount]) {
        for (let row = 0; row < rowCount; row++) offsets[row + 1] = offsets[row] + Buffer.byteLength(cells[row]);
      }
      const column: Column = {
        type: 'text',
        rowCount,
        offsets,
        bytes,
        valid: nullCount > 0 ? valid.subarray(0, rowCount) : undefined,
      };
      cells = [];
      valid = new Uint8Array(capacity);
      nullCount = 0;
      return column;
    },
  };
}
