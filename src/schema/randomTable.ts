import type { Random } from '../core/random.ts';
import type { Column, ColumnBatch } from './columns.ts';
import { columnOf, isMade, isSequence } from './fields.ts';
import { columnFromJson } from './jsonColumns.ts';
import type { Field } from './schema.ts';
import { takeRows } from './selectRows.ts';

/*
 * Random fields and tables as Parquet may hold them, for tests: ids as 32- and 64-bit integers, floats, Booleans and
 * texts with and without a dictionary; ids beyond 2^53, negative ones, nulls, empty lists and texts, unicode.
 */

const storages = ['int32', 'int64', 'float', 'boolean', 'text', 'dictionary'] as const;
type Storage = (typeof storages)[number];

export interface RandomFields {
  readonly fields: readonly Field[];
  /** How each column is stored, by its name. */
  readonly storages: ReadonlyMap<string, Storage>;
}

const pick = <T>(random: Random, from: readonly T[]): T => from[random.below(from.length)];
const maybe = <T>(random: Random, value: T): T | undefined => (random.next() < 0.5 ? value : undefined);

/** Fields of every kind, some sharing a table, and crosses and matches of them. */
export function randomFields(random: Random): RandomFields {
  const fields: Field[] = [];
  const stored = new Map<string, Storage>();
  const scope = () => pick(random, ['request', 'ad', 'creative', 'candidate', 'variant'] as const);
  const plain = 1 + random.below(6);
  for (let i = 0; i < plain; i++) {
    const common = { name: `f${i}`, scope: scope(), column: maybe(random, `column ${i}`) };
    const name = common.column ?? common.name;
    const kind = pick(random, ['id', 'id', 'ids', 'number', 'vector'] as const);
    const storage = pick(random, storages);
    stored.set(name, storage);
    const isText = storage === 'text' || storage === 'dictionary';
    const rows = random.next();
    const embedded =
      rows < 0.3
        ? { buckets: 1 + random.below(9) }
        : rows < 0.5 && !isText
          ? { identity: 1 + random.below(8) }
          : { minCount: 1 + random.below(3) };
    if (kind === 'id') fields.push({ ...common, kind, ...embedded });
    else if (kind === 'ids') {
      const pooling = pick(random, ['mean', 'sum', 'none', undefined] as const);
      fields.push({ ...common, kind, ...embedded, pooling, maxItems: maybe(random, 1 + random.below(3)) });
    } else if (kind === 'number') {
      const more = random.next() < 0.5 ? { quantiles: 2 + random.below(5) } : { clip: maybe(random, 0.5) };
      const transform = pick(random, ['log1p', 'none', undefined] as const);
      fields.push({ ...common, kind, transform, ...more, invalid: 'missing' });
    } else {
      const standardised = random.next() < 0.5 ? { standardise: true, clip: maybe(random, 1.5) } : {};
      fields.push({ ...common, kind, length: 1 + random.below(3), ...standardised, invalid: 'missing' });
    }
  }
  const listed = fields.filter((field) => field.kind === 'id' || field.kind === 'ids');
  const crossable = listed.filter((field) => !isSequence(field));
  const shared = listed.find((field) => field.buckets === undefined);
  if (shared !== undefined && random.next() < 0.5) {
    stored.set('twin', stored.get(columnOf(shared)) as Storage);
    const { minCount, identity } = shared;
    fields.push({ name: 'twin', kind: 'id', scope: scope(), table: shared.name, minCount, identity });
    fields.push({
      name: 'match',
      kind: 'match',
      of: random.next() < 0.5 ? [shared.name, 'twin'] : ['twin', shared.name],
    });
  }
  for (let i = 0; crossable.length > 1 && i < 2; i++) {
    const of = [...new Set([pick(random, crossable).name, pick(random, crossable).name, pick(random, crossable).name])];
    if (of.length > 1) fields.push({ name: `cross${i}`, kind: 'cross', of, buckets: maybe(random, 7) });
  }
  return { fields, storages: stored };
}

/** A column for each field; small pools of values, so that they repeat. */
export function randomTable({ fields, storages: stored }: RandomFields, rowCount: number, random: Random): ColumnBatch {
  const columns = new Map<string, Column>();
  for (const field of fields) {
    if (isMade(field)) continue;
    const name = columnOf(field);
    const storage = stored.get(name) as Storage;
    const rows = Array.from({ length: rowCount }, () => random.next() < 0.1);
    const values = (item: () => unknown) => rows.map((missing) => (missing ? null : item()));
    const listed = (length: () => number, item: () => unknown) => values(() => Array.from({ length: length() }, item));
    if (field.kind === 'id')
      columns.set(
        name,
        asStored(
          values(() => idValue(storage, random)),
          storage,
        ),
      );
    else if (field.kind === 'ids') {
      const type = storage === 'text' || storage === 'dictionary' ? 'text' : storage === 'float' ? 'number' : 'integer';
      const item = () => (random.next() < 0.1 ? null : idValue(storage, random));
      columns.set(
        name,
        columnFromJson(
          listed(() => random.below(5), item),
          `list of ${type}`,
          name,
        ),
      );
    } else if (field.kind === 'number')
      columns.set(name, numbersAs(storage, values(() => numberValue(random)) as never));
    else
      columns.set(
        name,
        columnFromJson(
          listed(
            () => field.length,
            () => random.normal(),
          ),
          'list of number',
          name,
        ),
      );
  }
  return { rowCount, columns };
}

const wideIds = ['9007199254740993', '-9007199254740993', '9223372036854775807', '-9223372036854775808'];
const texts = ['', 'a', 'ad', '\ufeffmark', 'Überraschung', '🎉', '日本', ' a', '\u0000'];

function idValue(storage: Storage, random: Random): unknown {
  if (storage === 'text' || storage === 'dictionary') return pick(random, texts);
  if (storage === 'boolean') return random.next() < 0.5;
  if (storage === 'int64' && random.next() < 0.4) return pick(random, wideIds);
  return random.below(12) - 4;
}

function numberValue(random: Random): number {
  return pick(random, [0, -0, -3, 7, 1e9, 0.1, random.normal() * 100]);
}

function asStored(values: unknown[], storage: Storage): Column {
  if (storage === 'text') return columnFromJson(values, 'text', '');
  if (storage === 'dictionary') {
    const distinct = [...new Set(values)];
    const rows = Int32Array.from(values, (value) => distinct.indexOf(value));
    return takeRows(columnFromJson(distinct, 'text', ''), rows);
  }
  const column = columnFromJson(values, 'integer', '');
  if (column.type !== 'integer' || storage === 'int64') return column;
  const { rowCount, valid } = column;
  if (storage === 'float') {
    // pandas writes a missing id as NaN.
    const floats = Float64Array.from(values, (value) => (value === null ? Number.NaN : Number(value)));
    return { type: 'number', rowCount, values: floats };
  }
  const meaning = storage === 'boolean' ? 'boolean' : undefined;
  return { type: 'integer', rowCount, valid, values: Int32Array.from(values, Number), meaning };
}

function numbersAs(storage: Storage, values: readonly (number | null)[]): Column {
  if (storage === 'int32' || storage === 'int64') {
    const whole = values.map((value) => (value === null ? null : Math.trunc(value)));
    return asStored(
      whole.map((value) => (Object.is(value, -0) ? 0 : value)),
      'int64',
    );
  }
  const column = columnFromJson(values, 'number', '');
  if (column.type !== 'number' || storage !== 'float') return column;
  return { ...column, values: Float32Array.from(column.values) };
}
