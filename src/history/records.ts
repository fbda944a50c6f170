import { hashKey } from '../core/hash.ts';
import { type FamilyPlan, lastAt, markSize, SAME_MARK } from './familyPlan.ts';

const firstCapacity = 16;

/**
 * The records of a family: `stride` float64s each at `numbers[slot · stride]`, found by key through open addressing with linear probing.
 * A key is three integers: the owner's slot (0 of single keys) and the halves of the 64-bit key. A table entry is 0 where empty; else its
 * low bits are slot + 1 and the others the hash's, so that a probe of another key's entry seldom has to look at that key.
 *
 * Pairs hang from their owner's record, so that they go with it.
 */
export class Records {
  readonly plan: FamilyPlan;
  numbers: Float64Array;
  /** Owner's slot, low half, high half, and the next of its owner's pairs, -1 at the end; of a free slot the next free one. */
  keys: Int32Array = new Int32Array(firstCapacity * 4);
  /** Of owners, by family of pairs it owns: its first pair's slot, -1 for none, and how many. */
  heads: Int32Array;
  table = new Int32Array(firstCapacity * 2);
  /** Slots ever used; of those, live. A free slot's first number is NaN. */
  used = 0;
  count = 0;
  free = -1;
  evicted = 0;
  /** How many records were taken out since this was made: while none was, each is where it was. */
  removed = 0;
  capacity = firstCapacity;

  constructor(plan: FamilyPlan) {
    this.plan = plan;
    this.numbers = new Float64Array(firstCapacity * plan.stride);
    this.heads = new Int32Array(firstCapacity * plan.owned.length * 2);
  }

  /** The slot of a key, -1 where it has none. */
  find(owner: number, lo: number, hi: number): number {
    return this.findHashed(hashOf(owner, lo, hi), owner, lo, hi);
  }

