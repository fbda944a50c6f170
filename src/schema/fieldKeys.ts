import { UserError } from '../core/errors.ts';
import type { Column, ColumnBatch } from './columns.ts';
import { columnOf, isSequence } from './fields.ts';
import { crossKeys, describeField, type Keys, keysOf } from './keys.ts';
import type { CrossField, Field, IdField, IdsField } from './schema.ts';

/** Gives the columns of a batch, and the keys of its fields, each computed once. */
export class BatchReader {
  private readonly keys = new Map<string, Keys>();
  private readonly batch: ColumnBatch;
  private readonly byName: ReadonlyMap<string, Field>;

  constructor(batch: ColumnBatch, byName: ReadonlyMap<string, Field>) {
    this.batch = batch;
    this.byName = byName;
  }

  get rowCount(): number {
    return this.batch.rowCount;
  }

  /** @throws UserError if the table has no such column */
  column(name: string, wantedBy: string): Column {
    const column = this.batch.columns.get(name);
    if (column === undefined) {
      const has = [...this.batch.columns.keys()].join(', ');
      throw new UserError(
        `${wantedBy} needs column '${name}', which the data lacks; it has ${has || 'none'}`,
        'missing',
      );
    }
    return column;
  }

  /** The raw keys of a field of kind id, ids or cross. */
  keysOf(field: IdField | IdsField | CrossField): Keys {
    let keys = this.keys.get(field.name);
    if (keys === undefined) {
      keys = field.kind === 'cross' ? this.keysOfCross(field) : this.keysOfColumn(field);
      this.keys.set(field.name, keys);
    }
    return keys;
  }

  private keysOfCross(field: CrossField): Keys {
    return crossKeys(field.of.map((part) => this.keysOf(this.byName.get(part) as IdField | IdsField)));
  }

  private keysOfColumn(field: IdField | IdsField): Keys {
    const name = columnOf(field);
    const column = this.column(name, `field '${field.name}'`);
    const what = describeField(field.name, name, column);
    if (field.kind === 'id' && column.type === 'list') {
      throw new UserError(`${what}: kind 'id' has one value a row; use kind 'ids' for a list, or another column`);
    }
    if (field.kind === 'ids' && column.type !== 'list') {
      throw new UserError(`${what}: kind 'ids' needs a list column; use kind 'id' for one value a row`);
    }
    const { type } = column.type === 'list' ? column.items : column;
    if (field.identity !== undefined && type === 'text')
      throw new UserError(`${what}: identity needs whole numbers; remove "identity" to keep a vocabulary`);
    return keysOf(column, what, isSequence(field));
  }
}
