import type { Column, ListColumn } from '../schema/columns.ts';
import { counterWidth } from '../schema/derivedFields.ts';
import type { SequenceField } from '../schema/schema.ts';
import type { HistoryRows, SequenceRows } from './history.ts';
import type { HistoryPlan } from './historyPlan.ts';

/*
 * History as the columns that derived fields read: in training beside a table's own, in service beside a request's.
 */

/** Room for so many rows of what a plan computes. */
export function createHistoryRows(plan: HistoryPlan, rowCount: number): HistoryRows {
  return {
    rowCount,
    counters: plan.counters.map((field) => new Float32Array(rowCount * counterWidth(field))),
    sequences: plan.sequences.map(({ length, items }) => ({
      counts: new Int32Array(rowCount),
      items: items.map(() => new Int32Array(2 * rowCount * length)),
      valid: items.map(() => new Uint8Array(rowCount * length)),
      actions: new Uint8Array(rowCount * length),
      gaps: new Uint8Array(rowCount * length),
    })),
  };
}

/**
 * The first rows as columns, by name: a list of numbers a counter, and of each sequence one list a carried field (its values' 64-bit
 * keys), one of actions and one of gaps, all of one length.
 *
 * @param rowCount all of `rows` where absent
 */
export function historyTable(plan: HistoryPlan, rows: HistoryRows, rowCount = rows.rowCount): Map<string, Column> {
  const columns = new Map<string, Column>();
  plan.counters.forEach((field, c) => {
    const width = counterWidth(field);
    const values = rows.counters[c].subarray(0, rowCount * width);
    const offsets = Int32Array.from({ length: rowCount + 1 }, (_, row) => row * width);
    columns.set(field.name, {
      type: 'list',
      rowCount,
      offsets,
      items: { type: 'number', rowCount: values.length, values },
    });
  });
  plan.sequences.forEach((field, s) => {
    for (const [name, column] of sequenceColumns(field, rows.sequences[s], rowCount)) columns.set(name, column);
  });
  return columns;
}

/** The columns of one sequence, by name: of its first rows. */
function sequenceColumns(field: SequenceField, rows: SequenceRows, rowCount: number): [string, ListColumn][] {
  const { name, length, items, actions = [], gapSize = 8 } = field;
  const offsets = new Int32Array(rowCount + 1);
  for (let row = 0; row < rowCount; row++) offsets[row + 1] = offsets[row] + rows.counts[row];
  const count = offsets[rowCount];
  /** Closes the gaps after rows that have fewer events than there is room for. */
  const packed = <T extends Int32Array | Uint8Array>(from: T, to: T, width: number): T => {
    for (let row = 0; row < rowCount; row++) {
      const start = row * length * width;
      to.set(from.subarray(start, start + rows.counts[row] * width), offsets[row] * width);
    }
    return to;
  };
  const list = (values: BigInt64Array | Int32Array, valid?: Uint8Array): ListColumn => ({
    type: 'list',
    rowCount,
    offsets,
    items: { type: 'integer', rowCount: count, values, valid },
  });
  const small = (values: Uint8Array) => list(Int32Array.from(packed(values, new Uint8Array(count), 1)));
  const lists = items.map((item, i): [string, ListColumn] => {
    const words = packed(rows.items[i], new Int32Array(2 * count), 2);
    const valid = packed(rows.valid[i], new Uint8Array(count), 1);
    const keys = new BigInt64Array(words.buffer);
    return [`${name}.${item}`, list(keys, valid.includes(0) ? valid : undefined)];
  });
  if (actions.length > 0) lists.push([`${name}.action`, small(rows.actions)]);
  if (gapSize > 0) lists.push([`${name}.gap`, small(rows.gaps)]);
  return lists;
}
