import type { Candidates } from './candidates.ts';

/**
 * An ad wins one slot and never sets its own price: where a request names it more than once, its best entry counts (the first of
 * equals) and the others get a score of NaN, which is never chosen.
 *
 * Ads of the catalog are told apart by their row, others by their id as it is written.
 */
export class RepeatedAds {
  /** Rows of the request at hand, plus one, by their hash: small enough to stay in the cache, as a mark an ad would not. */
  private slots = new Int32Array(1024);

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
    while (this.slots.length < 2 * count) this.slots = new Int32Array(2 * this.slots.length);
    const slots = this.slots.fill(0);
    const mask = slots.length - 1;
    for (let i = 0; i < count; i++) {
      const row = catalogRows[i];
      // An ad that the catalog lacks is rare: the slower way decides.
      if (row < 0) return true;
      let slot = Math.imul(row, 0x9e3779b1) >>> 8;
      for (slot &= mask; slots[slot] !== 0; slot = (slot + 1) & mask) if (slots[slot] === row + 1) return true;
      slots[slot] = row + 1;
    }
    return false;
  }
}
