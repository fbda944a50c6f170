import type { Candidates } from './candidates.ts';

/**
 * An ad wins one slot and never sets its own price: where a request names it more than once, its best entry counts (the first of
 * equals) and the others get a score of NaN, which is never chosen.
 *
 * Ads of the catalog are told apart by their row, others by their id as it is written.
 */
export class RepeatedAds {
  /** The last request that named each row of the catalog. */
  private readonly seenIn: Int32Array;
  private request = 0;

  constructor(adCount: number) {
    this.seenIn = new Int32Array(adCount);
  }

  /** @param scores [count], changed in place */
  exclude(candidates: Candidates, scores: Float64Array): void {
    if (!this.any(candidates)) return;
    const { adIds, catalogRows, count } = candidates;
    const bestOfRow = new Map<unknown, number>();
    const bestOfId = new Map<unknown, number>();
    for (let i = 0; i < count; i++) {
      const row = catalogRows?.[i] ?? -1;
      const best = row >= 0 ? bestOfRow : bestOfId;
      const ad = row >= 0 ? row : adIds[i];
      const before = best.get(ad);
      if (before === undefined) best.set(ad, i);
      else if (scores[i] > scores[before]) {
        best.set(ad, i);
        scores[before] = Number.NaN;
      } else scores[i] = Number.NaN;
    }
  }

  private any({ adIds, catalogRows, count }: Candidates): boolean {
    if (catalogRows === undefined) return new Set(adIds).size < count;
    const { seenIn } = this;
    this.request = (this.request + 1) | 0;
    for (let i = 0; i < count; i++) {
      const row = catalogRows[i];
      // An ad that the catalog lacks is rare: the slower way decides.
      if (row < 0 || seenIn[row] === this.request) return true;
      seenIn[row] = this.request;
    }
    return false;
  }
}