  /** @param hash of the key, as `hashOf` makes it */
  findHashed(hash: number, owner: number, lo: number, hi: number): number {
    const { table, keys } = this;
    const mask = table.length - 1;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const entry = table[at];
      if (entry === 0) return -1;
      if (((entry ^ hash) & ~mask) !== 0) continue;
      const slot = (entry & mask) - 1;
      if (keys[4 * slot] === owner && keys[4 * slot + 1] === lo && keys[4 * slot + 2] === hi) return slot;
    }
  }

  /** Whether the slot still is that of this key. */
  isAt(slot: number, owner: number, lo: number, hi: number): boolean {
    const { keys, numbers, plan } = this;
    if (slot < 0 || keys[4 * slot] !== owner || keys[4 * slot + 1] !== lo || keys[4 * slot + 2] !== hi) return false;
    return !Number.isNaN(numbers[slot * plan.stride + lastAt]);
  }

  /** A new record for a key that has none; of a pair, not yet hung from its owner. */
  create(owner: number, lo: number, hi: number): number {
    if (this.free < 0 && this.used === this.capacity) this.grow();
    let slot = this.free;
    if (slot >= 0) this.free = this.keys[4 * slot + 3];
    else slot = this.used++;
    this.count++;
    this.keys[4 * slot] = owner;
    this.keys[4 * slot + 1] = lo;
    this.keys[4 * slot + 2] = hi;
    this.keys[4 * slot + 3] = -1;
    const { fresh, stride, owned } = this.plan;
    for (let i = 0, at = slot * stride; i < stride; i++) this.numbers[at + i] = fresh[i];
    const owning = owned.length;
    for (let i = 0, at = slot * owning * 2; i < owning; i++) {
      this.heads[at + 2 * i] = -1;
      this.heads[at + 2 * i + 1] = 0;
    }
    this.enter(slot);
    return slot;
  }

  /** Takes a record out, so that nothing of it gets into a file; what hangs from it is the caller's to take out first. */
  remove(slot: number): void {
    const { stride } = this.plan;
    this.leave(slot);
    this.keys.fill(0, 4 * slot, 4 * slot + 4);
    this.numbers.fill(0, slot * stride, (slot + 1) * stride);
    this.numbers[slot * stride + lastAt] = Number.NaN;
    this.keys[4 * slot + 3] = this.free;
    this.free = slot;
    this.count--;
    this.removed++;
  }

  /** Takes a key out of the marks of what the last impressions had. */
  forgetSame(key: number, lo: number, hi: number): boolean {
    const { numbers } = this;
    const { marks, stride } = this.plan;
    let any = false;
    for (let m = 0; m < marks.length; m += markSize) {
      if (marks[m] !== SAME_MARK || marks[m + 2] !== key) continue;
      for (let slot = 0; slot < this.used; slot++) {
        const at = slot * stride + marks[m + 1];
        if (!this.isLive(slot) || numbers[at] !== lo || numbers[at + 1] !== hi) continue;
        numbers.fill(Number.NaN, at, at + 2);
        any = true;
      }
    }
    return any;
  }

  isLive(slot: number): boolean {
    return !Number.isNaN(this.numbers[slot * this.plan.stride + lastAt]);
  }

  /** Brings a record into cache. */
  touch(slot: number): number {
    const { stride } = this.plan;
    const at = slot * stride;
    return this.keys[4 * slot] + this.numbers[at] + this.numbers[at + (stride >> 1)] + this.numbers[at + stride - 1];
  }

  /** Brings where the search for a key begins into cache. */
  touchKey(owner: number, lo: number, hi: number): number {
    return this.touchHash(hashOf(owner, lo, hi));
  }

  touchHash(hash: number): number {
    return this.table[hash & (this.table.length - 1)];
  }

  lastMs(slot: number): number {
    return this.numbers[slot * this.plan.stride + lastAt];
  }

  bytes(): number {
    const { numbers, keys, heads, table } = this;
    return numbers.byteLength + keys.byteLength + heads.byteLength + table.byteLength;
  }

  /** Takes over a state that was read; `reindex` is to follow. */
  restore(state: Pick<Records, 'used' | 'free' | 'evicted' | 'numbers' | 'keys' | 'heads'>): void {
    const { used, free, evicted, numbers, keys, heads } = state;
    while (this.capacity < used) this.capacity *= 2;
    this.used = used;
    this.free = free;
    this.evicted = evicted;
    this.numbers = grown(numbers, this.capacity * this.plan.stride);
    this.keys = grown(keys, this.capacity * 4);
    this.heads = grown(heads, this.capacity * this.plan.owned.length * 2);
    this.count = 0;
    for (let slot = 0; slot < used; slot++) if (this.isLive(slot)) this.count++;
  }

  /** Makes the table anew. */
  reindex(): void {
    this.table = new Int32Array(this.capacity * 2);
    for (let slot = 0; slot < this.used; slot++) if (this.isLive(slot)) this.enter(slot);
  }

  private enter(slot: number): void {
    const { table, keys } = this;
    const mask = table.length - 1;
    const hash = hashOf(keys[4 * slot], keys[4 * slot + 1], keys[4 * slot + 2]);
    let at = hash & mask;
    while (table[at] !== 0) at = (at + 1) & mask;
    table[at] = (hash & ~mask) | (slot + 1);
  }

  /** Deletion by shifting back: no tombstones, so probes stay short. */
  private leave(slot: number): void {
    const { table, keys } = this;
    const mask = table.length - 1;
    let at = hashOf(keys[4 * slot], keys[4 * slot + 1], keys[4 * slot + 2]) & mask;
    while ((table[at] & mask) !== slot + 1) at = (at + 1) & mask;
    for (let next = (at + 1) & mask; table[next] !== 0; next = (next + 1) & mask) {
      const other = (table[next] & mask) - 1;
      const home = hashOf(keys[4 * other], keys[4 * other + 1], keys[4 * other + 2]) & mask;
      // It may move to `at` only where that lies between its home and where it is.
      if (((next - home) & mask) < ((next - at) & mask)) continue;
      table[at] = table[next];
      at = next;
    }
    table[at] = 0;
  }

  private grow(): void {
    this.capacity *= 2;
    this.numbers = grown(this.numbers, this.capacity * this.plan.stride);
    this.keys = grown(this.keys, this.capacity * 4);
    this.heads = grown(this.heads, this.capacity * this.plan.owned.length * 2);
    this.reindex();
  }
}

/** The same numbers with room for more. */
export function grown<T extends Float64Array | Int32Array | Uint8Array>(values: T, length: number): T {
  const more = new (values.constructor as new (length: number) => T)(length);
  more.set(values as never);
  return more;
}

/** Of a key, for a family's table. */
export function hashOf(owner: number, lo: number, hi: number): number {
  return hashKey(lo, hi, Math.imul(owner, 0x7feb352d));
}
