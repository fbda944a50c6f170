import { gapBuckets } from '../schema/derivedFields.ts';
import type { SequenceRows } from './history.ts';
import type { PendingEvents } from './pendingEvents.ts';
import { grown } from './records.ts';
import type { SequencePlan } from './sequencePlan.ts';

/** Words of an entry: its `eventMs` (a float64), bits (actions, then which items have a value), the low 32 bits of the impression's order, items. */
export const bitsAt = 2;
const orderAt = 3;
const headWords = 4;
const validShift = 8;
const firstBlock = 4;

/** Of a cache line. */
const lineWords = 16;

/** From how many ms on an event is in each gap bucket: floor(2·log2(1 + s)) ≥ k at s ≥ 2^(k/2) − 1. */
const gapFromMs = Float64Array.from({ length: gapBuckets + 2 }, (_, k) => 1000 * (2 ** (k / 2) - 1));

const longestGapMs = 1000 * (2 ** ((gapBuckets - 1) / 2) - 1);

/** The gap bucket of an age, without branches, which would be guessed wrong at every other event of a list. */
function gapOf(ageMs: number): number {
  const age = Math.min(Math.max(ageMs, 0), longestGapMs);
  // The power of two of the seconds says the bucket but for one; the division may have rounded up to it.
  const even = 62 - 2 * Math.clz32((age + 1000) / 1000);
  return even + Number(age >= gapFromMs[even + 1]) - Number(age < gapFromMs[even]);
}

/**
 * The last events of every key, as a ring a key in order of `eventMs`, and of those of one time in order of being listed. Rings lie in blocks of one
 * pool, which double until they have a sequence's length, so that a key with few events takes little.
 */
export class SequenceStore {
  readonly plan: SequencePlan;
  readonly stride: number;
  /** By record of the family: its block's first entry, the block's length (0 for none), the oldest event's place, and how many. */
  blocks: Int32Array = new Int32Array(64);
  words: Int32Array;
  /** The same, as float64s. */
  times: Float64Array;
  /** Entries ever used, and by length of block (as a power of two of the first) the first free one, -1 for none. */
  used = 0;
  free: Int32Array = new Int32Array(16).fill(-1);

  constructor(plan: SequencePlan) {
    this.plan = plan;
    this.stride = headWords + 2 * plan.items.length;
    this.words = new Int32Array(64 * this.stride);
    this.times = new Float64Array(this.words.buffer);
  }

  /** Lists an event among those of a record, or drops it where all it has room for are newer. */
  insert(slot: number, events: PendingEvents, at: number, actions: number): void {
    const entry = this.makeRoom(slot, events.eventMs[at]);
    if (entry < 0) return;
    const { plan, stride, words } = this;
    let valid = 0;
    for (let k = 0; k < plan.items.length; k++) {
      const key = at * events.keyCount + plan.items[k];
      if (events.valid[key] !== 0) valid |= 1 << k;
      words[entry * stride + headWords + 2 * k] = events.words[2 * key];
      words[entry * stride + headWords + 2 * k + 1] = events.words[2 * key + 1];
    }
    words[entry * stride + bitsAt] = actions | (valid << validShift);
    words[entry * stride + orderAt] = events.order[at] | 0;
  }

  /** Lists another store's event, with its order so much higher. */
  insertEntry(slot: number, from: SequenceStore, other: number, orders: number): void {
    const entry = this.makeRoom(slot, from.msOf(other));
    if (entry < 0) return;
    const { stride, words } = this;
    for (let i = 0; i < stride; i++) words[entry * stride + i] = from.words[other * stride + i];
    words[entry * stride + orderAt] = (words[entry * stride + orderAt] + orders) | 0;
  }

  /** How many events of a record are listed. */
  countOf(slot: number): number {
    return 4 * slot < this.blocks.length ? this.blocks[4 * slot + 3] : 0;
  }

  /** The entry of an event of this time, for which later ones move up and the oldest may go; -1 if it is older than all and there is no room. */
  private makeRoom(slot: number, eventMs: number): number {
    if (4 * slot >= this.blocks.length)
      this.blocks = grown(this.blocks, Math.max(4 * slot + 4, this.blocks.length * 2));
    const { blocks } = this;
    if (blocks[4 * slot + 3] === blocks[4 * slot + 1]) {
      if (blocks[4 * slot + 1] < this.plan.length) this.enlarge(slot);
      else if (eventMs < this.msOf(blocks[4 * slot] + blocks[4 * slot + 2])) return -1;
      else this.dropOldest(slot);
    }
    let i = blocks[4 * slot + 3]++;
    for (; i > 0; i--) {
      const newer = this.entryOf(slot, i - 1);
      if (this.msOf(newer) <= eventMs) break;
      this.copy(newer, this.entryOf(slot, i));
    }
    const entry = this.entryOf(slot, i);
    this.times[(entry * this.stride) >> 1] = eventMs;
    return entry;
  }

