import { hashKey, mix32 } from '../core/hash.ts';
import type { Keys } from '../schema/keys.ts';
import type { EventRows } from './history.ts';
import type { HistoryPlan } from './historyPlan.ts';
import { grown } from './records.ts';

const firstCapacity = 256;

/**
 * Events of which something is still to be seen. An impression stays until its last value is due; an outcome that arrives before that is
 * found by time and keys and becomes part of it, so that it makes no difference whether a row brings its outcome along.
 */
export class PendingEvents {
  readonly keyCount: number;
  readonly valueCount: number;
  readonly familyCount: number;
  capacity = firstCapacity;
  used = 0;
  free = -1;
  count = 0;
  eventMs = new Float64Array(firstCapacity);
  arrivedMs = new Float64Array(firstCapacity);
  /** Order of arrival, which decides between what is due at the same time; -1 of a free one. */
  order = new Float64Array(firstCapacity);
  isOutcome = new Uint8Array(firstCapacity);
  /** The next stage to be seen. */
  stage = new Int32Array(firstCapacity);
  words: Int32Array;
  valid: Uint8Array;
  values: Float64Array;
  /** By value: what was expected of it when the impression was seen. */
  expected: Float64Array;
  /** By family: where its record was, which is checked before use. */
  slots: Int32Array;
  /** Next of the same hash, -1 at the end; of a free event the next free one. */
  chain = new Int32Array(firstCapacity);
  heads = new Int32Array(firstCapacity).fill(-1);

  constructor(plan: HistoryPlan) {
    this.keyCount = plan.keyFields.length;
    this.valueCount = plan.values.length;
    this.familyCount = plan.families.length;
    this.words = new Int32Array(firstCapacity * this.keyCount * 2);
    this.valid = new Uint8Array(firstCapacity * this.keyCount);
    this.values = new Float64Array(firstCapacity * this.valueCount);
    this.expected = new Float64Array(firstCapacity * this.valueCount);
    this.slots = new Int32Array(firstCapacity * this.familyCount);
  }

  /** An event without keys and values; an impression is to be entered once it has its keys. */
  take(eventMs: number, arrivedMs: number, order: number, isOutcome: boolean): number {
    if (this.free < 0 && this.used === this.capacity) this.grow();
    let at = this.free;
    if (at >= 0) this.free = this.chain[at];
    else at = this.used++;
    this.count++;
    this.eventMs[at] = eventMs;
    this.arrivedMs[at] = arrivedMs;
    this.order[at] = order;
    this.isOutcome[at] = isOutcome ? 1 : 0;
    this.stage[at] = 0;
    const { familyCount, slots, valueCount, values, expected } = this;
    for (let f = 0; f < familyCount; f++) slots[at * familyCount + f] = -1;
    for (let v = 0; v < valueCount; v++) {
      values[at * valueCount + v] = Number.NaN;
      expected[at * valueCount + v] = 0;
    }
    return at;
  }

  release(at: number): void {
    this.leave(at);
    this.order[at] = -1;
    this.chain[at] = this.free;
    this.free = at;
    this.count--;
  }

  setKeys(at: number, keys: readonly Keys[], row: number): void {
    const { keyCount, words, valid } = this;
    for (let k = 0; k < keyCount; k++) {
      const from = keys[k];
      const to = at * keyCount + k;
      const has = from.valid === undefined || from.valid[row] !== 0;
      valid[to] = has ? 1 : 0;
      words[2 * to] = has ? from.words[2 * row] : 0;
      words[2 * to + 1] = has ? from.words[2 * row + 1] : 0;
    }
  }

  /** Where the event's records may be. */
  setSlots(at: number, slots: Int32Array): void {
    const { familyCount } = this;
    for (let f = 0; f < familyCount; f++) this.slots[at * familyCount + f] = slots[f];
  }

  /** The pending impression that an outcome's row belongs to, -1 if there is none. */
  find({ eventMs, keys }: EventRows, row: number): number {
    const { keyCount, words, valid } = this;
    let hash = timeHash(eventMs[row]);
    for (let k = 0; k < keyCount; k++) {
      const { words: from, valid: has } = keys[k];
      if (has === undefined || has[row] !== 0) hash = hashKey(from[2 * row], from[2 * row + 1], hash);
    }
    next: for (let at = this.heads[hash & (this.heads.length - 1)]; at >= 0; at = this.chain[at]) {
      if (this.eventMs[at] !== eventMs[row]) continue;
      for (let k = 0; k < keyCount; k++) {
        const { words: from, valid: has } = keys[k];
        const to = at * keyCount + k;
        if ((has === undefined || has[row] !== 0) !== (valid[to] !== 0)) continue next;
        if (valid[to] !== 0 && (from[2 * row] !== words[2 * to] || from[2 * row + 1] !== words[2 * to + 1]))
          continue next;
      }
      return at;
    }
    return -1;
  }

