import type { Keys } from '../schema/keys.ts';
import { standardised, type VectorScale } from '../schema/numbers.ts';
import type { KeptPart } from './adPlan.ts';
import type { KeyNumbers } from './catalogKeys.ts';
import { SAME } from './counterPlan.ts';
import { computePrior, smoothed, writeValues } from './counterValues.ts';
import type { Reducer } from './createHistory.ts';
import type { HistoryRows } from './history.ts';
import { hashOf } from './records.ts';
import { viewRecords } from './viewRecord.ts';
import type { ViewRows } from './viewRows.ts';

/** Values for one set of the request's keys (a placement, say), a row a value of the catalog's keys; see `AdValues.rowWords`. */
interface KeptSet {
  readonly words: Int32Array;
  readonly valid: Uint8Array;
  readonly ints: Int32Array;
  readonly floats: Float32Array;
  readonly doubles: Float64Array;
  usedAt: number;
}

/** Ads are read so many at a time, so that what they need stays in cache. */
export const block = 128;

const noSums = new Float64Array(0);

/**
 * Values that no user changes and the same keys decide, kept from one tick to the next. A row lies in one piece, in 32-bit words: the
 * version of the shared state that it is of + 1; where each family's record is + 1, which is checked before use; the values that are
 * finished, encoded; and, as float64s, the sums of the rates whose prior comes with the request. All 0 at first.
 */
export class AdValues {
  readonly part: KeptPart;
  /** Bytes of one set. */
  readonly setBytes: number;
  private readonly history: Reducer;
  private readonly view: ViewRows;
  private readonly numbers: Int32Array;
  private readonly scales: readonly (VectorScale | undefined)[];
  private readonly adKeys: readonly (Keys | undefined)[];
  private readonly rowCount: number;
  /** Whether values look at the keys themselves. */
  private readonly needsKeys: boolean;
  private readonly rowWords: number;
  private readonly firstValue: number;
  private readonly firstSum: number;
  /** Places in the views of the sums that open rates need, each once; and of every open rate its n's and Σy's among them. */
  private readonly sums: Int32Array;
  private readonly openN: Int32Array;
  private readonly openY: Int32Array;
  /** Of rows that are looked up together: slots of their owner's record, and keys with their hashes. */
  private readonly owners: Int32Array;
  private readonly los: Int32Array;
  private readonly his: Int32Array;
  private readonly hashes: Int32Array;
  /** Of rows that are computed together: slots of a family's records, and their places. */
  private readonly slots: Int32Array;
  private readonly places: Int32Array;
  private readonly sets: KeptSet[] = [];
  private set: KeptSet;
  private requests = 0;

  /**
   * @param keyNumbers of the catalog's keys that decide the values
   * @param scales     by counter; raw values where absent
   */
  constructor(
    history: Reducer,
    part: KeptPart,
    view: ViewRows,
    adKeys: readonly (Keys | undefined)[],
    { numbers, count }: KeyNumbers,
    scales: readonly (VectorScale | undefined)[],
  ) {
    const { ops } = history.plan;
    const places = new Set([...part.openOps].flatMap((op) => [ops.a[op], ops.b[op]]));
    const open = (of: Int32Array) => Int32Array.from(part.openOps, (op) => [...places].indexOf(of[op]));
    this.history = history;
    this.part = part;
    this.needsKeys = part.ops.some((op) => ops.kinds[op] === SAME);
    this.view = view;
    this.slots = new Int32Array(view.rowCount);
    this.owners = new Int32Array(block);
    this.los = new Int32Array(block);
    this.his = new Int32Array(block);
    this.hashes = new Int32Array(block);
    this.places = new Int32Array(view.rowCount);
    this.adKeys = adKeys;
    this.numbers = numbers;
    this.scales = scales;
    this.rowCount = count;
    this.sums = Int32Array.from(places);
    this.openN = open(ops.a);
    this.openY = open(ops.b);
    this.firstValue = 1 + part.families.length;
    const end = this.firstValue + part.ops.length;
    this.firstSum = places.size === 0 ? 0 : (end + 1) >> 1;
    this.rowWords = places.size === 0 ? end : 2 * (this.firstSum + places.size);
    this.setBytes = 4 * this.rowWords * this.rowCount;
    this.set = this.addSet();
  }

  /** Makes the values of the request's keys those at hand; of as many sets as there may be, the one used longest ago makes room. */
  select(mostSets: number): void {
    if (!this.isOfRequest(this.set)) {
      const { words, valid } = this.view;
      this.set = this.sets.find(this.isOfRequest) ?? this.freeSet(mostSets);
      this.set.words.set(words);
      this.set.valid.set(valid);
    }
    this.set.usedAt = ++this.requests;
  }

