import type { Creatives } from '../catalog/creatives.ts';
import { UserError } from '../core/errors.ts';
import { touchIds } from '../core/touch.ts';
import { roomFor } from '../schema/gatherRows.ts';
import { shown } from '../schema/parseSchema.ts';
import { type Candidates, describeCandidate } from './candidates.ts';
import type { PlainField } from './fieldPlan.ts';
import { givenOf, type ValueRows } from './sources.ts';

/** The creatives that a request's candidates may be shown with, a candidate's one after the other; each has one at least. */
export interface Variants extends ValueRows {
  /** Places among all creatives, [count]; -1 for one that is the request's own. */
  readonly known: Int32Array;
  readonly of: Int32Array;
  /** [candidates + 1]: where each candidate's begin. */
  readonly offsets: Int32Array;
  /** [candidates]: the ad's row of the catalog where all its creatives may be shown; -1 where the request names or makes one. */
  readonly ads: Int32Array;
}

/** Finds the creatives of candidates, in buffers that are reused. */
export class VariantFinder {
  private readonly creatives: Creatives;
  /** The fields by which a candidate may say what its creative is. */
  private readonly fields: readonly PlainField[];
  private known = new Int32Array(0);
  private of = new Int32Array(0);
  private offsets = new Int32Array(0);
  private ads = new Int32Array(0);

  /** @param fields those that candidates give */
  constructor(creatives: Creatives, fields: readonly PlainField[]) {
    this.creatives = creatives;
    this.fields = fields.filter(({ field, names }) => field.scope === 'creative' && !names.includes('creativeId'));
  }

  /**
   * A candidate that names a creative has that one; one that gives a creative's fields has one made of these and, where its ad has
   * but one, of what the catalog has of that; any other has all of its ad.
   *
   * @returns arrays valid until the next call
   * @throws UserError for a creative that is not the ad's, or that nobody knows
   */
  find(candidates: Candidates): Variants {
    const { count, catalogRows } = candidates;
    const { offsets: ofAds } = this.creatives;
    if (this.ads.length < count) {
      this.ads = new Int32Array(roomFor(count));
      this.offsets = new Int32Array(roomFor(count) + 1);
    }
    const names = candidates.given.get('creativeId')?.values;
    const own = this.fields.flatMap((field) => givenOf(field, candidates) ?? []);
    const { offsets, ads } = this;
    if (catalogRows !== undefined && candidates.allInCatalog) touchIds(ofAds, 1, catalogRows);
    let { known, of } = this;
    let total = 0;
    let allKnown = true;
    for (let i = 0; i < count; i++) {
      const ad = catalogRows === undefined ? -1 : catalogRows[i];
      const name = names?.[i] ?? null;
      const isOwn = own.length > 0 && own.some(({ values }) => values[i] !== undefined);
      const isOpen = name === null && !isOwn && ad >= 0;
      const from = ad < 0 ? 0 : ofAds[ad];
      const to = ad < 0 ? 0 : ofAds[ad + 1];
      if (total + to - from >= known.length) ({ known, of } = this.grow(total + to - from + 1));
      offsets[i] = total;
      ads[i] = isOpen ? ad : -1;
      if (isOpen) {
        for (let at = from; at < to; at++, total++) {
          known[total] = at;
          of[total] = i;
        }
        continue;
      }
      const place = name === null ? (to - from === 1 ? from : -1) : this.named(name, candidates, i, isOwn);
      allKnown &&= place >= 0;
      known[total] = place;
      of[total++] = i;
    }
    offsets[count] = total;
    return {
      count: total,
      known: known.subarray(0, total),
      allKnown,
      of: of.subarray(0, total),
      offsets: offsets.subarray(0, count + 1),
      ads: ads.subarray(0, count),
    };
  }

  /** The place of a creative that a candidate names, -1 of one that it brings itself. */
  private named(name: unknown, { adIds, catalogRows }: Candidates, i: number, isOwn: boolean): number {
    const { creatives } = this;
    const ad = catalogRows?.[i] ?? -1;
    const refuse = (problem: string): never => {
      throw new UserError(`${describeCandidate(i, adIds[i])}: ${problem}`);
    };
    let row = -1;
    try {
      row = creatives.rowOf(name);
    } catch (error) {
      if (error instanceof UserError) refuse(error.message);
      throw error;
    }
    if (row >= 0 && creatives.ads[row] !== ad) refuse(`creative ${shown(name)} is another ad's; name one of its own`);
    if (row < 0 && ad >= 0 && !isOwn)
      refuse(
        `creative ${shown(name)} is unknown; name one of the catalog's, leave it out to have one chosen, or send its fields`,
      );
    return row < 0 ? -1 : creatives.places[row];
  }

  private grow(least: number) {
    const [known, of] = [new Int32Array(roomFor(least)), new Int32Array(roomFor(least))];
    known.set(this.known);
    of.set(this.of);
    this.known = known;
    this.of = of;
    return { known, of };
  }
}
