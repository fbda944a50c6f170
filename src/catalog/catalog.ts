import { bidTypeCode, bidTypes, isBidMicros } from '../core/bids.ts';
import { UserError } from '../core/errors.ts';
import type { Column, ColumnBatch } from '../schema/columns.ts';
import { columnToJson } from '../schema/jsonColumns.ts';
import { shown } from '../schema/parseSchema.ts';
import { batchStarts, valueAt } from './batchRows.ts';
import { RowIds } from './rowIds.ts';

/** The columns every catalog has, beside the ad fields of the schema. */
export const catalogColumns = ['adId', 'campaignId', 'advertiserId', 'bidType', 'bidMicros'] as const;

/** The ads that may be ranked, one row each; read-only. A row is the ad's place in it. */
export interface Catalog {
  readonly adCount: number;
  /** Bid type codes, [adCount]. */
  readonly bidTypes: Uint8Array;
  /** [adCount]. */
  readonly bidMicros: Float64Array;
  /** The ad's row, -1 if the catalog lacks it. @throws UserError if the id is not of the catalog's type */
  rowOf(adId: unknown): number;
  /** A value as JSON has it; null where there is none. */
  valueOf(column: (typeof catalogColumns)[number], row: number): unknown;
  /** All the columns the catalog was read with, in row order: raw, so that another model can encode them. */
  readonly batches: readonly ColumnBatch[];
}

/**
 * Reads a table of one row an ad: `adId`, `campaignId`, `advertiserId`, `bidType`, `bidMicros` and whatever else a model may need.
 *
 * @param source how messages name it, e.g. the file's path
 * @throws UserError for a missing column, an ad twice or without id, an unknown bid type, a bid that is not whole micros
 */
export async function readCatalog(
  batches: Iterable<ColumnBatch> | AsyncIterable<ColumnBatch>,
  source = 'catalog',
): Promise<Catalog> {
  const reader = new CatalogReader(source);
  for await (const batch of batches) if (batch.rowCount > 0) reader.add(batch);
  return reader.finish();
}

class CatalogReader {
  private readonly source: string;
  private readonly batches: ColumnBatch[] = [];
  private readonly ids: RowIds;
  private readonly types: Uint8Array[] = [];
  private readonly bids: Float64Array[] = [];
  private adCount = 0;

  constructor(source: string) {
    this.source = source;
    this.ids = new RowIds('ad', source, (what) => this.fail(what));
  }

  private fail(what: string): never {
    throw new UserError(`${this.source}: ${what}`);
  }

  add(batch: ColumnBatch): void {
    const missing = catalogColumns.filter((name) => !batch.columns.has(name));
    if (missing.length > 0) {
      this.fail(
        `lacks column ${missing.map((name) => `'${name}'`).join(' and ')}; a catalog has ${catalogColumns.join(', ')} and the ad fields of the schema`,
      );
    }
    this.ids.add(batch.columns.get('adId') as Column);
    this.types.push(this.readTypes(batch.columns.get('bidType') as Column));
    this.bids.push(this.readBids(batch.columns.get('bidMicros') as Column));
    this.batches.push(batch);
    this.adCount += batch.rowCount;
  }

  private readTypes(column: Column): Uint8Array {
    if (column.type !== 'text')
      this.fail(`column 'bidType' holds ${column.type}s; expected one of ${bidTypes.join(', ')}`);
    const codes = new Uint8Array(column.rowCount);
    columnToJson(column, rowsOf(column)).forEach((name, row) => {
      const code = bidTypeCode(name);
      if (code < 0) {
        this.fail(
          `${this.adAt(row)} has bidType ${shown(name)}; expected one of ${bidTypes.join(', ')}: correct column 'bidType'`,
        );
      }
      codes[row] = code;
    });
    return codes;
  }

  private readBids(column: Column): Float64Array {
    const bids = new Float64Array(column.rowCount);
    columnToJson(column, rowsOf(column)).forEach((bid, row) => {
      if (!isBidMicros(bid)) {
        this.fail(
          `${this.adAt(row)} has bidMicros ${shown(bid)}; expected a whole number of micros from 0 to 2^53: correct column 'bidMicros'`,
        );
      }
      bids[row] = bid;
    });
    return bids;
  }

  private adAt(row: number): string {
    return `row ${this.adCount + row}`;
  }

  finish(): Catalog {
    if (this.adCount === 0) this.fail('has no ads; write one row an ad');
    const { batches } = this;
    const starts = batchStarts(batches);
    const types = new Uint8Array(this.adCount);
    const bids = new Float64Array(this.adCount);
    batches.forEach((_, i) => {
      types.set(this.types[i], starts[i]);
      bids.set(this.bids[i], starts[i]);
    });
    return {
      adCount: this.adCount,
      bidTypes: types,
      bidMicros: bids,
      batches,
      rowOf: this.ids.finder(),
      valueOf: (name, row) => valueAt(batches, starts, name, row),
    };
  }
}

function rowsOf(column: Column): number[] {
  return Array.from({ length: column.rowCount }, (_, row) => row);
}
