import { assert, UserError } from '../core/errors.ts';
import type { Column, IntegerColumn, NumberColumn, TextColumn } from '../schema/columns.ts';
import { plainText } from './columnSlices.ts';

/**
 * Columns of one type end to end, copied. Not for lists.
 *
 * @throws UserError kind `tooLarge` where their text exceeds 2 GiB
 */
export function concatColumns(columns: readonly Column[]): Column {
  assert(columns.length > 0, 'there is a column to join');
  if (columns.length === 1) return columns[0];
  const [first] = columns;
  assert(first.type !== 'list' && columns.every((column) => column.type === first.type), 'columns of one flat type');
  const rowCount = columns.reduce((sum, column) => sum + column.rowCount, 0);
  const valid = concatValidity(columns, rowCount);
  if (first.type === 'text') return { type: 'text', rowCount, ...concatText(columns as TextColumn[], rowCount), valid };
  const numeric = columns as (IntegerColumn | NumberColumn)[];
  const values = new (numeric[0].values.constructor as new (length: number) => Float64Array)(rowCount);
  let at = 0;
  for (const column of numeric) {
    values.set(column.values as Float64Array, at);
    at += column.rowCount;
  }
  return { ...first, rowCount, values, valid } as Column;
}

function concatValidity(columns: readonly Column[], rowCount: number): Uint8Array | undefined {
  if (!columns.some((column) => column.valid)) return undefined;
  const valid = new Uint8Array(rowCount).fill(1);
  let at = 0;
  for (const column of columns) {
    if (column.valid) valid.set(column.valid, at);
    at += column.rowCount;
  }
  return valid;
}

function concatText(columns: readonly TextColumn[], rowCount: number): Pick<TextColumn, 'offsets' | 'bytes'> {
  const parts = columns.map(plainText);
  const byteCount = parts.reduce((sum, part) => sum + part.bytes.length, 0);
  if (byteCount > 0x7fffffff) throw new UserError('a text column exceeds 2 GiB; import it in parts', 'tooLarge');
  const offsets = new Int32Array(rowCount + 1);
  const bytes = new Uint8Array(byteCount);
  let row = 0;
  let at = 0;
  for (const part of parts) {
    for (let i = 1; i < part.offsets.length; i++) offsets[++row] = at + part.offsets[i];
    bytes.set(part.bytes, at);
    at += part.bytes.length;
  }
  return { offsets, bytes };
}
