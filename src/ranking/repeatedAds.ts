import type { Candidates } from './candidates.ts';

/**
 * Finds ads that a request names more than once. Those of the catalog are told apart by their row, others by their id as it is
 * written.
 */
export class RepeatedAds {
  /** Candidates of the request at hand, plus one, by the hash of their row: small enough to stay in the cache, as a mark an ad would not. */
  private slots = new Int32Array(1024);

  /** @returns by candidate the first of the same ad; nothing where each is of another */
  firstsOf({ adIds, catalogRows, count }: Candidates): Int32Array | undefined {
    while (this.slots.length < 4 * count) this.slots = new Int32Array(2 * this.slots.length);
    const slots = this.slots.fill(0);
    const mask = slots.length - 1;
    let others: Map<unknown, number> | undefined;
    const firsts = new Int32Array(count);
    let any = false;
    for (let i = 0; i < count; i++) {
      const row = catalogRows === undefined ? -1 : catalogRows[i];
      let first = i;
      if (row < 0) {
        others ??= new Map();
        first = others.get(adIds[i]) ?? i;
        if (first === i) others.set(adIds[i], i);
      } else {
        let slot = (Math.imul(row, 0x9e3779b1) >>> 8) & mask;
        while (slots[slot] !== 0 && catalogRows![slots[slot] - 1] !== row) slot = (slot + 1) & mask;
        if (slots[slot] === 0) slots[slot] = i + 1;
        else first = slots[slot] - 1;
      }
      firsts[i] = first;
      any ||= first !== i;
    }
    return any ? firsts : undefined;
  }
}

/**
 * An ad wins one slot and never sets its own price: its best entry counts (the first of equals) and the others get a score of NaN,
 * which is never chosen.
 *
 * @param firsts by candidate the first of the same ad
 * @param scores [count], changed in place
 */
export function excludeRepeats(firsts: Int32Array, scores: Float64Array): void {
  const bests = firsts.slice();
  for (let i = 0; i < firsts.length; i++) {
    const first = firsts[i];
    if (first === i) continue;
    const before = bests[first];
    const isBetter = scores[i] > scores[before];
    scores[isBetter ? before : i] = Number.NaN;
    if (isBetter) bests[first] = i;
  }
}
