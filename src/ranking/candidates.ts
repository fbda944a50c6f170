import type { Catalog } from '../catalog/catalog.ts';
import { bidTypeCode, bidTypes, isBidMicros } from '../core/bids.ts';
import { UserError } from '../core/errors.ts';
import { shown } from '../schema/parseSchema.ts';
import { type GivenValues, readGiven } from './givenValues.ts';

/** A request's candidates, one value each in every column. */
export interface Candidates {
  readonly count: number;
  readonly adIds: readonly unknown[];
  /** Rows of the catalog, -1 for an ad it lacks; absent without a catalog. */
  readonly catalogRows?: Int32Array;
  /** Whether the catalog has every one of them. */
  readonly allInCatalog: boolean;
  /** Bid type codes. */
  readonly types: Uint8Array;
  readonly bidMicros: Float64Array;
  /** What the request gave, by name. */
  readonly given: GivenValues['columns'];
}

export interface CandidateRules {
  readonly catalog?: Catalog;
  readonly most: number;
  readonly names: ReadonlySet<string>;
  /** The other side's names: for messages. */
  readonly requestNames: ReadonlySet<string>;
}

/** How messages name one candidate. */
export function describeCandidate(i: number, adId: unknown): string {
  return `candidates, item ${i} (ad ${shown(adId)})`;
}

/** @throws UserError naming the first candidate that is wrong */
export function readCandidates(json: readonly unknown[] | Record<string, unknown>, rules: CandidateRules): Candidates {
  const { count, columns } = readGiven(json, rules);
  const adIds = readIds(columns.get('adId')?.values, count);
  const { catalog } = rules;
  const catalogRows = catalog === undefined ? undefined : rowsInCatalog(catalog, adIds);
  const allInCatalog = catalogRows !== undefined && haveRows(catalogRows);
  const given = { count, adIds, catalogRows, allInCatalog, given: columns };
  return { ...given, ...readBids(given, catalog) };
}

function readIds(adIds: readonly unknown[] | undefined, count: number): readonly unknown[] {
  if (adIds === undefined) throw new UserError(`candidates: no 'adId'; give every candidate the id of its ad`);
  for (let i = 0; i < count; i++) {
    const id = adIds[i];
    if (typeof id === 'string' ? id !== '' : Number.isSafeInteger(id)) continue;
    throw new UserError(
      `candidates, item ${i}: adId is ${shown(id)}; expected a whole number or a text, beyond 2^53 as text`,
    );
  }
  return adIds;
}

function rowsInCatalog(catalog: Catalog, adIds: readonly unknown[]): Int32Array {
  const rows = new Int32Array(adIds.length);
  let i = 0;
  try {
    for (; i < rows.length; i++) rows[i] = catalog.rowOf(adIds[i]);
  } catch (error) {
    if (error instanceof UserError) throw new UserError(`candidates, item ${i}: ${error.message}`, error.kind);
    throw error;
  }
  return rows;
}

function haveRows(rows: Int32Array): boolean {
  for (let i = 0; i < rows.length; i++) if (rows[i] < 0) return false;
  return true;
}

type WithoutBids = Omit<Candidates, 'types' | 'bidMicros'>;

function readBids(candidates: WithoutBids, catalog: Catalog | undefined): Pick<Candidates, 'types' | 'bidMicros'> {
  const { count, adIds, catalogRows, allInCatalog, given } = candidates;
  const types = new Uint8Array(count);
  const bidMicros = new Float64Array(count);
  const givenTypes = given.get('bidType')?.values;
  const givenBids = given.get('bidMicros')?.values;
  if (catalog !== undefined && catalogRows !== undefined && allInCatalog && !givenTypes && !givenBids) {
    const { bidTypes: typesOf, bidMicros: bidsOf } = catalog;
    for (let i = 0; i < count; i++) types[i] = typesOf[catalogRows[i]];
    for (let i = 0; i < count; i++) bidMicros[i] = bidsOf[catalogRows[i]];
    return { types, bidMicros };
  }
  for (let i = 0; i < count; i++) {
    const row = catalogRows === undefined ? -1 : catalogRows[i];
    const type = givenTypes?.[i] ?? undefined;
    const bid = givenBids?.[i] ?? undefined;
    if ((type === undefined || bid === undefined) && row < 0) {
      lacksBid(candidates, i, type === undefined ? 'bidType' : 'bidMicros', catalog !== undefined);
    }
    if (type === undefined) types[i] = (catalog as Catalog).bidTypes[row];
    else {
      const code = bidTypeCode(type);
      if (code < 0) {
        throw new UserError(
          `${describeCandidate(i, adIds[i])}: bidType is ${shown(type)}; expected one of ${bidTypes.join(', ')}`,
        );
      }
      types[i] = code;
    }
    if (bid === undefined) bidMicros[i] = (catalog as Catalog).bidMicros[row];
    else if (isBidMicros(bid)) bidMicros[i] = bid;
    else {
      throw new UserError(
        `${describeCandidate(i, adIds[i])}: bidMicros is ${shown(bid)}; expected a whole number of micros from 0 to 2^53`,
      );
    }
  }
  return { types, bidMicros };
}

function lacksBid({ adIds }: WithoutBids, i: number, name: string, hasCatalog: boolean): never {
  const next = hasCatalog
    ? `the catalog has no such ad: correct the id, or send the ad's bid and fields`
    : `send it, or load a catalog that has the ad's bid and fields`;
  throw new UserError(`${describeCandidate(i, adIds[i])}: lacks '${name}'; ${next}`);
}
