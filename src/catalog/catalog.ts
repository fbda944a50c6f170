import { bidTypeCode, bidTypes, isBidMicros } from '../core/bids.ts';
import { assert, UserError } from '../core/errors.ts';
import type { KeyHalves } from '../core/hash.ts';
import type { Column, ColumnBatch } from '../schema/columns.ts';
import { columnToJson } from '../schema/jsonColumns.ts';
import { keysOf } from '../schema/keys.ts';
import { shown } from '../schema/parseSchema.ts';
import { KeyTable } from '../schema/vocabulary.ts';
import { adKeyInto } from './adKeys.ts';

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
  private readonly starts: number[] = [];
  private readonly table = new KeyTable();
  private readonly types: Uint8Array[] = [];
  private readonly bids: Float64Array[] = [];
  private adCount = 0;
  private idType: 'integer' | 'text' = 'integer';

  constructor(source: string) {
    this.source = source;
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
    this.addIds(batch.columns.get('adId') as Column);
    this.types.push(this.readTypes(batch.columns.get('bidType') as Column));
    this.bids.push(this.readBids(batch.columns.get('bidMicros') as Column));
    this.batches.push(batch);
    this.starts.push(this.adCount);
    this.adCount += batch.rowCount;
  }

  private addIds(column: Column): void {
    if (column.type === 'list') this.fail(`column 'adId' holds lists; expected one id a row`);
    this.idType = column.type === 'text' ? 'text' : 'integer';
    const { words, valid } = keysOf(column, `${this.source}: column 'adId'`);
    for (let row = 0; row < column.rowCount; row++) {
      const at = this.adCount + row;
      if (valid !== undefined && valid[row] === 0) this.fail(`row ${at} has no adId; give every ad its id`);
      const earlier = this.table.add(words[2 * row], words[2 * row + 1]) - 1;
      if (earlier !== at) {
        const id = shown(columnToJson(column, [row])[0]);
        this.fail(`ad ${id} is in rows ${earlier} and ${at}; keep one row an ad`);
      }
    }
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
    const { batches, table, idType } = this;
    const direct = idType === 'integer' ? directRows(table) : undefined;
    const starts = Int32Array.from(this.starts);
    const key: KeyHalves = { lo: 0, hi: 0 };
    const types = new Uint8Array(this.adCount);
    const bids = new Float64Array(this.adCount);
    starts.forEach((start, i) => {
      types.set(this.types[i], start);
      bids.set(this.bids[i], start);
    });
    return {
      adCount: this.adCount,
      bidTypes: types,
      bidMicros: bids,
      batches,
      rowOf(adId) {
        if (direct !== undefined && typeof adId === 'number') {
          const at = adId - direct.first;
          if (at >= 0 && at < direct.rows.length && Number.isInteger(at)) return direct.rows[at] - 1;
        }
        adKeyInto(adId, idType, key);
        return table.get(key.lo, key.hi) - 1;
      },
      valueOf(name, row) {
        const i = batchOf(starts, row);
        const column = batches[i].columns.get(name);
        assert(column !== undefined, `catalog column ${name}`);
        return columnToJson(column, [row - starts[i]])[0];
      },
    };
  }
}

/**
 * Rows by id, plus one, where ids are so near each other that a list of all between the least and the most is smaller than the hash
 * table: one read from memory an ad, where the table takes two, one after the other.
 */
function directRows({ size, words }: KeyTable): { first: number; rows: Int32Array } | undefined {
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  const idAt = (row: number) => words[2 * row + 1] * 2 ** 32 + (words[2 * row] >>> 0);
  for (let row = 0; row < size; row++) {
    first = Math.min(first, idAt(row));
    last = Math.max(last, idAt(row));
  }
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(last) || last - first >= 4 * size) return undefined;
  const rows = new Int32Array(last - first + 1);
  for (let row = 0; row < size; row++) rows[idAt(row) - first] = row + 1;
  return { first, rows };
}

function rowsOf(column: Column): number[] {
  return Array.from({ length: column.rowCount }, (_, row) => row);
}

/** The last batch that starts at or before a row. */
function batchOf(starts: Int32Array, row: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle] <= row) low = middle;
    else high = middle - 1;
  }
  return low;
}
