import { counterNames } from '../schema/counterNames.ts';
import type { HistoryField, Schema } from '../schema/schema.ts';

/** What a model knows of the past: its sequences, and each number of its counters by name. */
export function describeHistory({ historyFields = [] }: Schema) {
  return historyFields.map((field) => ({
    name: field.name,
    kind: field.kind,
    by: keysOf(field),
    holds: holdsOf(field),
  }));
}

function keysOf({ by }: HistoryField): string {
  const keys = typeof by === 'string' ? [by] : by;
  return keys.length === 0 ? 'all' : keys.join(' × ');
}

function holdsOf(field: HistoryField): string[] {
  if (field.kind === 'counter') return counterNames(field).map((name) => name.slice(field.name.length + 1));
  const { length, items, where, without, actions = [] } = field;
  return [
    `the last ${length}`,
    ...(where === undefined ? [] : [`with ${where}`]),
    ...(without === undefined ? [] : [`without ${without}`]),
    ...items,
    ...actions.map((action) => `whether ${action}`),
  ];
}
