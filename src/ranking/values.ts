import type { Column } from '../schema/columns.ts';
import type { ColumnType } from '../schema/fitted.ts';
import { columnFromJson } from '../schema/jsonColumns.ts';
import type { Field } from '../schema/schema.ts';

/**
 * What a request may send for a field, given the type its column had in training: numbers that happened to be whole there need not
 * be whole now, ids do.
 */
export function requestType(field: Field, trained: ColumnType): ColumnType {
  if (field.kind === 'number' && trained === 'integer') return 'number';
  if (field.kind === 'vector' && trained === 'list of integer') return 'list of number';
  return trained;
}

/** JSON values as a column; whole numbers of 32 bits, the common case, without a BigInt each. */
export function columnOfValues(values: readonly unknown[], type: ColumnType, where: string): Column {
  const small = type === 'integer' || type === 'number' ? smallIntegers(values) : undefined;
  return small ?? columnFromJson(values, type, where);
}

/** An integer column, where all values are whole numbers of 32 bits, Booleans or null. */
function smallIntegers(given: readonly unknown[]): Column | undefined {
  const rowCount = given.length;
  const values = new Int32Array(rowCount);
  let valid: Uint8Array | undefined;
  for (let row = 0; row < rowCount; row++) {
    const value = given[row];
    if (typeof value === 'number') {
      if ((value | 0) !== value) return undefined;
      values[row] = value;
    } else if (value === null) {
      valid ??= new Uint8Array(rowCount).fill(1);
      valid[row] = 0;
    } else if (typeof value === 'boolean') values[row] = value ? 1 : 0;
    else return undefined;
  }
  return { type: 'integer', rowCount, values, valid };
}
