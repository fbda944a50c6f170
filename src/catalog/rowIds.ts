import type { KeyHalves } from '../core/hash.ts';
import type { Column } from '../schema/columns.ts';
import { columnToJson } from '../schema/jsonColumns.ts';
import { keysOf } from '../schema/keys.ts';
import { shown } from '../schema/parseSchema.ts';
import { KeyTable } from '../schema/vocabulary.ts';
import { idKeyInto } from './idKeys.ts';

/** The ids of a table's rows, no two alike. */
export class RowIds {
  private readonly thing: 'ad' | 'creative';
  private readonly source: string;
  private readonly fail: (what: string) => never;
  private readonly table = new KeyTable();
  private type: 'integer' | 'text' = 'integer';

  /** @param fail refuses the table */
  constructor(thing: 'ad' | 'creative', source: string, fail: (what: string) => never) {
    this.thing = thing;
    this.source = source;
    this.fail = fail;
  }

  /** The ids of the next rows. */
  add(column: Column): void {
    const { thing, table, fail } = this;
    if (column.type === 'list') fail(`column '${thing}Id' holds lists; expected one id a row`);
    this.type = column.type === 'text' ? 'text' : 'integer';
    const { words, valid } = keysOf(column, `${this.source}: column '${thing}Id'`);
    const first = table.size;
    for (let row = 0; row < column.rowCount; row++) {
      const at = first + row;
      if (valid !== undefined && valid[row] === 0) fail(`row ${at} has no ${thing}Id; give every ${thing} its id`);
      const earlier = table.add(words[2 * row], words[2 * row + 1]) - 1;
      if (earlier !== at) {
        const id = shown(columnToJson(column, [row])[0]);
        fail(`${thing} ${id} is in rows ${earlier} and ${at}; keep one row ${thing === 'ad' ? 'an ad' : 'a creative'}`);
      }
    }
  }

  /**
   * The row that has an id, -1 if none has.
   *
   * @returns a function that throws a UserError for an id of another type than the table's
   */
  finder(): (id: unknown) => number {
    const { thing, table, type } = this;
    const direct = type === 'integer' ? directRows(table) : undefined;
    const key: KeyHalves = { lo: 0, hi: 0 };
    return (id) => {
      if (direct !== undefined && typeof id === 'number') {
        const at = id - direct.first;
        if (at >= 0 && at < direct.rows.length && Number.isInteger(at)) return direct.rows[at] - 1;
      }
      idKeyInto(id, type, thing, key);
      return table.get(key.lo, key.hi) - 1;
    };
  }
}

/**
 * Rows by id, plus one, where ids are so near each other that a list of all between the least and the most is smaller than the hash
 * table: one read from memory an id, where the table takes two, one after the other.
 */
function directRows({ size, words }: KeyTable): { first: number; rows: Int32Array } | undefined {
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  const idAt = (row: number) => words[2 * row + 1] * 2 ** 32 + (words[2 * row] >>> 0);
  for (let row = 0; row < size; row++) {
    first = Math.min(first, idAt(row));
    last = Math.max(last, idAt(row));
  }
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(last) || last - first >= 4 * size) return undefined;
  const rows = new Int32Array(last - first + 1);
  for (let row = 0; row < size; row++) rows[idAt(row) - first] = row + 1;
  return { first, rows };
}
