import type { HistoryLimits, HistoryPlan } from './historyPlan.ts';
import { oldestRecords } from './oldestRecords.ts';
import type { PendingEvents } from './pendingEvents.ts';
import { Records } from './records.ts';
import { SequenceStore } from './sequenceStore.ts';
import { viewRecord } from './viewRecord.ts';
import type { ViewRows } from './viewRows.ts';

/** Records of so many events are asked for together. */
export const batch = 8;

/** The records of all families, the pairs that hang from their owners, and the sequences of keys. */
export class Families {
  readonly limits: HistoryLimits;
  readonly records: readonly Records[];
  readonly sequences: readonly SequenceStore[];
  /** By family: its sequences. */
  readonly sequencesOf: readonly Int32Array[];
  /** By family: where the record is that was last read, -1 for none. */
  readonly seen: Int32Array;
  /** Of no meaning; what was only asked for goes here, so that it is. */
  touched = 0;

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
    this.seen = new Int32Array(plan.families.length).fill(-1);
    // The record of all events.
    if (shared === undefined) this.records[0].create(0, 0, 0);
  }

  /** Reads what a family holds of a row's keys into row 0; that of a pair after its owner's. */
  view(f: number, rows: ViewRows): void {
    this.seen[f] = this.locate(f, rows.words, rows.valid, -1);
    this.viewSeen(f, rows);
  }

  /**
   * The same of all families. What lies far apart is asked for together first, so that memory's delays overlap.
   *
   * @param ahead where the records may be, from `at` on, if `at` is not -1: they have been asked for then
   */
  viewAll(rows: ViewRows, ahead: Int32Array, at: number): void {
    const { seen } = this;
    const { words, valid } = rows;
    if (at >= 0) for (let f = 0; f < seen.length; f++) seen[f] = this.locate(f, words, valid, ahead[at + f]);
    else {
      for (let f = 0; f < seen.length; f++) seen[f] = this.locate(f, words, valid, -1);
      this.touchSeen();
    }
    for (let f = 0; f < seen.length; f++) this.viewSeen(f, rows);
  }

  private touchSeen(): void {
    const { records, seen, sequences } = this;
    let touched = 0;
    for (let f = 0; f < seen.length; f++) touched += seen[f] < 0 ? 0 : records[f].touch(seen[f]);
    for (let s = 0; s < sequences.length; s++) {
      const slot = seen[sequences[s].plan.family];
      if (slot >= 0) touched += sequences[s].touch(slot);
    }
    this.touched = touched;
  }

  /** @param hint where the record may be */
  private locate(f: number, words: Int32Array, valid: Uint8Array, hint: number): number {
    const records = this.records[f];
    const { keys, owner } = records.plan;
    if (keys.length === 0) return 0;
    const key = keys[keys.length - 1];
    const ownerSlot = owner < 0 ? 0 : this.seen[owner];
    if (valid[key] === 0 || ownerSlot < 0) return -1;
    const lo = words[2 * key];
    const hi = words[2 * key + 1];
    return records.isAt(hint, ownerSlot, lo, hi) ? hint : records.find(ownerSlot, lo, hi);
  }

  /** Reads the record that was located, if it is not beyond its time to live. */
  private viewSeen(f: number, rows: ViewRows): void {
    const records = this.records[f];
    const slot = this.seen[f];
    if (slot >= 0 && rows.times[f] - records.lastMs(slot) > this.limits.timeToLiveMs) this.seen[f] = -1;
    viewRecord(records, this.seen[f], this.limits, rows, f, 0);
  }

  /** Asks for the records of an event that is soon to be applied. */
  touch(indices: Int32Array, events: PendingEvents, at: number): void {
    let touched = 0;
    for (let i = 0; i < indices.length; i++) {
      const slot = events.slots[at * events.familyCount + indices[i]];
      if (slot >= 0) touched += this.records[indices[i]].touch(slot);
    }
    this.touched = touched;
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
    if (slot < 0 && isArrival) slot = this.create(f, ownerSlot, lo, hi, ms);
    events.slots[hint] = slot;
    return slot;
  }

  /** Takes a record out, with all that hangs from it. */
  remove(f: number, slot: number): void {
    const records = this.records[f];
    const { owned, owner } = records.plan;
    for (let i = 0; i < owned.length; i++) {
      const head = 2 * (slot * owned.length + i);
      while (records.heads[head] >= 0) this.remove(owned[i], records.heads[head]);
    }
    for (const s of this.sequencesOf[f]) this.sequences[s].clear(slot);
    if (owner >= 0) this.unhang(f, slot);
    records.remove(slot);
  }

  /** Erases every record that has this value of a key field, and the value where another key's record or sequence has it. */
  forget(key: number, lo: number, hi: number): boolean {
    let any = false;
    for (const sequence of this.sequences) any = sequence.forget(key, lo, hi) || any;
    this.records.forEach((records, f) => {
      any = records.forgetSame(key, lo, hi) || any;
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
        if (records.keys[4 * slot + 1] !== lo || records.keys[4 * slot + 2] !== hi || !records.isLive(slot)) continue;
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

  /** A new record, for which others make room where there is none: those beyond their time to live, else the eighth longest without impressions. */
  create(f: number, ownerSlot: number, lo: number, hi: number, ms: number): number {
    const records = this.records[f];
    const { owner, ownedIndex } = records.plan;
    const { maxKeys, maxPairs } = this.limits;
    if (owner < 0) {
      if (records.count >= maxKeys || (records.free < 0 && records.used === records.capacity)) this.sweep(f, ms);
      if (records.count >= maxKeys) this.evictKeys(f);
      return records.create(ownerSlot, lo, hi);
    }
    const { heads, plan } = this.records[owner];
    const head = 2 * (ownerSlot * plan.owned.length + ownedIndex);
    if (heads[head + 1] >= maxPairs) this.evictPairs(f, heads[head], heads[head + 1], ms);
    const slot = records.create(ownerSlot, lo, hi);
    records.keys[4 * slot + 3] = heads[head];
    heads[head] = slot;
    heads[head + 1]++;
    return slot;
  }

  /** Makes room for one more pair of an owner, which may have more than it may: of a state made under a higher limit. */
  private evictPairs(f: number, first: number, count: number, ms: number): void {
    const records = this.records[f];
    const { maxPairs, timeToLiveMs } = this.limits;
    const slots = new Int32Array(count);
    let left = 0;
    for (let slot = first, next = -1; slot >= 0; slot = next) {
      next = records.keys[4 * slot + 3];
      if (ms - records.lastMs(slot) > timeToLiveMs) this.remove(f, slot);
      else slots[left++] = slot;
    }
    if (left >= maxPairs) this.evict(f, slots.subarray(0, left), maxPairs);
  }

  private evictKeys(f: number): void {
    const records = this.records[f];
    const slots = new Int32Array(records.count);
    for (let slot = 0, i = 0; slot < records.used; slot++) if (records.isLive(slot)) slots[i++] = slot;
    this.evict(f, slots, this.limits.maxKeys);
  }

  /** Takes out what of these is beyond `limit`, and an eighth of that, so that it is seldom. */
  private evict(f: number, slots: Int32Array, limit: number): void {
    const records = this.records[f];
    const oldest = oldestRecords(records, slots, slots.length - limit + Math.max(1, limit >>> 3));
    for (let i = 0; i < oldest.length; i++) this.remove(f, oldest[i]);
    records.evicted += oldest.length;
  }

  private unhang(f: number, slot: number): void {
    const { plan, keys } = this.records[f];
    const owner = this.records[plan.owner];
    const head = 2 * (keys[4 * slot] * owner.plan.owned.length + plan.ownedIndex);
    const next = keys[4 * slot + 3];
    let at = owner.heads[head];
    if (at === slot) owner.heads[head] = next;
    else {
      while (keys[4 * at + 3] !== slot) at = keys[4 * at + 3];
      keys[4 * at + 3] = next;
    }
    owner.heads[head + 1]--;
  }
}
