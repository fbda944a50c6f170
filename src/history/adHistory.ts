import { assert } from '../core/errors.ts';
import type { Keys } from '../schema/keys.ts';
import { AdValues } from './adValues.ts';
import { SAME } from './counterPlan.ts';
import { computePrior, counterValue } from './counterValues.ts';
import { Reducer } from './createHistory.ts';
import type { AdHistory, History, HistoryRows } from './history.ts';
import { UserPairs } from './userPairs.ts';

/** Values are kept for so many sets of the request's keys: of the placements asked for last. */
const mostKept = 8;

/**
 * @param adKeys one a key field of the plan: its keys by row of the catalog, or undefined where the request has it
 */
export function createAdHistory(history: History, adKeys: readonly (Keys | undefined)[]): AdHistory {
  assert(history instanceof Reducer, 'ads are read from a history of this library');
  return new AdReader(history, adKeys);
}

/** Families, the priors computed from them and the ops computed from both, in order. */
interface Part {
  readonly families: Int32Array;
  readonly priors: Int32Array;
  readonly ops: Int32Array;
}

/**
 * Every value is computed at its scope: what the request alone decides once; what no user changes once a tick, an ad and the request's
 * keys with it; what is of a user and an ad's key once a pair of that user. What is left (a rate of the user's whose prior is the ad's) is
 * computed ad by ad.
 */
class AdReader implements AdHistory {
  readonly counterIsOfAd: readonly boolean[];
  readonly sequenceIsOfAd: readonly boolean[];
  private readonly history: Reducer;
  private readonly adKeys: readonly (Keys | undefined)[];
  private readonly rowCount: number;
  private readonly ofRequest: Part;
  private readonly ofTick: Part;
  private readonly ofAd: Part;
  private readonly pairs: readonly UserPairs[];
  /** The request's keys that `ofTick` depends on. */
  private readonly tickKeys: Int32Array;
  private readonly kept: AdValues[] = [];
  private readonly priors: Float64Array;
  private readonly words: Int32Array;
  private readonly valid: Uint8Array;
  private entries = new Int32Array(0);
  private requests = 0;

  constructor(history: Reducer, adKeys: readonly (Keys | undefined)[]) {
    this.history = history;
    this.adKeys = adKeys;
    this.rowCount = adKeys.find((keys) => keys !== undefined)?.rowCount ?? 0;
    const { plan } = history;
    const { ops } = plan;
    const isOfAd = (key: number) => adKeys[key] !== undefined;
    const keysOf = (family: number) => [...plan.families[family].keys];
    const priorsOf = (prior: number): number[] => (prior < 0 ? [] : [...priorsOf(ops.priorBase[prior]), prior]);
    const all = Array.from({ length: ops.count }, (_, op) => {
      const priors = priorsOf(ops.priors[op]);
      const families = [ops.families[op], ...priors.map((prior) => ops.priorFamilies[prior])];
      const same = ops.kinds[op] === SAME ? [ops.b[op]] : [];
      const keys = [...new Set([...families.flatMap(keysOf), ...same])];
      const isUser = families.some((family) => plan.families[family].isUser);
      const others = [...families.slice(1).flatMap(keysOf), ...same];
      return { op, priors, families, keys, isOfAd: keys.some(isOfAd), isUser, isOfPair: !others.some(isOfAd) };
    });
    type Op = (typeof all)[number];
    const partOf = (chosen: readonly Op[], more: readonly number[] = []): Part => {
      const families = [...chosen.flatMap((op) => op.families), ...more];
      const withOwners = families.flatMap((family) => [plan.families[family].owner, family]).filter((f) => f >= 0);
      const ints = (values: readonly number[]) => Int32Array.from(new Set(values)).sort();
      return {
        families: ints(withOwners),
        priors: ints(chosen.flatMap((op) => op.priors)),
        ops: ints(chosen.map((op) => op.op)),
      };
    };
    const isUserPair = ({ op, isUser, isOfPair }: Op) => {
      const { owner, keys } = plan.families[ops.families[op]];
      return isUser && isOfPair && owner >= 0 && plan.families[owner].isUser && !isOfAd(keys[0]) && isOfAd(keys[1]);
    };
    const ofAd = all.filter((op) => op.isOfAd);
    const ofTick = ofAd.filter((op) => !op.isUser);
    const ofPairs = ofAd.filter((op) => op.isUser && isUserPair(op));
    const pairFamilies = [...new Set(ofPairs.map(({ op }) => ops.families[op]))];
    this.pairs = pairFamilies.map((family) => {
      const own = ofPairs.filter(({ op }) => ops.families[op] === family);
      return new UserPairs(
        family,
        own.map(({ op }) => op),
      );
    });
    this.sequenceIsOfAd = plan.sequencePlans.map(({ family }) => keysOf(family).some(isOfAd));
    const sequenceFamilies = (ofAds: boolean) =>
      plan.sequencePlans.filter((_, s) => this.sequenceIsOfAd[s] === ofAds).map(({ family }) => family);
    // Of pairs, what all of a user's have in common: their owner and priors.
    const shared = ofPairs.flatMap(({ families }) => [plan.families[families[0]].owner, ...families.slice(1)]);
    const ofRequest = partOf(
      all.filter((op) => !op.isOfAd),
      [...sequenceFamilies(false), ...shared],
    );
    const pairPriors = Int32Array.from(new Set([...ofRequest.priors, ...ofPairs.flatMap((op) => op.priors)])).sort();
    this.ofRequest = { ...ofRequest, priors: pairPriors };
    this.ofTick = partOf(ofTick);
    this.ofAd = partOf(
      ofAd.filter((op) => op.isUser && !ofPairs.includes(op)),
      sequenceFamilies(true),
    );
    this.tickKeys = Int32Array.from(new Set(ofTick.flatMap((op) => op.keys))).filter((key) => !isOfAd(key));
    this.counterIsOfAd = plan.counters.map((_, c) => ofAd.some(({ op }) => ops.counters[op] === c));
    this.priors = new Float64Array(ops.priorN.length);
    this.words = new Int32Array(2 * plan.keyFields.length);
    this.valid = new Uint8Array(plan.keyFields.length);
  }

