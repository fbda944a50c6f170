import { UserError } from '../core/errors.ts';
import type { EncodedColumn, EncodedDense, EncodedIds, EncodedLists } from '../schema/encoded.ts';
import type { Encoder } from '../schema/encoder.ts';
import { isMade } from '../schema/fields.ts';
import type { Keys } from '../schema/keys.ts';
import type { Field, IdField, IdsField } from '../schema/schema.ts';
import type { Catalog } from './catalog.ts';
import { catalogKeys, joinInts, joinOffsets } from './catalogKeys.ts';

/** A catalog's fields as one model takes them, [adCount] rows each; made once per model and catalog. */
export interface EncodedCatalog {
  /** The fields it has a value of for every ad. */
  readonly names: ReadonlySet<string>;
  readonly encoded: ReadonlyMap<string, EncodedColumn>;
  /** All of kind `id` again, side by side. */
  readonly packed: PackedIds;
  /** Raw keys of the fields that crosses are made of, which a request may join with its own, and of those that history asks for. */
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
    !isMade(field) && field.servingValue === undefined && (field.scope === 'ad' || field.scope === 'creative');
  const own = new Set(fields.filter(isAds).map((field) => field.name));
  return fields.filter((field) => (isMade(field) ? field.of.every((part) => own.has(part)) : own.has(field.name)));
}

/**
 * Encodes a catalog for a model.
 *
 * @param fields    the model's fields, and the parts of its crosses; those that are not the catalog's are passed over
 * @param keyFields those that history looks up by, which a catalog may lack
 * @throws UserError if the catalog lacks a field's column, or has it in another type than in training
 */
export function encodeCatalog(
  catalog: Catalog,
  encoder: Encoder,
  fields: readonly Field[],
  source = 'catalog',
  keyFields: readonly Field[] = [],
): EncodedCatalog {
  const own = catalogFields(fields);
  const parts = new Set(fields.flatMap((field) => (field.kind === 'cross' ? field.of : [])));
  const keyed = new Map(catalogFields(keyFields).map((field) => [field.name, field as IdField | IdsField]));
  for (const field of own) if (parts.has(field.name)) keyed.set(field.name, field as IdField | IdsField);
  const encoded: (readonly EncodedColumn[])[] = [];
  let keys: ReadonlyMap<string, Keys>;
  try {
    for (const batch of catalog.batches) {
      const columns = encoder.encode(batch, own).fields;
      encoded.push(own.map((field) => columns.get(field.name) as EncodedColumn));
    }
    keys = catalogKeys(catalog, [...keyed.values()], encoder.fitted);
  } catch (error) {
    if (error instanceof UserError) throw new UserError(`${source}: ${error.message}`, error.kind);
    throw error;
  }
  const joined = new Map(own.map(({ name }, i) => [name, joinEncoded(encoded.map((batch) => batch[i]))]));
  return { names: new Set(joined.keys()), encoded: joined, packed: packIds(joined, catalog.adCount), keys };
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
