import type { Column } from '../schema/columns.ts';
import type { ColumnType } from '../schema/fitted.ts';
import { columnFromJson } from '../schema/jsonColumns.ts';

/** JSON values as a column; whole numbers of 32 bits, the common case, without a BigInt each. */
export function columnOfValues(values: readonly unknown[], type: ColumnType, where: string): Column {
  if (type === 'integer') {
    const ints = new Int32Array(values.length);
    let row = 0;
    for (; row < values.length; row++) {
      const value = values[row];
      if (typeof value !== 'number' || (value | 0) !== value) break;
      ints[row] = value;
    }
    if (row === values.length) return { type, rowCount: values.length, values: ints };
  }
  return columnFromJson(values, type, where);
}
