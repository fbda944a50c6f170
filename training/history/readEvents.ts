import { listOf, UserError } from '../../src/core/errors.ts';
import type { EventRows } from '../../src/history/history.ts';
import type { HistoryPlan, HistoryValue } from '../../src/history/historyPlan.ts';
import type { ColumnBatch } from '../../src/schema/columns.ts';
import { BatchReader } from '../../src/schema/fieldKeys.ts';
import { columnOf } from '../../src/schema/fields.ts';
import { placed, RowError } from '../../src/schema/rowError.ts';
import type { IdField, Schema } from '../../src/schema/schema.ts';
import type { Table } from '../../src/tables/parquetReader.ts';
import { checkColumns } from '../dataset/prepare.ts';
import { numbersOrNaN, timesOf } from '../dataset/rowColumns.ts';
import type { Reporter } from '../reporter.ts';

/**
 * What history needs of all of a table's rows, in the table's order: some 8 bytes a row for the time, each key and each value. Every
 * row is an impression that carries its outcome; values of columns that the table lacks are not known.
 *
 * @throws UserError if the schema names no time, or a column is missing or of another type
 */
export async function readEvents(
  table: Table,
  schema: Schema,
  plan: HistoryPlan,
  reporter: Reporter,
): Promise<EventRows> {
  const { time } = schema;
  if (time === undefined)
    throw new UserError(
      `schema '${schema.name}' has sequences or counters, which need to know when each impression was: add "time"`,
    );
  const needed = { ...schema, fields: plan.keyFields, labels: [], user: undefined, weight: undefined };
  checkColumns(table, needed, [], `the history of schema '${schema.name}'`);
  const has = new Set(table.columns.map(({ name }) => name));
  const values = plan.values.filter(({ column }) => has.has(column));
  warnOfUnknown(plan, has, table, reporter);
  const rows = new EventBuffers(plan, table.rowCount);
  const columns = [...new Set([time, ...plan.keyFields.map(columnOf), ...values.map(({ column }) => column)])];
  for await (const batch of table.scan({ columns })) {
    const eventMs = timesOf(batch, time);
    placed(batch, () => rows.append(batch, eventMs, plan));
    reporter.progress('history: reading', rows.filled, table.rowCount);
  }
  return rows.finish();
}

/** A table to predict for may lack what came of its rows: to counters they are impressions that nothing came of. */
function warnOfUnknown({ values }: HistoryPlan, has: ReadonlySet<string>, table: Table, reporter: Reporter): void {
  const lacking = values.filter(({ column }) => !has.has(column)).map(({ column }) => `'${column}'`);
  if (lacking.length > 0)
    reporter.warn(`${table.files[0]}: has no ${listOf(lacking)}: to the history of later rows nothing came of these`);
}

class EventBuffers {
  filled = 0;
  private readonly rowCount: number;
  private readonly eventMs: Float64Array;
  private readonly words: Int32Array[];
  private readonly valid: Uint8Array[];
  private readonly values: Float64Array[];

  constructor(plan: HistoryPlan, rowCount: number) {
    this.rowCount = rowCount;
    this.eventMs = new Float64Array(rowCount);
    this.words = plan.keyFields.map(() => new Int32Array(2 * rowCount));
    this.valid = plan.keyFields.map(() => new Uint8Array(rowCount).fill(1));
    this.values = plan.values.map(() => new Float64Array(rowCount).fill(Number.NaN));
  }

  append(batch: ColumnBatch, eventMs: Float64Array, plan: HistoryPlan): void {
    const at = this.filled;
    this.eventMs.set(eventMs, at);
    const reader = new BatchReader(batch, new Map(plan.keyFields.map((field) => [field.name, field])));
    plan.keyFields.forEach((field: IdField, i) => {
      const { words, valid } = reader.keysOf(field);
      this.words[i].set(words.subarray(0, 2 * batch.rowCount), 2 * at);
      if (valid !== undefined) this.valid[i].set(valid, at);
    });
    plan.values.forEach((value, i) => {
      if (batch.columns.has(value.column)) this.values[i].set(valuesOf(batch, value), at);
    });
    this.filled += batch.rowCount;
  }

  finish(): EventRows {
    const { rowCount, eventMs, values } = this;
    const keys = this.words.map((words, i) => {
      const valid = this.valid[i].includes(0) ? this.valid[i] : undefined;
      return { rowCount, words, valid };
    });
    return { rowCount, eventMs, keys, values };
  }
}

/** @throws RowError if a label is not 0, 1 or absent, or a number not finite */
function valuesOf(batch: ColumnBatch, { name, kind, column: columnName }: HistoryValue): Float64Array {
  const what = `${kind} '${name}' (column '${columnName}')`;
  const column = batch.columns.get(columnName);
  const values = numbersOrNaN(column as NonNullable<typeof column>, what);
  const wrong = values.findIndex((value) =>
    kind === 'label'
      ? value !== 0 && value !== 1 && !Number.isNaN(value)
      : Math.abs(value) === Number.POSITIVE_INFINITY,
  );
  if (wrong < 0) return values;
  const expected = kind === 'label' ? '0 or 1' : 'finite numbers';
  throw new RowError(`${what}: expected ${expected}, got ${values[wrong]}`, wrong, 'name another column or clean it');
}
