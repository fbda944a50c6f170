import { assert } from '../core/errors.ts';
import { embeddingSize, tableOf } from './fields.ts';
import type {
  CounterField,
  Field,
  HistoryField,
  IdField,
  IdsField,
  Schema,
  SequenceField,
  VectorField,
} from './schema.ts';
import { joinAll, joinScopes, type Scope } from './scopes.ts';

/*
 * What history computes reaches models as plain fields, which read columns that history makes: of a counter one vector, of a sequence
 * one list a carried column, of its actions, and of the time since each event, all of one length, latest first. A table that has these
 * columns already, as `limelight backfill` writes them, needs no replay.
 */

/** Time since an event in halves of a power of two of seconds: floor(2·log2(1 + s)); 30 days fall into 42. */
export const gapBuckets = 48;

/** The scope of what is known of these keys: of an ad alone it is a candidate's, since it changes with the clock as well. */
export function scopeOfKeys(keys: readonly IdField[]): Scope {
  return joinScopes('request', joinAll(keys.map((field) => field.scope)));
}

/** How many numbers a counter is: its values over its windows. */
export function counterWidth(field: CounterField): number {
  return (field.over?.length ?? 1) * field.values.length;
}

/** @param byName the schema's plain fields; those that the history field names are there and of kind id */
export function derivedFields(field: HistoryField, byName: ReadonlyMap<string, Field>): Field[] {
  return field.kind === 'counter' ? [vectorOf(field, byName)] : listsOf(field, byName);
}

function vectorOf(field: CounterField, byName: ReadonlyMap<string, Field>): VectorField {
  const { name, by, clip } = field;
  const same = field.values.flatMap((value) => (typeof value === 'object' && 'same' in value ? [value.same] : []));
  const priors = field.values.flatMap((value) =>
    typeof value === 'object' && 'prior' in value ? (value.prior?.by ?? []) : [],
  );
  const scope = scopeOfKeys([...by, ...same, ...priors].map((key) => idField(key, byName)));
  return { kind: 'vector', name, scope, length: counterWidth(field), standardise: true, ...(clip && { clip }) };
}

function listsOf(field: SequenceField, byName: ReadonlyMap<string, Field>): IdsField[] {
  const { name, by, length, items, actions = [], actionSize = 8, gapSize = 8 } = field;
  const scope = scopeOfKeys([idField(by, byName)]);
  const common = { kind: 'ids', scope, pooling: 'none', maxItems: length } as const;
  const lists: IdsField[] = items.map((item) => {
    const { minCount, buckets, identity } = idField(item, byName);
    const shared = { table: tableOf(idField(item, byName)), size: embeddingSize(idField(item, byName)) };
    return {
      ...common,
      name: `${name}.${item}`,
      ...shared,
      ...(minCount && { minCount }),
      ...(buckets && { buckets }),
      ...(identity && { identity }),
    };
  });
  if (actions.length > 0)
    lists.push({ ...common, name: `${name}.action`, size: actionSize, identity: 2 ** actions.length });
  if (gapSize > 0) lists.push({ ...common, name: `${name}.gap`, size: gapSize, identity: gapBuckets });
  return lists;
}

function idField(name: string, byName: ReadonlyMap<string, Field>): IdField {
  const field = byName.get(name);
  assert(field?.kind === 'id', `history names '${name}'`);
  return field;
}

/** A field's columns that history makes; none of a plain field. */
export function historyColumns({ historyFields = [], fields }: Schema): ReadonlySet<string> {
  const byName = new Map(fields.map((field) => [field.name, field]));
  return new Set(historyFields.flatMap((field) => derivedFields(field, byName).map(({ name }) => name)));
}

/** A schema as its file has it. */
export function schemaFile(schema: Schema): object {
  const { fields, historyFields = [], ...rest } = schema;
  const derived = historyColumns(schema);
  return { ...rest, fields: [...fields.filter(({ name }) => !derived.has(name)), ...historyFields] };
}

const unitsMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `90s`, `4h`, `1d` as milliseconds. */
export function durationMs(text: string): number {
  const [, count, unit] = /^([1-9][0-9]*)(ms|s|m|h|d)$/.exec(text) ?? [];
  assert(unit !== undefined, `duration '${text}'`);
  return Number(count) * unitsMs[unit as keyof typeof unitsMs];
}
