import { UserError } from '../core/errors.ts';
import type { ColumnBatch } from '../schema/columns.ts';
import type { EncodedColumn, EncodedDense, EncodedIds, EncodedLists } from '../schema/encoded.ts';
import type { Encoder } from '../schema/encoder.ts';
import { isMade } from '../schema/fields.ts';
import { ColumnBuffers, gatherEncoded, gatherKeys } from '../schema/gatherRows.ts';
import type { Keys } from '../schema/keys.ts';
import { shown } from '../schema/parseSchema.ts';
import type { Field, IdField, IdsField } from '../schema/schema.ts';
import type { Catalog } from './catalog.ts';
import { catalogKeys, joinInts, joinOffsets } from './catalogKeys.ts';
import type { Creatives } from './creatives.ts';
import { type DistinctKeys, distinctKeys } from './distinctKeys.ts';
import { type PackedRows, packRows } from './packRows.ts';

/** A catalog's fields as one model takes them, a row an ad or a creative each; made once per model and catalog. */
export interface EncodedCatalog {
  /** The fields it has a value of for every ad, or for every creative. */
  readonly names: ReadonlySet<string>;
  /** [adCount] rows each, or [creatives], by their places, of the fields of creatives. */
  readonly encoded: ReadonlyMap<string, EncodedColumn>;
  /** Ads again, for requests; and creatives. */
  readonly packed: PackedRows;
  readonly packedCreatives?: PackedRows;
  /** Raw keys of the fields that crosses are made of, which a request may join with its own, and of those that history asks for. */
  readonly keys: ReadonlyMap<string, Keys>;
  /** Of the parts of crosses that have few values: these, each once. */
  readonly distinct: ReadonlyMap<string, Keys>;
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
    parts,
  });
  const ads = encodeTable(catalog.batches, catalog.adCount, encoder, needsOf(false), () => source);
  if (creatives === undefined) return ads;
  const nameOf = (batch: number) =>
    batch < creatives.tableBatches ? 'creatives' : lackingCreatives(catalog, creatives);
  const needs = { ...needsOf(true), order: creatives.rows };
  const theirs = encodeTable(creatives.batches, creatives.count, encoder, needs, nameOf);
  const encoded = new Map([...ads.encoded, ...theirs.encoded]);
  return {
    names: new Set(encoded.keys()),
    encoded,
    packed: ads.packed,
    packedCreatives: theirs.packed,
    keys: new Map([...ads.keys, ...theirs.keys]),
    distinct: new Map([...ads.distinct, ...theirs.distinct]),
  };
}

/** What to encode of one table. */
interface TableNeeds {
  readonly own: readonly Field[];
  readonly keyed: readonly (IdField | IdsField)[];
  /** Names of the keyed that crosses are made of. */
  readonly parts: ReadonlySet<string>;
  /** The table's rows in the order that is wanted; the table's own where absent. */
  readonly order?: Int32Array;
}

function encodeTable(
  batches: readonly ColumnBatch[],
  rowCount: number,
  encoder: Encoder,
  { own, keyed, parts, order }: TableNeeds,
  nameOf: (batch: number) => string,
): EncodedCatalog {
  const inBatches = batches.map((batch, i) =>
    named(nameOf(i), () => {
      const columns = encoder.encode(batch, own).fields;
      return own.map((field) => columns.get(field.name) as EncodedColumn);
    }),
  );
  const encoded = new Map(
    own.map(({ name }, i) => {
      const column = joinEncoded(inBatches.map((batch) => batch[i]));
      return [name, order === undefined ? column : gatherEncoded(column, undefined, order, new ColumnBuffers())];
    }),
  );
  const keys = new Map(
    [...named(nameOf(0), () => catalogKeys(batches, rowCount, keyed, encoder.fitted))].map(([name, all]) => [
      name,
      order === undefined ? all : gatherKeys(all, undefined, order, new ColumnBuffers()),
    ]),
  );
  const distinct = new Map<string, DistinctKeys>();
  for (const [name, all] of keys) {
    const few = parts.has(name) ? distinctKeys(all) : undefined;
    if (few !== undefined) distinct.set(name, few);
  }
  return {
    names: new Set(encoded.keys()),
    encoded,
    packed: packRows(encoded, distinct, rowCount),
    keys,
    distinct: new Map([...distinct].map(([name, few]) => [name, few.keys])),
  };
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