  read(keys: readonly Keys[], row: number, nowMs: number, ads: Int32Array, count: number, out: HistoryRows): void {
    const { history, adKeys } = this;
    assert(nowMs <= history.watermarkMs, 'history is read where it was advanced to');
    for (let k = 0; k < adKeys.length; k++) if (adKeys[k] === undefined) this.setKey(k, keys[k], row);
    this.readRequest(count, out);
    // Before others' views take the place of the user's.
    for (let p = 0; p < this.pairs.length; p++) this.readPairs(this.pairs[p], ads, count, out);
    if (this.ofTick.ops.length > 0) this.readKept(ads, count, out);
    if (this.ofAd.families.length > 0) for (let i = 0; i < count; i++) this.readAd(ads[i], i, out);
  }

  private readRequest(count: number, out: HistoryRows): void {
    const { history, ofRequest, priors, words, valid } = this;
    const { families, plan } = history;
    const { ops } = plan;
    for (let i = 0; i < ofRequest.families.length; i++)
      families.view(ofRequest.families[i], words, valid, history.readMs(ofRequest.families[i]));
    for (let i = 0; i < ofRequest.priors.length; i++) computePrior(ops, ofRequest.priors[i], families.views, priors);
    for (let i = 0; i < ofRequest.ops.length; i++) {
      const op = ofRequest.ops[i];
      const value = counterValue(ops, op, families.views, priors, history.readMs(ops.families[op]), words, valid);
      const counter = out.counters[ops.counters[op]];
      const width = counter.length / out.rowCount;
      const rows = this.counterIsOfAd[ops.counters[op]] ? count : 1;
      for (let to = 0; to < rows; to++) counter[to * width + ops.columns[op]] = value;
    }
    for (let s = 0; s < plan.sequencePlans.length; s++) {
      const { family } = plan.sequencePlans[s];
      if (this.sequenceIsOfAd[s]) continue;
      families.sequences[s].read(families.seen[family], history.readMs(family), out.sequences[s], 0);
    }
  }