  /** Lets outcomes find an impression. */
  enter(at: number): void {
    const bucket = this.hashOf(at) & (this.heads.length - 1);
    this.chain[at] = this.heads[bucket];
    this.heads[bucket] = at;
  }

  /** No outcome finds it any more. */
  leave(at: number): void {
    if (this.isOutcome[at] !== 0) return;
    const bucket = this.hashOf(at) & (this.heads.length - 1);
    let other = this.heads[bucket];
    if (other === at) {
      this.heads[bucket] = this.chain[at];
      return;
    }
    while (other >= 0 && this.chain[other] !== at) other = this.chain[other];
    if (other >= 0) this.chain[other] = this.chain[at];
  }

  /** Events that are pending, in order of arrival. */
  living(): number[] {
    const living: number[] = [];
    for (let at = 0; at < this.used; at++) if (this.order[at] >= 0) living.push(at);
    return living.sort((a, b) => this.order[a] - this.order[b]);
  }

  /** Another's event, with its order so much higher. */
  copyFrom(other: PendingEvents, event: number, orders: number): number {
    const { keyCount, valueCount } = this;
    const { eventMs, arrivedMs, order, isOutcome, stage } = other;
    const at = this.take(eventMs[event], arrivedMs[event], order[event] + orders, isOutcome[event] !== 0);
    this.stage[at] = stage[event];
    this.words.set(other.words.subarray(event * keyCount * 2, (event + 1) * keyCount * 2), at * keyCount * 2);
    this.valid.set(other.valid.subarray(event * keyCount, (event + 1) * keyCount), at * keyCount);
    this.values.set(other.values.subarray(event * valueCount, (event + 1) * valueCount), at * valueCount);
    this.expected.set(other.expected.subarray(event * valueCount, (event + 1) * valueCount), at * valueCount);
    if (isOutcome[event] === 0) this.enter(at);
    return at;
  }

  /** Takes a key out of what it still has to say. */
  forget(key: number, lo: number, hi: number): boolean {
    const { keyCount, words, valid, order } = this;
    let any = false;
    for (let at = 0; at < this.used; at++) {
      const to = at * keyCount + key;
      if (order[at] < 0 || valid[to] === 0 || words[2 * to] !== lo || words[2 * to + 1] !== hi) continue;
      this.leave(at);
      valid[to] = 0;
      words[2 * to] = 0;
      words[2 * to + 1] = 0;
      if (this.isOutcome[at] === 0) this.enter(at);
      any = true;
    }
    return any;
  }

  bytes(): number {
    const { keyCount, valueCount, familyCount } = this;
    return this.capacity * (8 * 3 + 1 + 4 * 3 + keyCount * 9 + valueCount * 16 + familyCount * 4);
  }

  private hashOf(at: number): number {
    const { keyCount, words, valid } = this;
    let hash = timeHash(this.eventMs[at]);
    for (let to = at * keyCount; to < (at + 1) * keyCount; to++)
      if (valid[to] !== 0) hash = hashKey(words[2 * to], words[2 * to + 1], hash);
    return hash;
  }

  private grow(): void {
    const { keyCount, valueCount, familyCount } = this;
    this.capacity *= 2;
    const { capacity } = this;
    this.eventMs = grown(this.eventMs, capacity);
    this.arrivedMs = grown(this.arrivedMs, capacity);
    this.order = grown(this.order, capacity);
    this.isOutcome = grown(this.isOutcome, capacity);
    this.stage = grown(this.stage, capacity);
    this.words = grown(this.words, capacity * keyCount * 2);
    this.valid = grown(this.valid, capacity * keyCount);
    this.values = grown(this.values, capacity * valueCount);
    this.expected = grown(this.expected, capacity * valueCount);
    this.slots = grown(this.slots, capacity * familyCount);
    const inOrder = Array.from({ length: this.used }, (_, at) => at).filter((at) => this.isOutcome[at] === 0);
    inOrder.sort((a, b) => this.order[a] - this.order[b]);
    this.chain = grown(this.chain, capacity);
    this.heads = new Int32Array(capacity).fill(-1);
    // Every event is in use where there is no room left.
    for (const at of inOrder) this.enter(at);
  }
}

function timeHash(ms: number): number {
  return mix32(Math.floor(ms / 4294967296) ^ Math.imul(ms | 0, 0x9e3779b1));
}
