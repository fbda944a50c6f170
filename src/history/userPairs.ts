import { hashKey } from '../core/hash.ts';
import type { VectorScale } from '../schema/numbers.ts';
import type { RequestState } from './adValues.ts';
import { counterValue, encodedValue } from './counterValues.ts';
import type { Reducer } from './createHistory.ts';
import { viewRecord } from './viewRecord.ts';

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
  private readonly scales: readonly (VectorScale | undefined)[];

  constructor(family: number, ops: readonly number[], scales: readonly (VectorScale | undefined)[]) {
    this.scales = scales;
    this.family = family;
    this.ops = Int32Array.from(ops);
    this.reserve(64);
  }

  /** Walks the pairs of the user whose record was seen last; the request's views and priors must have been computed. */
  gather(history: Reducer, request: RequestState): void {
    const { families, plan } = history;
    const { family } = this;
    const records = families.records[family];
    const { owner, ownedIndex } = records.plan;
    const nowMs = history.readMs(family);
    const ownerSlot = families.seen[owner];
    const { heads, plan: ownerPlan } = families.records[owner];
    const head = 2 * (ownerSlot * ownerPlan.owned.length + ownedIndex);
    if (ownerSlot >= 0) this.reserve(heads[head + 1]);
    const { table } = this;
    const mask = table.length - 1;
    table.fill(0);
    this.compute(history, -1, 0, nowMs, request);
    let slot = ownerSlot < 0 ? -1 : heads[head];
    for (let entry = 1; slot >= 0; slot = records.keys[4 * slot + 3]) {
      if (nowMs - records.lastMs(slot) > plan.limits.timeToLiveMs) continue;
      const lo = records.keys[4 * slot + 1];
      const hi = records.keys[4 * slot + 2];
      this.words[2 * entry] = lo;
      this.words[2 * entry + 1] = hi;
      let at = hashKey(lo, hi) & mask;
      while (table[at] !== 0) at = (at + 1) & mask;
      table[at] = entry;
      this.compute(history, slot, entry++, nowMs, request);
    }
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

  private compute(
    { families, plan }: Reducer,
    slot: number,
    entry: number,
    nowMs: number,
    request: RequestState,
  ): void {
    const { views } = families;
    const { words, valid, priors } = request;
    viewRecord(families.records[this.family], slot, nowMs, plan.limits, views);
    for (let i = 0; i < this.ops.length; i++) {
      const op = this.ops[i];
      const value = counterValue(plan.ops, op, views, priors, nowMs, words, valid);
      const scale = this.scales[plan.ops.counters[op]];
      this.values[entry * this.ops.length + i] = encodedValue(value, plan.ops.columns[op], scale);
    }
  }
}
