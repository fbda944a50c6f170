import type { Candidates } from './candidates.ts';

/**
 * Finds ads that a request names more than once. Those of the catalog are told apart by their row, others by their id as it is
 * written.
 */
export class RepeatedAds {
  /** Rows of the request at hand, plus one, by their hash: small enough to stay in the cache, as a mark an ad would not. */
  private slots = new Int32Array(1024);

  /** @returns by candidate the first of the same ad; nothing where each is of another */
  firstsOf(candidates: Candidates): Int32Array | undefined {
    if (!this.any(candidates)) return undefined;
    const { adIds, catalogRows, count } = candidates;
    const firsts = new Int32Array(count);
    const firstOfRow = new Map<unknown, number>();
    const firstOfId = new Map<unknown, number>();
    for (let i = 0; i < count; i++) {
      const row = catalogRows?.[i] ?? -1;
      const known = row >= 0 ? firstOfRow : firstOfId;
      const ad = row >= 0 ? row : adIds[i];
      const first = known.get(ad);
      if (first === undefined) known.set(ad, i);
      firsts[i] = first ?? i;
    }
    return firsts;
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

/**
 * An ad wins one slot and never sets its own price: its best entry counts (the first of equals) and the others get a score of NaN,
 * which is never chosen. Where a bandit draws creatives, an entry that says its creative goes before those that leave it open: which of
 * the two was shown would depend on the draw, and be no more as likely as it is answered.
 *
 * @param firsts by candidate the first of the same ad
 * @param scores [count], changed in place
 * @param drawn  [count]: at least 0 for an entry whose creative was drawn
 */
export function excludeRepeats(firsts: Int32Array, scores: Float64Array, drawn?: Int32Array): void {
  const bests = firsts.slice();
  const isDrawn = (i: number) => drawn !== undefined && drawn[i] >= 0;
  for (let i = 0; i < firsts.length; i++) {
    const first = firsts[i];
    if (first === i) continue;
    const before = bests[first];
    const isBetter = isDrawn(i) === isDrawn(before) ? scores[i] > scores[before] : isDrawn(before);
    scores[isBetter ? before : i] = Number.NaN;
    if (isBetter) bests[first] = i;
  }
}
