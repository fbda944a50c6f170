import { UserError } from '../core/errors.ts';
import { RING } from './familyPlan.ts';
import { isTime } from './historyPlan.ts';
import type { Records } from './records.ts';
import { bitsAt, type SequenceStore } from './sequenceStore.ts';
import type { StateTensor } from './state.ts';

/** Whether it is a number of things. */
export function isCount(n: number): boolean {
  return Number.isSafeInteger(n) && n >= 0;
}

/** Reads a state's arrays. Nothing in them is taken on trust: whatever they hold, no loop over them is endless and no index out of range. */
export class StateReader {
  private readonly tensors: ReadonlyMap<string, StateTensor>;
  private readonly source: string;

  constructor(tensors: ReadonlyMap<string, StateTensor>, source: string) {
    this.tensors = tensors;
    this.source = source;
  }

  check(condition: boolean, name: string): void {
    if (!condition)
      throw new UserError(`${this.source}: not a readable history ('${name}' is damaged); restore it or make it anew`);
  }

  /** @param shape -1 for any length */
  floats(name: string, ...shape: number[]): Float64Array {
    const tensor = this.tensor(name, shape);
    this.check(tensor.values instanceof Float64Array, name);
    return tensor.values as Float64Array;
  }

  ints(name: string, ...shape: number[]): Int32Array {
    const tensor = this.tensor(name, shape);
    this.check(tensor.values instanceof Int32Array, name);
    return tensor.values as Int32Array;
  }

  readRecords(records: Records, name: string): void {
    const { stride, owned, keys: keyFields, windowKinds, windowFrom } = records.plan;
    const [used, free, evicted] = this.floats(`${name}.head`, 3);
    const { length } = this.ints(`${name}.keys`, -1, 4);
    this.check(
      used === length / 4 && free >= -1 && free < used && Number.isInteger(free) && isCount(evicted),
      `${name}.head`,
    );
    records.restore({
      used,
      free,
      evicted,
      numbers: this.floats(`${name}.numbers`, used, stride),
      keys: this.ints(`${name}.keys`, used, 4),
      heads: this.ints(`${name}.heads`, used, owned.length, 2),
    });
    let freed = 0;
    for (let at = free; at >= 0 && freed <= used; at = records.keys[4 * at + 3], freed++)
      this.check(at < used && !records.isLive(at), `${name}.keys`);
    let live = 0;
    for (let slot = 0; slot < used; slot++) if (records.isLive(slot)) live++;
    this.check(freed === used - live, `${name}.keys`);
    records.reindex();
    for (let slot = 0; slot < used; slot++) {
      if (!records.isLive(slot)) continue;
      const [owner, lo, hi] = records.keys.subarray(4 * slot, 4 * slot + 3);
      this.check(records.find(owner, lo, hi) === slot, `${name}.keys`);
      // Loops count up to a ring's head.
      for (let w = 0; w < windowKinds.length; w++) {
        const head = records.numbers[slot * stride + windowFrom[w]];
        const isHead = head === Number.NEGATIVE_INFINITY || Number.isSafeInteger(head);
        this.check(windowKinds[w] !== RING || isHead, `${name}.numbers`);
      }
    }
    this.check(keyFields.length > 0 || (used === 1 && live === 1), `${name}.keys`);
  }

  /** Every pair hangs from its owner, once. */
  checkPairs(records: Records, owners: Records | undefined, name: string): void {
    if (owners === undefined) return;
    const { ownedIndex } = records.plan;
    let hanging = 0;
    for (let owner = 0; owner < owners.used; owner++) {
      if (!owners.isLive(owner)) continue;
      const head = 2 * (owner * owners.plan.owned.length + ownedIndex);
      let seen = 0;
      for (let slot = owners.heads[head]; slot !== -1; slot = records.keys[4 * slot + 3], seen++) {
        const isPair = slot >= 0 && slot < records.used && records.isLive(slot) && records.keys[4 * slot] === owner;
        this.check(isPair && seen < owners.heads[head + 1], `${name}.keys`);
      }
      this.check(seen === owners.heads[head + 1], `${name}.keys`);
      hanging += seen;
    }
    this.check(hanging === records.count, `${name}.keys`);
  }

  readSequence(store: SequenceStore, records: Records, name: string): void {
    const words = this.ints(`${name}.words`, -1, store.stride);
    const blocks = this.ints(`${name}.blocks`, -1, 4);
    const free = this.ints(`${name}.free`, store.free.length);
    store.restore(blocks, words, free);
    for (let at = 0; at < store.used; at++) this.check(isTime(store.msOf(at)), `${name}.words`);
    // Each entry belongs to at most one block, in use or free.
    const taken = new Uint8Array(store.used);
    const take = (from: number, size: number) => {
      this.check(from >= 0 && size > 0 && from + size <= store.used, `${name}.blocks`);
      for (let at = from; at < from + size; at++) {
        this.check(taken[at] === 0, `${name}.blocks`);
        taken[at] = 1;
      }
    };
    for (let slot = 0; slot < blocks.length / 4; slot++) {
      const [from, size, start, count] = blocks.subarray(4 * slot, 4 * slot + 4);
      if (size === 0 && from === 0 && start === 0 && count === 0) continue;
      this.check(slot < records.used && records.isLive(slot) && store.isSize(size), `${name}.blocks`);
      this.check(start >= 0 && start < size && count >= 0 && count <= size, `${name}.blocks`);
      take(from, size);
    }
    free.forEach((first, sizeClass) => {
      for (let at = first; at !== -1; at = words[at * store.stride + bitsAt]) take(at, store.sizeOf(sizeClass));
    });
  }

  private tensor(name: string, shape: readonly number[]): StateTensor {
    const tensor = this.tensors.get(name);
    if (tensor === undefined)
      throw new UserError(`${this.source}: not a readable history ('${name}' is missing); restore it or make it anew`);
    const fits =
      tensor.shape.length === shape.length &&
      tensor.shape.every((n, i) => shape[i] === -1 || n === shape[i]) &&
      tensor.shape.reduce((product, n) => product * n, 1) === tensor.values.length;
    this.check(fits, name);
    return tensor;
  }
}
