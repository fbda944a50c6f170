import { UserError } from '../../src/core/errors.ts';
import type { Column, ColumnBatch, IntegerColumn } from '../../src/schema/columns.ts';
import { concatColumns } from '../../src/tables/columnConcat.ts';
import { openCsv } from '../../src/tables/csv.ts';

/** A table of one row an item, held in memory to be joined. */
export interface ItemContext {
  readonly file: string;
  /** Row by item. */
  readonly rows: ReadonlyMap<number, number>;
  /** `item_feature_0`, a number, and the others, hashes. */
  readonly features: readonly [name: string, column: Column][];
}

const TYPES = {
  item_id: 'integer',
  item_feature_0: 'number',
  item_feature_1: 'text',
  item_feature_2: 'text',
  item_feature_3: 'text',
} as const;

/** @throws UserError for a file that is missing or damaged; naming the line, for an item without an id or with another's */
export async function readItemContext(file: string): Promise<ItemContext> {
  const csv = await openCsv(file, { header: true, types: TYPES });
  const rows = new Map<number, number>();
  const batches: ColumnBatch[] = [];
  for await (const batch of csv.batches()) {
    const ids = batch.columns.get('item_id') as IntegerColumn;
    for (let row = 0; row < batch.rowCount; row++) {
      const where = `${file}: line ${batch.lines[row]}`;
      const item = Number(ids.values[row]);
      if (ids.valid?.[row] === 0 || item < 0 || item > 0x7fffffff)
        throw new UserError(`${where} has no item_id from 0; correct or drop the row`);
      if (rows.has(item)) throw new UserError(`${where} has item_id ${item} once more; keep one row of each`);
      rows.set(item, rows.size);
    }
    batches.push(batch);
  }
  const names = Object.keys(TYPES).filter((name) => name !== 'item_id');
  const whole = (name: string) => concatColumns(batches.map((batch) => batch.columns.get(name) as Column));
  return { file, rows, features: names.map((name) => [name, whole(name)]) };
}
