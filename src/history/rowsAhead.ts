import type { Keys } from '../schema/keys.ts';
import { batch, type Families } from './families.ts';
import type { HistoryPlan } from './historyPlan.ts';

/**
 * Where the records of the next rows are, of rows that are read one after another, as a replay does. Their records lie far apart in more
 * memory than any cache has: those of several rows are asked for together, so that memory's delays overlap. An event in between may
 * make or move a record, so what is found here is checked before use.
 */
export class RowsAhead {
  /** [batch, families]: slots, -1 for none. */
  readonly slots: Int32Array;
  private readonly families: Families;
  private readonly singles: number[];
  private readonly pairs: number[];
  private keys: readonly Keys[] = [];
  private row = -1;
  private from = 0;
  private to = 0;
  /** Of no meaning; what was only asked for goes here, so that it is. */
  touched = 0;

  constructor({ families: plans }: HistoryPlan, families: Families) {
    this.families = families;
    this.slots = new Int32Array(batch * plans.length);
    const indices = plans.map((_, f) => f);
    this.singles = indices.filter((f) => plans[f].keys.length === 1);
    this.pairs = indices.filter((f) => plans[f].keys.length === 2);
  }

  /** To be called with every row that is read. @returns where its part of `slots` begins, -1 if it was not looked for */
  next(keys: readonly Keys[], row: number): number {
    const isNext = this.singles.length > 0 && keys === this.keys && row === this.row + 1;
    this.row = row;
    this.keys = keys;
    if (!isNext) {
      this.to = 0;
      return -1;
    }
    if (row >= this.to) this.look(row);
    return (row - this.from) * this.families.seen.length;
  }

  private look(row: number): void {
    const { singles, pairs, families, keys } = this;
    this.from = row;
    this.to = Math.min(row + batch, keys[0].rowCount);
    let touched = 0;
    for (let i = 0; i < singles.length; i++) touched += this.touchKeys(singles[i]);
    for (let i = 0; i < singles.length; i++) touched += this.find(singles[i]);
    for (let i = 0; i < pairs.length; i++) touched += this.touchKeys(pairs[i]);
    const { sequences, seen } = families;
    for (let i = 0; i < pairs.length; i++) touched += this.find(pairs[i]);
    for (let s = 0; s < sequences.length; s++) {
      const { family } = sequences[s].plan;
      for (let r = 0; r < this.to - row; r++) {
        const slot = this.slots[r * seen.length + family];
        if (slot >= 0) touched += sequences[s].touch(slot);
      }
    }
    this.touched = touched;
  }

  private touchKeys(f: number): number {
    const records = this.families.records[f];
    const { keys, owner } = records.plan;
    const { words } = this.keys[keys[keys.length - 1]];
    let touched = 0;
    for (let row = this.from; row < this.to; row++) {
      const ownerSlot = this.ownerOf(owner, row);
      if (ownerSlot >= 0) touched += records.touchKey(ownerSlot, words[2 * row], words[2 * row + 1]);
    }
    return touched;
  }

  private find(f: number): number {
    const { slots, families } = this;
    const records = families.records[f];
    const { keys, owner } = records.plan;
    const { words, valid } = this.keys[keys[keys.length - 1]];
    let touched = 0;
    for (let row = this.from; row < this.to; row++) {
      const ownerSlot = this.ownerOf(owner, row);
      const has = ownerSlot >= 0 && (valid === undefined || valid[row] !== 0);
      const slot = has ? records.find(ownerSlot, words[2 * row], words[2 * row + 1]) : -1;
      slots[(row - this.from) * families.seen.length + f] = slot;
      if (slot >= 0) touched += records.touch(slot);
    }
    return touched;
  }

  private ownerOf(owner: number, row: number): number {
    return owner < 0 ? 0 : this.slots[(row - this.from) * this.families.seen.length + owner];
  }
}