  /**
   * Brings rows up to date: first asks for all that they need, so that memory's delays overlap, then computes.
   *
   * @param ads   rows of the catalog, from `from` on
   * @param rows  receives the place of each one's row
   * @param stale room for `count`
   */
  update(ads: Int32Array, from: number, count: number, rows: Int32Array, stale: Int32Array): void {
    const { numbers, rowWords, history, part } = this;
    const { ints } = this.set;
    const version = history.sharedVersion + 1;
    let staleCount = 0;
    for (let i = 0; i < count; i++) rows[i] = numbers[ads[from + i]] * rowWords;
    for (let i = 0; i < count; i++) {
      if (ints[rows[i]] === version) continue;
      ints[rows[i]] = version;
      stale[staleCount++] = i;
    }
    if (staleCount === 0) return;
    for (let f = 0; f < part.families.length; f++) this.locate(f, ads, from, rows, stale, staleCount);
    // Where values look at an ad's keys, there is room for one ad's.
    const most = this.needsKeys ? 1 : this.view.rowCount;
    for (let s = 0; s < staleCount; s += most) {
      if (this.needsKeys) this.setKeys(ads[from + stale[s]]);
      this.compute(rows, stale, s, Math.min(most, staleCount - s));
    }
  }

  /** Where a family's records of the stale rows are: asks for where each is sought, then seeks. */
  private locate(f: number, ads: Int32Array, from: number, rows: Int32Array, stale: Int32Array, count: number): void {
    const { history, part, owners, los, his, hashes } = this;
    const { families, plan } = history;
    const { ints } = this.set;
    const records = families.records[part.families[f]];
    const { owner, keys } = records.plan;
    const key = keys[keys.length - 1];
    const ofAds = this.adKeys[key];
    const { words, valid } = ofAds ?? this.view;
    const ownerAt = owner < 0 ? -1 : part.families.indexOf(owner);
    const anyOwner = owner < 0 ? 0 : families.seen[owner];
    const oldestMs = history.sharedMs() - plan.limits.timeToLiveMs;
    // A record stays where it is until it is taken out.
    const isSure = records.removed === 0;
    let touched = 0;
    for (let s = 0; s < count; s++) {
      const row = rows[stale[s]] + 1;
      const slot = ints[row + f] - 1;
      if (slot >= 0) touched += records.touch(slot);
      if (slot >= 0 && isSure) continue;
      const at = ofAds === undefined ? key : ads[from + stale[s]];
      const ownerSlot = ownerAt < 0 ? anyOwner : ints[row + ownerAt] - 1;
      owners[s] = valid === undefined || valid[at] !== 0 ? ownerSlot : -1;
      los[s] = words[2 * at];
      his[s] = words[2 * at + 1];
      hashes[s] = hashOf(ownerSlot, los[s], his[s]);
      touched += records.touchHash(hashes[s]);
    }
    families.touched = touched;
    for (let s = 0; s < count; s++) {
      const place = rows[stale[s]] + 1 + f;
      let slot = ints[place] - 1;
      if (slot < 0 || !isSure) {
        if (owners[s] < 0) slot = -1;
        else if (!records.isAt(slot, owners[s], los[s], his[s]))
          slot = records.findHashed(hashes[s], owners[s], los[s], his[s]);
      }
      ints[place] = slot < 0 || records.lastMs(slot) < oldestMs ? 0 : slot + 1;
    }
  }

  /** Computes some of the stale rows, value by value. */
  private compute(rows: Int32Array, stale: Int32Array, from: number, count: number): void {
    const { history, part, scales, firstSum, firstValue, slots, places, view } = this;
    const { families, plan } = history;
    const { ops, limits } = plan;
    const { ints, floats, doubles } = this.set;
    for (let i = 0; i < count; i++) places[i] = rows[stale[from + i]];
    for (let f = 0, v = 0; f < part.families.length; f++) {
      const family = part.families[f];
      if (part.viewed[v] !== family) continue;
      v++;
      for (let i = 0; i < count; i++) slots[i] = ints[places[i] + 1 + f] - 1;
      viewRecords(families.records[family], slots, count, limits, view, family);
    }
    for (let i = 0; i < part.priors.length; i++) computePrior(ops, part.priors[i], view, count);
    for (let i = 0; i < part.ops.length; i++) {
      const op = part.ops[i];
      writeValues(ops, op, view, count, scales[ops.counters[op]], floats, places, firstValue + i);
    }
    for (let i = 0; i < this.sums.length; i++) {
      const place = this.sums[i];
      for (let row = 0; row < count; row++)
        doubles[(places[row] >> 1) + firstSum + i] = view.views[row * view.width + place];
    }
  }

