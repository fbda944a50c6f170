import { hashKey } from '../core/hash.ts';
import type { VectorScale } from '../schema/numbers.ts';
import { writeValues } from './counterValues.ts';
import type { Reducer } from './createHistory.ts';
import { viewRecords } from './viewRecord.ts';
import type { ViewRows } from './viewRows.ts';

/**
 * A user's pairs with one of the catalog's keys, of which a request asks for every ad's: walked once, with the values of each computed, and
 * then looked up in a table so small that it stays in cache. Entry 0 is what an ad has that the user has no pair with.
 */
export class UserPairs {
  readonly family: number;
  /** Ops of which only the family's own view depends on the ad. */
  readonly ops: Int32Array;
  /** [1 + pairs, ops] */
  values = new Float32Array(0);
  private words = new Int32Array(0);
  private table = new Int32Array(1);
  /** Records whose values are computed together, and the entries of those. */
  private readonly slots: Int32Array;
  private readonly places: Int32Array;
  private readonly scales: readonly (VectorScale | undefined)[];

  /** @param most how many rows are computed together at most */
  constructor(family: number, ops: readonly number[], scales: readonly (VectorScale | undefined)[], most: number) {
    this.slots = new Int32Array(most);
    this.places = new Int32Array(most);
    this.scales = scales;
    this.family = family;
    this.ops = Int32Array.from(ops);
    this.reserve(64);
  }

  /** Walks the pairs of the user whose record was seen last; the request's priors must have been computed. */
  gather(history: Reducer, rows: ViewRows): void {
    const { families, plan } = history;
    const { family, slots } = this;
    const records = families.records[family];
    const { owner, ownedIndex } = records.plan;
    const nowMs = rows.times[family];
    const ownerSlot = families.seen[owner];
    const { heads, plan: ownerPlan } = families.records[owner];
    const head = 2 * (ownerSlot * ownerPlan.owned.length + ownedIndex);
    if (ownerSlot >= 0) this.reserve(heads[head + 1]);
    const { table } = this;
    const mask = table.length - 1;
    table.fill(0);
    slots[0] = -1;
    let count = 1;
    let first = 0;
    for (let slot = ownerSlot < 0 ? -1 : heads[head]; slot >= 0; slot = records.keys[4 * slot + 3]) {
      if (nowMs - records.lastMs(slot) > plan.limits.timeToLiveMs) continue;
      if (count === slots.length) {
        this.compute(history, rows, first, count);
        first += count;
        count = 0;
      }
      const entry = first + count;
      const lo = records.keys[4 * slot + 1];
      const hi = records.keys[4 * slot + 2];
      this.words[2 * entry] = lo;
      this.words[2 * entry + 1] = hi;
      let at = hashKey(lo, hi) & mask;
      while (table[at] !== 0) at = (at + 1) & mask;
      table[at] = entry;
      slots[count++] = slot;
    }
    this.compute(history, rows, first, count);
  }

  /** The entry of an ad's key, 0 for none. */
  find(lo: number, hi: number): number {
    const { table, words } = this;
    const mask = table.length - 1;
    for (let at = hashKey(lo, hi) & mask; ; at = (at + 1) & mask) {
      const entry = table[at];
      if (entry === 0 || (words[2 * entry] === lo && words[2 * entry + 1] === hi)) return entry;
    }
  }

  private reserve(pairs: number): void {
    if (2 * (pairs + 1) <= this.words.length) return;
    this.words = new Int32Array(2 * (pairs + 1));
    this.values = new Float32Array((pairs + 1) * this.ops.length);
    this.table = new Int32Array(2 ** Math.ceil(Math.log2(4 * pairs)));
  }

  /** Values of the records at `slots`, whose first is that of entry `first`. */
  private compute({ families, plan }: Reducer, rows: ViewRows, first: number, count: number): void {
    const { family, slots, places, values, ops, scales } = this;
    viewRecords(families.records[family], slots, count, plan.limits, rows, family);
    for (let i = 0; i < count; i++) places[i] = (first + i) * ops.length;
    for (let i = 0; i < ops.length; i++)
      writeValues(plan.ops, ops[i], rows, count, scales[plan.ops.counters[ops[i]]], values, places, i);
  }
}
