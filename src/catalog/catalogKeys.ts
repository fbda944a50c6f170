import { UserError } from '../core/errors.ts';
import type { ColumnBatch } from '../schema/columns.ts';
import { BatchReader } from '../schema/fieldKeys.ts';
import { columnOf } from '../schema/fields.ts';
import { columnTypeOf, type Fitted } from '../schema/fitted.ts';
import type { Keys } from '../schema/keys.ts';
import type { IdField, IdsField } from '../schema/schema.ts';

/**
 * Raw keys of a table's fields, [rowCount] each; of those alone whose column it has, in some batch at least.
 *
 * @throws UserError if a column is of another type than in training: its keys would be of other things
 */
export function catalogKeys(
  batches: readonly ColumnBatch[],
  rowCount: number,
  fields: readonly (IdField | IdsField)[],
  { columnTypes }: Fitted,
): ReadonlyMap<string, Keys> {
  const own = fields.filter((field) => batches.some(({ columns }) => columns.has(columnOf(field))));
  const byName = new Map(fields.map((field) => [field.name, field]));
  const parts = batches.map((batch) => {
    const reader = new BatchReader(batch, byName);
    return own.map((field) => {
      if (!batch.columns.has(columnOf(field))) return noKeys(field, batch.rowCount);
      checkType(field, batch, columnTypes);
      return reader.keysOf(field);
    });
  });
  return new Map(
    own.map(({ name }, i) => [
      name,
      joinParts(
        parts.map((part) => part[i]),
        rowCount,
      ),
    ]),
  );
}

/** Of rows that have no such column: ads without creatives, say. */
function noKeys({ kind }: IdField | IdsField, rowCount: number): Keys {
  return kind === 'ids'
    ? { rowCount, words: new Int32Array(0), offsets: new Int32Array(rowCount + 1) }
    : { rowCount, words: new Int32Array(2 * rowCount), valid: new Uint8Array(rowCount) };
}

/** Floats may hold ids, text is of other keys than numbers. */
function checkType(field: IdField | IdsField, { columns }: ColumnBatch, trained: Fitted['columnTypes']): void {
  const column = columns.get(columnOf(field));
  const expected = trained.get(columnOf(field));
  if (column === undefined || expected === undefined) return;
  const got = columnTypeOf(column);
  if (got.endsWith('text') === expected.endsWith('text')) return;
  throw new UserError(
    `field '${field.name}': column '${columnOf(field)}' was ${expected} in training but is ${got} here; write it with the same type`,
  );
}

function joinParts(parts: readonly Keys[], rowCount: number): Keys {
  if (parts.length === 1) return parts[0];
  if (parts[0].offsets !== undefined) {
    const lists = parts.map(({ words, offsets }) => {
      // A slice of a larger table starts anywhere in its words.
      const all = offsets as Int32Array;
      return { offsets: all.map((at) => at - all[0]), words: words.subarray(2 * all[0], 2 * all[all.length - 1]) };
    });
    return { rowCount, words: joinInts(lists.map((part) => part.words)), offsets: joinOffsets(lists) };
  }
  const words = joinInts(parts.map((part) => part.words));
  if (parts.every((part) => part.valid === undefined)) return { rowCount, words };
  const valid = new Uint8Array(rowCount).fill(1);
  let at = 0;
  for (const part of parts) {
    if (part.valid !== undefined) valid.set(part.valid, at);
    at += part.rowCount;
  }
  return { rowCount, words, valid };
}

export function joinInts(parts: readonly Int32Array[]): Int32Array {
  const joined = new Int32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** The offsets of lists put behind each other; each part's begin at 0. */
export function joinOffsets(parts: readonly { readonly offsets: Int32Array }[]): Int32Array {
  const joined = new Int32Array(1 + parts.reduce((sum, { offsets }) => sum + offsets.length - 1, 0));
  let at = 0;
  let items = 0;
  for (const { offsets } of parts) {
    for (let row = 0; row < offsets.length; row++) joined[at + row] = items + offsets[row];
    at += offsets.length - 1;
    items += offsets[offsets.length - 1];
  }
  return joined;
}
