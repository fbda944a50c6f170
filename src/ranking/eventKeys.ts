import type { Catalog } from '../catalog/catalog.ts';
import { catalogKeys } from '../catalog/catalogKeys.ts';
import type { Creatives } from '../catalog/creatives.ts';
import { catalogFields } from '../catalog/encodeCatalog.ts';
import { listOf, UserError } from '../core/errors.ts';
import { columnOf } from '../schema/fields.ts';
import type { ColumnType, Fitted } from '../schema/fitted.ts';
import { type Keys, keysOf } from '../schema/keys.ts';
import { shown } from '../schema/parseSchema.ts';
import type { IdField } from '../schema/schema.ts';
import type { ServedBandit } from './creativeChoice.ts';
import { columnOfValues } from './values.ts';

/** Where events' ads and creatives are looked up. */
export interface EventTables {
  readonly catalog?: Catalog;
  readonly creatives?: Creatives;
  /** Learns from what is told of creatives. */
  readonly bandit?: Pick<ServedBandit, 'settings'>;
}

/** What an event says of history's key fields, and whose it is. */
export interface KeyedEvent {
  /** By key field; undefined where the event does not say. */
  readonly keys: readonly unknown[];
  /** Rows of the catalog and of the table of creatives, -1 where they do not have it. */
  readonly catalogRow: number;
  readonly creativeRow: number;
}

interface KeyField {
  readonly name: string;
  /** What events may call it. */
  readonly names: readonly string[];
  readonly type: ColumnType;
  readonly from: 'request' | 'ad';
  /** Whether an ad or creative alone decides it. */
  readonly ofAd: boolean;
  /** What is known of it: by row of the creatives' table, or of the catalog. */
  readonly known?: Keys;
  readonly ofCreative: boolean;
}

/** The values that history is kept by, of events as JSON. */
export class EventKeys {
  private readonly fields: readonly KeyField[];
  private readonly hasCatalog: boolean;

  constructor(fields: readonly IdField[], fitted: Fitted, { catalog, creatives }: EventTables) {
    const ofAd = catalogFields(fields) as IdField[];
    const isCreatives = ({ scope }: IdField) => creatives !== undefined && scope === 'creative';
    const ofAds = ofAd.filter((field) => !isCreatives(field));
    const ofCreatives = ofAd.filter(isCreatives);
    const known = new Map([
      ...(catalog === undefined ? [] : catalogKeys(catalog.batches, catalog.adCount, ofAds, fitted)),
      ...(creatives === undefined ? [] : catalogKeys(creatives.batches, creatives.count, ofCreatives, fitted)),
    ]);
    this.hasCatalog = catalog !== undefined;
    this.fields = fields.map((field) => ({
      name: field.name,
      names: [...new Set([field.name, columnOf(field)])],
      type: fitted.columnTypes.get(columnOf(field)) as ColumnType,
      from: field.scope === 'request' ? 'request' : 'ad',
      ofAd: ofAd.includes(field),
      known: known.get(field.name),
      ofCreative: isCreatives(field),
    }));
  }

  /** What an event gives, by key field. */
  given(request: Record<string, unknown>, ad: Record<string, unknown>): unknown[] {
    return this.fields.map(({ names, from }) => {
      const values = from === 'request' ? request : ad;
      const name = names.find((called) => Object.hasOwn(values, called));
      return name === undefined ? undefined : values[name];
    });
  }

  /**
   * An id alone says nothing of an ad that no catalog has: its events would count for nobody.
   *
   * @throws UserError naming what the event must give
   */
  checkUnknownAd(adId: unknown, keys: readonly unknown[], where: string): void {
    const lacking = this.fields.filter(({ ofAd }, k) => ofAd && keys[k] === undefined);
    if (lacking.length === 0) return;
    const names = listOf(lacking.map(({ name }) => `'${name}'`));
    const why = this.hasCatalog ? 'the catalog has no such ad' : 'there is no catalog';
    throw new UserError(
      `${where}: ad ${shown(adId)} lacks ${names}, which history is kept by, and ${why}; send these in "ad", null where there is no value, or load a catalog that has it`,
    );
  }

  /** Each key field's values: what an event says, else what the catalog has of its ad or creative, else none. */
  columns(events: readonly KeyedEvent[]): Keys[] {
    return this.fields.map((field, k) => {
      const where = `events: field '${field.name}'`;
      const given = events.map(({ keys }) => keys[k] ?? null);
      const own = keysOf(columnOfValues(given, field.type, where), where);
      const words = own.words.slice();
      const valid = own.valid?.slice() ?? new Uint8Array(events.length).fill(1);
      const { known, ofCreative } = field;
      events.forEach(({ keys, catalogRow, creativeRow }, i) => {
        const row = ofCreative ? creativeRow : catalogRow;
        if (keys[k] !== undefined || known === undefined || row < 0) return;
        words[2 * i] = known.words[2 * row];
        words[2 * i + 1] = known.words[2 * row + 1];
        valid[i] = known.valid === undefined ? 1 : known.valid[row];
      });
      return { rowCount: events.length, words, valid };
    });
  }
}
