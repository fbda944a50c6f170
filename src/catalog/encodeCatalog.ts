import { UserError } from '../core/errors.ts';
import type { ColumnBatch } from '../schema/columns.ts';
import type { EncodedColumn, EncodedDense, EncodedIds, EncodedLists } from '../schema/encoded.ts';
import type { Encoder } from '../schema/encoder.ts';
import { isMade } from '../schema/fields.ts';
import type { Keys } from '../schema/keys.ts';
import { shown } from '../schema/parseSchema.ts';
import type { Field, IdField, IdsField } from '../schema/schema.ts';
import type { Catalog } from './catalog.ts';
import { catalogKeys, joinInts, joinOffsets } from './catalogKeys.ts';
import type { Creatives } from './creatives.ts';

/** A catalog's fields as one model takes them, a row an ad or a creative each; made once per model and catalog. */
export interface EncodedCatalog {
  /** The fields it has a value of for every ad, or for every creative. */
  readonly names: ReadonlySet<string>;
  /** [adCount] rows each, or [creatives] of the fields of creatives. */
  readonly encoded: ReadonlyMap<string, EncodedColumn>;
  /** All ads' fields of kind `id` again, side by side; and those of creatives. */
  readonly packed: PackedIds;
  readonly packedCreatives?: PackedIds;
  /** Raw keys of the fields that crosses are made of, which a request may join with its own, and of those that history asks for. */
  readonly keys: ReadonlyMap<string, Keys>;
}

/** A row's ids next to each other, [ads or creatives, fields]: candidates are anywhere, and one read from memory brings all of an ad's. */
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

/** Names of the fields that a table of creatives gives where there is one: those of the creative alone, and crosses of nothing but such fields. */
export function creativeFields(fields: readonly Field[]): ReadonlySet<string> {
  const own = new Set(fields.flatMap((field) => (!isMade(field) && field.scope === 'creative' ? [field.name] : [])));
  for (const field of fields) if (isMade(field) && field.of.every((part) => own.has(part))) own.add(field.name);
  return own;
}

export interface CatalogOptions {
  /** How messages name the catalog. */
  readonly source?: string;
  /** Fields that history looks up by, which a catalog may lack. */
  readonly keyFields?: readonly Field[];
  readonly creatives?: Creatives;
}

/**
 * Encodes a catalog for a model. Fields of creatives are those of the table of creatives, where there is one; else of the ads'.
 *
 * @param fields the model's fields, and the parts of its crosses; those that are not the catalog's are passed over
 * @throws UserError if a table lacks a field's column, or has it in another type than in training
 */
export function encodeCatalog(
  catalog: Catalog,
  encoder: Encoder,
  fields: readonly Field[],
  { source = 'catalog', keyFields = [], creatives }: CatalogOptions = {},
): EncodedCatalog {
  const ofCreatives = creatives === undefined ? new Set<string>() : creativeFields(encoder.schema.fields);
  // What is made of both tables' fields is made where it is asked for.
  const isOneTables = (field: Field) =>
    !isMade(field) || ofCreatives.has(field.name) || !field.of.some((part) => ofCreatives.has(part));
  const own = catalogFields(fields).filter(isOneTables);
  const parts = new Set(fields.flatMap((field) => (field.kind === 'cross' ? field.of : [])));
  const keyed = new Map(catalogFields(keyFields).map((field) => [field.name, field as IdField | IdsField]));
  for (const field of own) if (parts.has(field.name)) keyed.set(field.name, field as IdField | IdsField);
  const needsOf = (isCreatives: boolean) => ({
    own: own.filter(({ name }) => ofCreatives.has(name) === isCreatives),
    keyed: [...keyed.values()].filter(({ name }) => ofCreatives.has(name) === isCreatives),
  });
  const ads = encodeTable(catalog.batches, catalog.adCount, encoder, needsOf(false), () => source);
  if (creatives === undefined) return ads;
  const nameOf = (batch: number) =>
    batch < creatives.tableBatches ? 'creatives' : lackingCreatives(catalog, creatives);
  const theirs = encodeTable(creatives.batches, creatives.count, encoder, needsOf(true), nameOf);
  const encoded = new Map([...ads.encoded, ...theirs.encoded]);
  return {
    names: new Set(encoded.keys()),
    encoded,
    packed: ads.packed,
    packedCreatives: theirs.packed,
    keys: new Map([...ads.keys, ...theirs.keys]),
  };
}

/** What to encode of one table. */
interface TableNeeds {
  readonly own: readonly Field[];
  readonly keyed: readonly (IdField | IdsField)[];
}

function encodeTable(
  batches: readonly ColumnBatch[],
  rowCount: number,
  encoder: Encoder,
  { own, keyed }: TableNeeds,
  nameOf: (batch: number) => string,
): EncodedCatalog {
  const encoded = batches.map((batch, i) =>
    named(nameOf(i), () => {
      const columns = encoder.encode(batch, own).fields;
      return own.map((field) => columns.get(field.name) as EncodedColumn);
    }),
  );
  const keys = named(nameOf(0), () => catalogKeys(batches, rowCount, keyed, encoder.fitted));
  const joined = new Map(own.map(({ name }, i) => [name, joinEncoded(encoded.map((batch) => batch[i]))]));
  return { names: new Set(joined.keys()), encoded: joined, packed: packIds(joined, rowCount), keys };
}

function named<T>(source: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof UserError) throw new UserError(`${source}: ${error.message}`, error.kind);
    throw error;
  }
}

/** How messages name the rows of ads without creatives. */
function lackingCreatives(catalog: Catalog, { ads, namedCount, count }: Creatives): string {
  const more = count - namedCount - 1;
  const others = more === 0 ? 'has' : `and ${more} more have`;
  return `creatives: ad ${shown(catalog.valueOf('adId', ads[namedCount]))} ${others} none, and the catalog is not enough (add creatives, or their columns to the catalog)`;
}

function packIds(columns: ReadonlyMap<string, EncodedColumn>, rowCount: number): PackedIds {
  const lists = [...columns].flatMap(([name, column]) => (column.kind === 'id' ? [{ name, ids: column.ids }] : []));
  const packed = new Int32Array(rowCount * lists.length);
  lists.forEach(({ ids }, f) => {
    for (let row = 0, to = f; row < rowCount; row++, to += lists.length) packed[to] = ids[row];
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
