import { derivedFields } from '../schema/derivedFields.ts';
import type { Field, HistoryField, Schema } from '../schema/schema.ts';

/** The sequences and counters of which a model takes anything, in the schema's order. */
export function takenHistory({ historyFields = [], fields }: Schema, taken: ReadonlySet<string>): HistoryField[] {
  const byName = new Map(fields.map((field) => [field.name, field as Field]));
  return historyFields.filter((field) => derivedFields(field, byName).some(({ name }) => taken.has(name)));
}

/** The fields whose values must be known to look them up: their keys, those of their priors, and what is compared with the last event's. */
export function keysReadOf(history: readonly HistoryField[]): Set<string> {
  const keys = new Set<string>();
  for (const field of history) {
    for (const key of typeof field.by === 'string' ? [field.by] : field.by) keys.add(key);
    if (field.kind === 'sequence') continue;
    for (const value of field.values) {
      if (typeof value !== 'object') continue;
      if ('same' in value) keys.add(value.same);
      if ('prior' in value) for (const key of value.prior?.by ?? []) keys.add(key);
    }
  }
  return keys;
}
