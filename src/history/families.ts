import type { HistoryLimits, HistoryPlan } from './historyPlan.ts';
import type { PendingEvents } from './pendingEvents.ts';
import { Records } from './records.ts';
import { SequenceStore } from './sequenceStore.ts';
import { viewRecord } from './viewRecord.ts';

/** The records of all families, the pairs that hang from their owners, and the sequences of keys. */
export class Families {
  readonly limits: HistoryLimits;
  readonly records: readonly Records[];
  readonly sequences: readonly SequenceStore[];
  /** By family: its sequences. */
  readonly sequencesOf: readonly Int32Array[];
  /** What was last read of each family, side by side, and where its record is, -1 for none. */
  readonly views: Float64Array;
  readonly seen: Int32Array;

  /** @param shared whose records without a user's key these have too */
  constructor(plan: HistoryPlan, shared?: Families) {
    this.limits = plan.limits;
    const { families } = plan;
    const sharedOf = (f: number) => (families[f].isUser ? undefined : shared);
    this.records = families.map((family, f) => sharedOf(f)?.records[f] ?? new Records(family));
    this.sequences = plan.sequencePlans.map(
      (sequence, s) => sharedOf(sequence.family)?.sequences[s] ?? new SequenceStore(sequence),
    );
    this.sequencesOf = plan.families.map((_, f) =>
      Int32Array.from(plan.sequencePlans.map((_, s) => s).filter((s) => plan.sequencePlans[s].family === f)),
    );
    this.views = new Float64Array(plan.families.reduce((sum, { viewSize }) => sum + viewSize, 0));
    this.seen = new Int32Array(plan.families.length);
    // The record of all events.
    if (shared === undefined) this.records[0].create(0, 0, 0);
  }

  /** Reads what a family holds of these keys; that of a pair after its owner's. */
  view(f: number, words: Int32Array, valid: Uint8Array, nowMs: number): void {
    const records = this.records[f];
    const { keys, owner } = records.plan;
    let slot = 0;
    if (keys.length > 0) {
      const key = keys[keys.length - 1];
      const ownerSlot = owner < 0 ? 0 : this.seen[owner];
      slot = valid[key] === 0 || ownerSlot < 0 ? -1 : records.find(ownerSlot, words[2 * key], words[2 * key + 1]);
      if (slot >= 0 && nowMs - records.lastMs(slot) > this.limits.timeToLiveMs) slot = -1;
    }
    this.seen[f] = slot;
    viewRecord(records, slot, nowMs, this.limits, this.views);
  }

  /**
   * The record that stage `stage` of event `at` goes into, -1 for none: only impressions make records, so that outcomes bring nobody back.
   * Of a pair to be called after its owner's.
   *
   * @param ms when the stage is seen
   */
  slotOf(f: number, events: PendingEvents, at: number, stage: number, ms: number): number {
    const records = this.records[f];
    const { keys, owner } = records.plan;
    if (keys.length === 0) return 0;
    const hint = at * events.familyCount + f;
    const key = at * events.keyCount + keys[keys.length - 1];
    const ownerSlot = owner < 0 ? 0 : events.slots[at * events.familyCount + owner];
    if (events.valid[key] === 0 || ownerSlot < 0) {
      events.slots[hint] = -1;
      return -1;
    }
    const lo = events.words[2 * key];
    const hi = events.words[2 * key + 1];
    let slot = events.slots[hint];
    if (!records.isAt(slot, ownerSlot, lo, hi)) slot = records.find(ownerSlot, lo, hi);
    const isArrival = stage === 0 && events.isOutcome[at] === 0;
    if (slot >= 0 && ms - records.lastMs(slot) > this.limits.timeToLiveMs) {
      if (isArrival) this.remove(f, slot);
      slot = -1;
    }
    if (isArrival) {
      if (slot < 0) slot = this.create(f, ownerSlot, lo, hi, ms);
      else if (owner >= 0) this.unhang(f, slot);
      if (owner >= 0) this.hang(f, slot);
    }
    events.slots[hint] = slot;
    return slot;
  }

  /** Takes a record out, with all that hangs from it. */
  remove(f: number, slot: number): void {
    const records = this.records[f];
    const { owned, owner } = records.plan;
    for (let i = 0; i < owned.length; i++) {
      const head = 3 * (slot * owned.length + i);
      while (records.heads[head] >= 0) this.remove(owned[i], records.heads[head]);
    }
    for (const s of this.sequencesOf[f]) this.sequences[s].clear(slot);
    if (owner >= 0) this.unhang(f, slot);
    records.remove(slot);
  }