  /**
   * The entry of an event, -1 if it is not listed: an impression's own, or of an outcome, which does not know its impression, the
   * newest of its time and items.
   */
  find(slot: number, events: PendingEvents, at: number): number {
    const { blocks, words, stride } = this;
    if (4 * slot >= blocks.length) return -1;
    const eventMs = events.eventMs[at];
    for (let i = blocks[4 * slot + 3] - 1; i >= 0; i--) {
      const entry = this.entryOf(slot, i);
      const ms = this.msOf(entry);
      if (ms < eventMs) return -1;
      if (ms > eventMs) continue;
      const isIt =
        events.isOutcome[at] === 0
          ? words[entry * stride + orderAt] === (events.order[at] | 0)
          : this.isOf(entry, events, at);
      if (isIt) return entry;
    }
    return -1;
  }

  addActions(entry: number, actions: number): void {
    this.words[entry * this.stride + bitsAt] |= actions;
  }

  /** Takes an entry out; what it had pushed out does not come back. */
  takeOut(slot: number, entry: number): void {
    const { blocks } = this;
    let i = 0;
    while (this.entryOf(slot, i) !== entry) i++;
    for (; i + 1 < blocks[4 * slot + 3]; i++) this.copy(this.entryOf(slot, i + 1), this.entryOf(slot, i));
    blocks[4 * slot + 3]--;
  }

  /** Forgets a record's events. */
  clear(slot: number): void {
    const { blocks } = this;
    if (4 * slot >= blocks.length || blocks[4 * slot + 1] === 0) return;
    this.release(blocks[4 * slot], blocks[4 * slot + 1]);
    blocks.fill(0, 4 * slot, 4 * slot + 4);
  }

  /** Takes a key out of the events that have it as an item, those that no longer are listed included. */
  forget(key: number, lo: number, hi: number): boolean {
    const { blocks, words, stride, plan } = this;
    let any = false;
    for (let k = 0; k < plan.items.length; k++) {
      if (plan.items[k] !== key) continue;
      const item = headWords + 2 * k;
      const bit = 1 << (validShift + k);
      for (let block = 0; block < blocks.length; block += 4) {
        for (let entry = blocks[block]; entry < blocks[block] + blocks[block + 1]; entry++) {
          const at = entry * stride;
          if ((words[at + bitsAt] & bit) === 0 || words[at + item] !== lo || words[at + item + 1] !== hi) continue;
          words[at + bitsAt] &= ~bit;
          words.fill(0, at + item, at + item + 2);
          any = true;
        }
      }
    }
    return any;
  }

  /** Brings a record's events into cache. */
  touch(slot: number): number {
    const { blocks, words, stride } = this;
    if (4 * slot >= blocks.length) return 0;
    const from = blocks[4 * slot] * stride;
    const to = from + blocks[4 * slot + 1] * stride;
    let touched = 0;
    for (let at = from; at < to; at += lineWords) touched += words[at];
    return touched;
  }

  /** Writes a record's events as row `to`, latest first; none of slot -1. */
  read(slot: number, nowMs: number, out: SequenceRows, to: number): void {
    const { blocks } = this;
    const count = this.countOf(slot);
    out.counts[to] = count;
    if (count === 0) return;
    const first = blocks[4 * slot];
    const newest = this.entryOf(slot, count - 1);
    const from = to * this.plan.length;
    const beforeTurn = Math.min(count, newest - first + 1);
    this.readRun(newest, nowMs, out, from, from + beforeTurn);
    if (beforeTurn < count) this.readRun(first + blocks[4 * slot + 1] - 1, nowMs, out, from + beforeTurn, from + count);
  }

  bytes(): number {
    return this.blocks.byteLength + this.words.byteLength;
  }

  /** Takes over a state that was read. */
  restore(blocks: Int32Array, words: Int32Array, free: Int32Array): void {
    this.blocks = grown(blocks, Math.max(64, blocks.length));
    this.setWords(grown(words, Math.max(64 * this.stride, words.length)));
    this.free = free.slice();
    this.used = words.length / this.stride;
  }

