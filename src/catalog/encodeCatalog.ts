import { UserError } from '../core/errors.ts';
import type { EncodedColumn, EncodedDense, EncodedIds, EncodedLists } from '../schema/encoded.ts';
import type { Encoder } from '../schema/encoder.ts';
import { BatchReader } from '../schema/fieldKeys.ts';
import type { Keys } from '../schema/keys.ts';
import type { CrossField, Field, IdField, IdsField } from '../schema/schema.ts';
import type { Catalog } from './catalog.ts';

/** A catalog's fields as one model takes them, [adCount] rows each; made once per model and catalog. */
export interface EncodedCatalog {
  /** The fields it has a value of for every ad. */
  readonly names: ReadonlySet<string>;
  readonly encoded: ReadonlyMap<string, EncodedColumn>;
  /** All of kind `id` again, side by side. */
  readonly packed: PackedIds;
  /** Raw keys of the fields that crosses are made of, which a request may join with its own. */
  readonly keys: ReadonlyMap<string, Keys>;
}

/** An ad's ids next to each other, [ads, fields]: candidates are anywhere, and one read from memory brings all of an ad's. */
export interface PackedIds {
  readonly fields: readonly string[];
  readonly ids: Int32Array;
}

/**
 * The fields whose value is the catalog's to give: those of the ad or creative alone, and the crosses of nothing but such fields.
 * A field with a serving value is the same for all ads and needs no column.
 */
export function catalogFields(fields: readonly Field[]): Field[] {
  const isAds = (field: Field) =>
    field.kind !== 'cross' && field.servingValue === undefined && (field.scope === 'ad' || field.scope === 'creative');
  const own = new Set(fields.filter(isAds).map((field) => field.name));
  return fields.filter((field) =>
    field.kind === 'cross' ? field.of.every((part) => own.has(part)) : own.has(field.name),
  );
}

/**
 * Encodes a catalog for a model.
 *
 * @param fields the model's fields, and the parts of its crosses; those that are not the catalog's are passed over
 * @throws UserError if the catalog lacks a field's column, or has it in another type than in training
 */
export function encodeCatalog(
  catalog: Catalog,
  encoder: Encoder,
  fields: readonly Field[],
  source = 'catalog',
): EncodedCatalog {
  const own = catalogFields(fields);
  const parts = new Set(fields.flatMap((field) => (field.kind === 'cross' ? field.of : [])));
  const byName = new Map(encoder.schema.fields.map((field) => [field.name, field]));
  const keyed = own.filter((field): field is IdField | IdsField => field.kind !== 'cross' && parts.has(field.name));
  const encoded: (readonly EncodedColumn[])[] = [];
  const keys: (readonly Keys[])[] = [];
  try {
    for (const batch of catalog.batches) {
      const columns = encoder.encode(batch, own).fields;
      encoded.push(own.map((field) => columns.get(field.name) as EncodedColumn));
      const reader = new BatchReader(batch, byName as ReadonlyMap<string, Field | CrossField>);
      keys.push(keyed.map((field) => reader.keysOf(field)));
    }
  } catch (error) {
    if (error instanceof UserError) throw new UserError(`${source}: ${error.message}`, error.kind);
    throw error;
  }
  const { adCount } = catalog;
  const joined = new Map(own.map(({ name }, i) => [name, joinEncoded(encoded.map((batch) => batch[i]))]));
  return {
    names: new Set(joined.keys()),
    encoded: joined,
    packed: packIds(joined, adCount),
    keys: new Map(
      keyed.map(({ name }, i) => [
        name,
        joinKeys(
          keys.map((batch) => batch[i]),
          adCount,
        ),
      ]),
    ),
  };
}

function packIds(columns: ReadonlyMap<string, EncodedColumn>, adCount: number): PackedIds {
  const lists = [...columns].flatMap(([name, column]) => (column.kind === 'id' ? [{ name, ids: column.ids }] : []));
  const packed = new Int32Array(adCount * lists.length);
  lists.forEach(({ ids }, f) => {
    for (let ad = 0, to = f; ad < adCount; ad++, to += lists.length) packed[to] = ids[ad];
  });
  return { fields: lists.map(({ name }) => name), ids: packed };
}

function joinEncoded(parts: readonly EncodedColumn[]): EncodedColumn {
  const [first] = parts;
  if (parts.length === 1) return first;
  switch (first.kind) {
    case 'id':
      return { kind: 'id', ids: joinInts(parts.map((part) => (part as EncodedIds).ids)) };
    case 'dense': {
      const all = parts as readonly EncodedDense[];
      const values = new Float32Array(all.reduce((sum, part) => sum + part.values.length, 0));
      let at = 0;
      for (const part of all) {
        values.set(part.values, at);
        at += part.values.length;
      }
      return { ...first, values };
    }
    case 'ids': {
      const all = parts as readonly EncodedLists[];
      return { ...first, offsets: joinOffsets(all), ids: joinInts(all.map((part) => part.ids)) };
    }
  }
}

function joinKeys(parts: readonly Keys[], rowCount: number): Keys {
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

function joinInts(parts: readonly Int32Array[]): Int32Array {
  const joined = new Int32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** The offsets of lists put behind each other; each part's begin at 0. */
function joinOffsets(parts: readonly { readonly offsets: Int32Array }[]): Int32Array {
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