  private readPairs(pairs: UserPairs, ads: Int32Array, count: number, out: HistoryRows): void {
    const { history, priors } = this;
    const { keys } = history.plan.families[pairs.family];
    const { words, valid } = this.adKeys[keys[1]] as Keys;
    if (this.entries.length < count) this.entries = new Int32Array(count);
    const { entries } = this;
    pairs.gather(history, priors, this.words, this.valid);
    for (let i = 0; i < count; i++) {
      const ad = ads[i];
      entries[i] = valid !== undefined && valid[ad] === 0 ? 0 : pairs.find(words[2 * ad], words[2 * ad + 1]);
    }
    for (let p = 0; p < pairs.ops.length; p++)
      this.writeOp(pairs.ops[p], pairs.values, pairs.ops.length, p, entries, count, out);
  }

  private readKept(ads: Int32Array, count: number, out: HistoryRows): void {
    const { history, ofTick } = this;
    const kept = this.keptOf();
    const version = history.sharedVersion;
    for (let i = 0; i < count; i++) {
      if (kept.isCurrent(ads[i], version)) continue;
      this.setAd(ads[i]);
      kept.compute(history, ads[i], ofTick, this.priors, this.words, this.valid);
    }
    for (let p = 0; p < ofTick.ops.length; p++)
      this.writeOp(ofTick.ops[p], kept.values, ofTick.ops.length, p, ads, count, out);
  }

  /** Values of one op, from column `column` of `rows` of `values`. */
  private writeOp(
    op: number,
    values: Float32Array,
    width: number,
    column: number,
    rows: Int32Array,
    count: number,
    out: HistoryRows,
  ): void {
    const { ops } = this.history.plan;
    const counter = out.counters[ops.counters[op]];
    const counterWidth = counter.length / out.rowCount;
    for (let i = 0, to = ops.columns[op]; i < count; i++, to += counterWidth)
      counter[to] = values[rows[i] * width + column];
  }

  /** The values kept for the request's keys; those asked for longest ago make room. */
  private keptOf(): AdValues {
    const { kept, words, valid, history, ofTick } = this;
    this.requests++;
    let oldest = 0;
    for (let i = 0; i < kept.length; i++) {
      if (kept[i].isOf(this.tickKeys, words, valid)) {
        kept[i].usedAt = this.requests;
        return kept[i];
      }
      if (kept[i].usedAt < kept[oldest].usedAt) oldest = i;
    }
    if (kept.length < mostKept) {
      const { keyFields } = history.plan;
      oldest = kept.push(new AdValues(this.rowCount, ofTick.ops.length, ofTick.families.length, keyFields.length)) - 1;
    }
    kept[oldest].take(words, valid);
    kept[oldest].usedAt = this.requests;
    return kept[oldest];
  }

  private readAd(ad: number, to: number, out: HistoryRows): void {
    const { history, ofAd, priors, words, valid } = this;
    const { families, plan } = history;
    const { ops } = plan;
    this.setAd(ad);
    for (let i = 0; i < ofAd.families.length; i++)
      families.view(ofAd.families[i], words, valid, history.readMs(ofAd.families[i]));
    for (let i = 0; i < ofAd.priors.length; i++) computePrior(ops, ofAd.priors[i], families.views, priors);
    for (let i = 0; i < ofAd.ops.length; i++) {
      const op = ofAd.ops[i];
      const counter = out.counters[ops.counters[op]];
      const value = counterValue(ops, op, families.views, priors, history.readMs(ops.families[op]), words, valid);
      counter[to * (counter.length / out.rowCount) + ops.columns[op]] = value;
    }
    for (let s = 0; s < plan.sequencePlans.length; s++) {
      const { family } = plan.sequencePlans[s];
      if (!this.sequenceIsOfAd[s]) continue;
      families.sequences[s].read(families.seen[family], history.readMs(family), out.sequences[s], to);
    }
  }

  private setAd(ad: number): void {
    for (let k = 0; k < this.adKeys.length; k++) {
      const keys = this.adKeys[k];
      if (keys !== undefined) this.setKey(k, keys, ad);
    }
  }

  private setKey(k: number, { words, valid }: Keys, row: number): void {
    this.valid[k] = valid === undefined || valid[row] !== 0 ? 1 : 0;
    this.words[2 * k] = words[2 * row];
    this.words[2 * k + 1] = words[2 * row + 1];
  }
}