  /** Writes all values of rows that were brought up to date, from row `to` of `out` on. */
  write(rows: Int32Array, count: number, out: HistoryRows, to: number): void {
    const { part, history } = this;
    const { ops } = history.plan;
    for (let i = 0; i < part.ops.length; i++) {
      const op = part.ops[i];
      const counter = out.counters[ops.counters[op]];
      writeColumn(
        this.set.floats,
        rows,
        count,
        this.firstValue + i,
        counter,
        to,
        counter.length / out.rowCount,
        ops.columns[op],
      );
    }
    for (let i = 0; i < part.openOps.length; i++) this.writeOpen(i, rows, count, out, to);
  }

  private writeOpen(open: number, rows: Int32Array, count: number, out: HistoryRows, to: number): void {
    const { doubles } = this.set;
    const { ops } = this.history.plan;
    const op = this.part.openOps[open];
    const n = this.firstSum + this.openN[open];
    const y = this.firstSum + this.openY[open];
    const column = ops.columns[op];
    const scale = this.scales[ops.counters[op]];
    const counter = out.counters[ops.counters[op]];
    const width = counter.length / out.rowCount;
    const strength = ops.strengths[op];
    const prior = this.view.priors[ops.priors[op]];
    const mean = scale?.means[column] ?? 0;
    const factor = scale?.scales[column] ?? 1;
    const clip = scale?.clip ?? Number.POSITIVE_INFINITY;
    for (let i = 0, at = to * width + column; i < count; i++, at += width) {
      const row = rows[i] >> 1;
      const value = Math.fround(smoothed(doubles[row + n], doubles[row + y], strength, prior));
      counter[at] = scale === undefined ? value : standardised(value, mean, factor, clip);
    }
  }

  private freeSet(mostSets: number): KeptSet {
    let oldest = this.sets[0];
    for (const set of this.sets) if (set.usedAt < oldest.usedAt) oldest = set;
    if (oldest.usedAt > 0 && this.sets.length < mostSets) return this.addSet();
    if (oldest.usedAt > 0) oldest.ints.fill(0);
    return oldest;
  }

  private addSet(): KeptSet {
    const { keyFields } = this.history.plan;
    const ints = new Int32Array(this.rowWords * this.rowCount);
    const doubles = this.sums.length === 0 ? noSums : new Float64Array(ints.buffer);
    const words = new Int32Array(2 * keyFields.length);
    const valid = new Uint8Array(keyFields.length);
    const set = { words, valid, ints, floats: new Float32Array(ints.buffer), doubles, usedAt: 0 };
    this.sets.push(set);
    return set;
  }

  private isOfRequest = (set: KeptSet): boolean => {
    const { requestKeys } = this.part;
    const { words, valid } = this.view;
    if (set.usedAt === 0) return false;
    for (let i = 0; i < requestKeys.length; i++) {
      const k = requestKeys[i];
      if (set.valid[k] !== valid[k]) return false;
      if (valid[k] === 0) continue;
      if (set.words[2 * k] !== words[2 * k] || set.words[2 * k + 1] !== words[2 * k + 1]) return false;
    }
    return true;
  };

  private setKeys(ad: number): void {
    const { words, valid } = this.view;
    const { adKeys } = this.part;
    for (let i = 0; i < adKeys.length; i++) setKey(adKeys[i], this.adKeys[adKeys[i]] as Keys, ad, words, valid);
  }
}

/** Copies a row's key into its place among all. */
export function setKey(k: number, from: Keys, row: number, words: Int32Array, valid: Uint8Array): void {
  valid[k] = from.valid === undefined || from.valid[row] !== 0 ? 1 : 0;
  words[2 * k] = from.words[2 * row];
  words[2 * k + 1] = from.words[2 * row + 1];
}

/** Copies `from[rows[i] + place]` to `column` of row `to + i`. */
export function writeColumn(
  from: Float32Array,
  rows: Int32Array,
  count: number,
  place: number,
  counter: Float32Array,
  to: number,
  width: number,
  column: number,
): void {
  for (let i = 0, at = to * width + column; i < count; i++, at += width) counter[at] = from[rows[i] + place];
}