  /** Erases every record that has this value of a key field. */
  forget(key: number, lo: number, hi: number): boolean {
    let any = false;
    this.records.forEach((records, f) => {
      const { keys, owner } = records.plan;
      if (keys.length === 0 || keys[keys.length - 1] !== key) return;
      if (owner < 0) {
        const slot = records.find(0, lo, hi);
        if (slot < 0) return;
        this.remove(f, slot);
        any = true;
        return;
      }
      for (let slot = 0; slot < records.used; slot++) {
        if (records.keys[3 * slot + 1] !== lo || records.keys[3 * slot + 2] !== hi || !records.isLive(slot)) continue;
        this.remove(f, slot);
        any = true;
      }
    });
    return any;
  }

  /** Takes out what is older than the time to live. */
  sweep(f: number, ms: number): void {
    const records = this.records[f];
    if (this.limits.timeToLiveMs === Number.POSITIVE_INFINITY || records.plan.keys.length === 0) return;
    for (let slot = 0; slot < records.used; slot++)
      if (records.isLive(slot) && ms - records.lastMs(slot) > this.limits.timeToLiveMs) this.remove(f, slot);
  }

  stats(): { keys: number; bytes: number; evicted: number } {
    let keys = 0;
    let evicted = 0;
    let bytes = 0;
    for (const records of this.records) {
      keys += records.count;
      evicted += records.evicted;
      bytes += records.bytes();
    }
    for (const sequence of this.sequences) bytes += sequence.bytes();
    return { keys, bytes, evicted };
  }

  /** A new record, for which others make room where there is none. */
  create(f: number, ownerSlot: number, lo: number, hi: number, ms: number): number {
    const records = this.records[f];
    const { owner, ownedIndex } = records.plan;
    const { maxKeys, maxPairs } = this.limits;
    if (owner < 0) {
      if (records.count >= maxKeys || (records.free < 0 && records.used === records.capacity)) this.sweep(f, ms);
      if (records.count >= maxKeys) this.evict(f, Math.max(1, maxKeys >>> 3));
    } else {
      const { heads, plan } = this.records[owner];
      const head = 3 * (ownerSlot * plan.owned.length + ownedIndex);
      if (heads[head + 2] >= maxPairs) this.sweepPairs(f, heads[head], ms);
      if (heads[head + 2] >= maxPairs) {
        this.remove(f, heads[head + 1]);
        records.evicted++;
      }
    }
    return records.create(ownerSlot, lo, hi);
  }

  private sweepPairs(f: number, newest: number, ms: number): void {
    const { links } = this.records[f];
    for (let slot = newest; slot >= 0; ) {
      const older = links[2 * slot + 1];
      if (ms - this.records[f].lastMs(slot) > this.limits.timeToLiveMs) this.remove(f, slot);
      slot = older;
    }
  }

  /** Takes out those longest without an impression; among equals in order of their keys, so that it does not matter where they lie. */
  private evict(f: number, share: number): void {
    const records = this.records[f];
    const times = new Float64Array(records.count);
    for (let slot = 0, i = 0; slot < records.used; slot++) if (records.isLive(slot)) times[i++] = records.lastMs(slot);
    times.sort();
    const limit = times[share - 1];
    const ties: number[] = [];
    let left = share;
    for (let slot = 0; slot < records.used; slot++) {
      const last = records.lastMs(slot);
      if (last === limit) ties.push(slot);
      if (!(last < limit)) continue;
      this.remove(f, slot);
      left--;
    }
    const { keys } = records;
    ties.sort((a, b) => keys[3 * a + 2] - keys[3 * b + 2] || keys[3 * a + 1] - keys[3 * b + 1]);
    for (let i = 0; i < left; i++) this.remove(f, ties[i]);
    records.evicted += share;
  }

  /** Hangs a pair from its owner, as the newest. */
  hang(f: number, slot: number): void {
    const records = this.records[f];
    const { owner, ownedIndex } = records.plan;
    const { heads, plan } = this.records[owner];
    const head = 3 * (records.keys[3 * slot] * plan.owned.length + ownedIndex);
    const newest = heads[head];
    records.links[2 * slot] = -1;
    records.links[2 * slot + 1] = newest;
    if (newest >= 0) records.links[2 * newest] = slot;
    else heads[head + 1] = slot;
    heads[head] = slot;
    heads[head + 2]++;
  }

  private unhang(f: number, slot: number): void {
    const records = this.records[f];
    const { owner, ownedIndex } = records.plan;
    const { heads, plan } = this.records[owner];
    const head = 3 * (records.keys[3 * slot] * plan.owned.length + ownedIndex);
    const newer = records.links[2 * slot];
    const older = records.links[2 * slot + 1];
    if (newer >= 0) records.links[2 * newer + 1] = older;
    else heads[head] = older;
    if (older >= 0) records.links[2 * older] = newer;
    else heads[head + 1] = newer;
    heads[head + 2]--;
  }
}