  /** When an entry's event was. */
  msOf(entry: number): number {
    return this.times[(entry * this.stride) >> 1];
  }

  /** The length of the blocks of a class. */
  sizeOf(sizeClass: number): number {
    return Math.min(this.plan.length, 1 << sizeClass);
  }

  isSize(size: number): boolean {
    return size > 0 && size <= this.plan.length && this.sizeOf(classOf(size)) === size;
  }

  /** The entry of the event that is `i`-th oldest of a record. */
  entryOf(slot: number, i: number): number {
    const { blocks } = this;
    const place = blocks[4 * slot + 2] + i;
    const size = blocks[4 * slot + 1];
    return blocks[4 * slot] + (place < size ? place : place - size);
  }

  /** Writes entries, from `entry` back, to places `from` to `to`. */
  private readRun(entry: number, nowMs: number, out: SequenceRows, from: number, to: number): void {
    const { words, times, stride, plan } = this;
    const { actions, gaps, items, valid } = out;
    const newest = entry * stride;
    for (let i = from, at = newest; i < to; i++, at -= stride) {
      gaps[i] = gapOf(nowMs - times[at >> 1]);
      // Their bits are the lowest eight.
      actions[i] = words[at + bitsAt];
    }
    for (let k = 0; k < plan.items.length; k++) {
      const keys = items[k];
      const has = valid[k];
      const item = headWords + 2 * k;
      const shift = validShift + k;
      for (let i = from, at = newest; i < to; i++, at -= stride) {
        keys[2 * i] = words[at + item];
        keys[2 * i + 1] = words[at + item + 1];
        has[i] = (words[at + bitsAt] >> shift) & 1;
      }
    }
  }

  private isOf(entry: number, events: PendingEvents, at: number): boolean {
    const { words, stride, plan } = this;
    for (let k = 0; k < plan.items.length; k++) {
      const key = at * events.keyCount + plan.items[k];
      const word = entry * stride + headWords + 2 * k;
      if (((words[entry * stride + bitsAt] >> (validShift + k)) & 1) !== events.valid[key]) return false;
      if (words[word] !== events.words[2 * key] || words[word + 1] !== events.words[2 * key + 1]) return false;
    }
    return true;
  }

  private dropOldest(slot: number): void {
    const { blocks } = this;
    blocks[4 * slot + 3]--;
    blocks[4 * slot + 2] = blocks[4 * slot + 2] + 1 === blocks[4 * slot + 1] ? 0 : blocks[4 * slot + 2] + 1;
  }

  private copy(from: number, to: number): void {
    const { words, stride } = this;
    for (let i = 0; i < stride; i++) words[to * stride + i] = words[from * stride + i];
  }

  /** Moves a record's events to a block of twice the length. */
  private enlarge(slot: number): void {
    const { blocks, plan } = this;
    const old = blocks[4 * slot];
    const oldSize = blocks[4 * slot + 1];
    const size = Math.min(plan.length, oldSize === 0 ? firstBlock : oldSize * 2);
    const block = this.take(size);
    for (let i = 0; i < blocks[4 * slot + 3]; i++) this.copy(this.entryOf(slot, i), block + i);
    if (oldSize > 0) this.release(old, oldSize);
    blocks[4 * slot] = block;
    blocks[4 * slot + 1] = size;
    blocks[4 * slot + 2] = 0;
  }

  private setWords(words: Int32Array): void {
    this.words = words;
    this.times = new Float64Array(words.buffer);
  }

  private take(size: number): number {
    const at = this.free[classOf(size)];
    if (at >= 0) {
      this.free[classOf(size)] = this.words[at * this.stride + bitsAt];
      return at;
    }
    const needed = (this.used + size) * this.stride;
    if (needed > this.words.length) this.setWords(grown(this.words, Math.max(needed, this.words.length * 2)));
    this.used += size;
    return this.used - size;
  }

  /** Frees a block, so that nothing of it gets into a file. */
  private release(block: number, size: number): void {
    this.words.fill(0, block * this.stride, (block + size) * this.stride);
    this.words[block * this.stride + bitsAt] = this.free[classOf(size)];
    this.free[classOf(size)] = block;
  }
}

/** Blocks of lengths 4, 8, 16, … and the sequence's own, which only its last class has. */
function classOf(size: number): number {
  return 32 - Math.clz32(size - 1);
}
