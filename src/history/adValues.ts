import { computePrior, counterValue } from './counterValues.ts';
import type { Reducer } from './createHistory.ts';

/**
 * Values of the catalog's rows that no user changes, kept from one tick to the next: for one set of the request's keys (a placement, say)
 * that they depend on. Where a row's records are is remembered, and checked before use.
 */
export class AdValues {
  /** [rows, ops] */
  readonly values: Float32Array;
  /** When it was last asked for, in requests. */
  usedAt = 0;
  private readonly words: Int32Array;
  private readonly valid: Uint8Array;
  /** By row: the version of what no user changes that its values are of. */
  private readonly versions: Float64Array;
  private readonly slots: Int32Array;

  constructor(rowCount: number, ops: number, families: number, keys: number) {
    this.values = new Float32Array(rowCount * ops);
    this.versions = new Float64Array(rowCount).fill(-1);
    this.slots = new Int32Array(rowCount * families).fill(-1);
    this.words = new Int32Array(2 * keys);
    this.valid = new Uint8Array(keys);
  }

  /** Whether it is of a request with these keys. */
  isOf(keys: Int32Array, words: Int32Array, valid: Uint8Array): boolean {
    for (let i = 0; i < keys.length; i++) {
      const k = keys[i];
      if (this.valid[k] !== valid[k]) return false;
      if (valid[k] !== 0 && (this.words[2 * k] !== words[2 * k] || this.words[2 * k + 1] !== words[2 * k + 1]))
        return false;
    }
    return true;
  }

  /** Begins anew with a request's keys. */
  take(words: Int32Array, valid: Uint8Array): void {
    this.words.set(words);
    this.valid.set(valid);
    this.versions.fill(-1);
  }

  isCurrent(row: number, version: number): boolean {
    return this.versions[row] === version;
  }

  /** Computes a row, whose keys are among `words`. */
  compute(
    history: Reducer,
    row: number,
    of: { readonly families: Int32Array; readonly priors: Int32Array; readonly ops: Int32Array },
    priors: Float64Array,
    words: Int32Array,
    valid: Uint8Array,
  ): void {
    const { families, plan } = history;
    for (let i = 0; i < of.families.length; i++) {
      const at = row * of.families.length + i;
      families.view(of.families[i], words, valid, history.sharedMs(), this.slots[at]);
      this.slots[at] = families.seen[of.families[i]];
    }
    for (let i = 0; i < of.priors.length; i++) computePrior(plan.ops, of.priors[i], families.views, priors);
    for (let i = 0; i < of.ops.length; i++) {
      const value = counterValue(plan.ops, of.ops[i], families.views, priors, history.sharedMs(), words, valid);
      this.values[row * of.ops.length + i] = value;
    }
    this.versions[row] = history.sharedVersion;
  }
}
