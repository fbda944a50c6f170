import { listOf, UserError } from '../core/errors.ts';
import type { HistoryPlan } from '../history/historyPlan.ts';
import { columnOf } from '../schema/fields.ts';
import type { ColumnType } from '../schema/fitted.ts';
import { columnFromJson } from '../schema/jsonColumns.ts';
import { type Keys, keysOf } from '../schema/keys.ts';
import type { IdField, Schema } from '../schema/schema.ts';

/** A key as `--key user=42` gives it. */
export interface GivenKey {
  readonly field: IdField;
  /** One row. */
  readonly keys: Keys;
  /** As it was given. */
  readonly text: string;
}

/** An id of 64 bits in decimal. */
const decimal = /^-?\d{1,20}$/;

/**
 * Reads `NAME=VALUE`. The name is a field's, its column's, or `user`, the schema's. A value of digits is a whole number unless the
 * column is known to be of text; in quotes it is a text.
 *
 * @throws UserError for a name that is no key of the history
 */
export function readKey(
  given: string,
  schema: Schema,
  plan: HistoryPlan,
  columnTypes?: ReadonlyMap<string, ColumnType>,
): GivenKey {
  const [, name, text] = /^([^=]+)=(.+)$/s.exec(given) ?? [];
  if (name === undefined) throw new UserError(`--key '${given}': expected NAME=VALUE, such as user=42`);
  const field = plan.keyFields.find(
    (key) => key.name === name || columnOf(key) === name || (name === 'user' && columnOf(key) === schema.user),
  );
  if (field === undefined) {
    const known = listOf(
      plan.keyFields.map((key) => key.name),
      40,
    );
    throw new UserError(`--key '${given}': history has no key '${name}'; it has ${known}`, 'missing');
  }
  const quoted = /^"(.*)"$/s.exec(text)?.[1];
  const guessed: ColumnType = quoted === undefined && decimal.test(text) ? 'integer' : 'text';
  const known = columnTypes?.get(columnOf(field));
  const type = known === undefined ? guessed : known === 'text' ? 'text' : 'integer';
  const keys = keysOf(columnFromJson([quoted ?? text], type, `--key '${given}'`), `--key '${given}'`);
  return { field, keys, text: given };
}
