import { UserError } from '../core/errors.ts';
import type { Column, ColumnBatch } from '../schema/columns.ts';
import { columnToJson } from '../schema/jsonColumns.ts';
import { shown } from '../schema/parseSchema.ts';
import { selectRows } from '../schema/selectRows.ts';
import { batchStarts, valueAt } from './batchRows.ts';
import type { Catalog } from './catalog.ts';
import { RowIds } from './rowIds.ts';

/** The columns every table of creatives has, beside the creative fields of the schema. */
export const creativeColumns = ['creativeId', 'adId'] as const;

/**
 * The creatives of a catalog's ads; read-only. An ad of which the table has none has one all the same, without id: what the ad's own row
 * of the catalog says.
 */
export interface Creatives {
  /** Rows of the table, and those of ads without creatives after them. */
  readonly count: number;
  /** [adCount + 1]: the creatives of ad row `a` have the places `offsets[a]` to `offsets[a + 1] - 1`, at least one. */
  readonly offsets: Int32Array;
  /** [count]: by place the row: ad by ad, in the table's order. */
  readonly rows: Int32Array;
  /** [count]: by row the place. */
  readonly places: Int32Array;
  /** [count]: the ad's row in the catalog, by row. */
  readonly ads: Int32Array;
  /** How many have an id: the first rows. */
  readonly namedCount: number;
  /** The creative's row, -1 if there is none. @throws UserError if the id is not of the table's type */
  rowOf(creativeId: unknown): number;
  /** As JSON has it; null of one without. */
  idOf(row: number): unknown;
  /** All the columns they were read with, in row order: first the table's, so many, then those of ads without creatives. */
  readonly batches: readonly ColumnBatch[];
  readonly tableBatches: number;
}

/**
 * Reads a table of one row a creative: `creativeId`, the `adId` that it is of, and the creative fields of the schema.
 *
 * @param catalog the ads
 * @param source  how messages name it, e.g. the file's path
 * @throws UserError for a missing column, a creative twice or without id, an ad that the catalog lacks
 */
export async function readCreatives(
  batches: Iterable<ColumnBatch> | AsyncIterable<ColumnBatch>,
  catalog: Catalog,
  source = 'creatives',
): Promise<Creatives> {
  const reader = new CreativesReader(catalog, source);
  for await (const batch of batches) if (batch.rowCount > 0) reader.add(batch);
  return reader.finish();
}

class CreativesReader {
  private readonly catalog: Catalog;
  private readonly source: string;
  private readonly batches: ColumnBatch[] = [];
  private readonly ids: RowIds;
  private readonly ads: number[] = [];

  constructor(catalog: Catalog, source: string) {
    this.catalog = catalog;
    this.source = source;
    this.ids = new RowIds('creative', source, (what) => this.fail(what));
  }

  private fail(what: string): never {
    throw new UserError(`${this.source}: ${what}`);
  }

  add(batch: ColumnBatch): void {
    const missing = creativeColumns.filter((name) => !batch.columns.has(name));
    if (missing.length > 0) {
      this.fail(
        `lacks column ${missing.map((name) => `'${name}'`).join(' and ')}; a table of creatives has ${creativeColumns.join(', ')} and the creative fields of the schema`,
      );
    }
    this.ids.add(batch.columns.get('creativeId') as Column);
    this.addAds(batch.columns.get('adId') as Column);
    this.batches.push(batch);
  }

  private addAds(column: Column): void {
    const ids = columnToJson(
      column,
      Array.from({ length: column.rowCount }, (_, row) => row),
    );
    for (const id of ids) {
      if (id === null) this.fail(`row ${this.ads.length} has no adId; say which ad each creative is of`);
      const ad = this.adOf(id);
      if (ad < 0)
        this.fail(
          `row ${this.ads.length} is of ad ${shown(id)}, which the catalog lacks; add the ad, or leave its creatives out`,
        );
      this.ads.push(ad);
    }
  }

  private adOf(id: unknown): number {
    try {
      return this.catalog.rowOf(id);
    } catch (error) {
      if (error instanceof UserError) this.fail(`row ${this.ads.length}: ${error.message}`);
      throw error;
    }
  }

  finish(): Creatives {
    const namedCount = this.ads.length;
    if (namedCount === 0) this.fail('has no creatives; write one row a creative');
    const tableBatches = this.batches.length;
    this.addOwn();
    const { batches, catalog } = this;
    const count = this.ads.length;
    const ads = Int32Array.from(this.ads);
    const offsets = new Int32Array(catalog.adCount + 1);
    for (let row = 0; row < count; row++) offsets[ads[row] + 1]++;
    for (let ad = 0; ad < catalog.adCount; ad++) offsets[ad + 1] += offsets[ad];
    const places = new Int32Array(count);
    const next = offsets.slice();
    for (let row = 0; row < count; row++) places[row] = next[ads[row]]++;
    const rows = new Int32Array(count);
    for (let row = 0; row < count; row++) rows[places[row]] = row;
    const starts = batchStarts(batches);
    return {
      count,
      offsets,
      rows,
      places,
      ads,
      namedCount,
      rowOf: this.ids.finder(),
      idOf: (row) => (row < namedCount ? valueAt(batches, starts, 'creativeId', row) : null),
      batches,
      tableBatches,
    };
  }

  /** The rows of ads that have no creative. */
  private addOwn(): void {
    const has = new Uint8Array(this.catalog.adCount);
    for (const ad of this.ads) has[ad] = 1;
    let first = 0;
    for (const batch of this.catalog.batches) {
      const own = Int32Array.from({ length: batch.rowCount }, (_, row) => row).filter((row) => has[first + row] === 0);
      if (own.length > 0) {
        this.batches.push(selectRows(batch, own));
        for (const row of own) this.ads.push(first + row);
      }
      first += batch.rowCount;
    }
  }
}
