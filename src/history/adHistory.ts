import { assert } from '../core/errors.ts';
import type { Keys } from '../schema/keys.ts';
import type { VectorScale } from '../schema/numbers.ts';
import { type AdPlan, type Part, planAds } from './adPlan.ts';
import { AdValues, type RequestState, setKey, writeColumn } from './adValues.ts';
import { type KeyNumbers, numberKeys } from './catalogKeys.ts';
import { computePrior, counterValue, encodedValue } from './counterValues.ts';
import { Reducer } from './createHistory.ts';
import type { AdHistory, History, HistoryRows } from './history.ts';
import { UserPairs } from './userPairs.ts';

/** Those of the placements asked for last are kept. */
const defaultKeptBytes = 128 * 2 ** 20;

/** Ads are read so many at a time, so that what they need stays in cache. */
const block = 128;

/**
 * @param adKeys one a key field of the plan: its keys by row of the catalog, or undefined where the request has it
 * @param scales by counter of the plan: its values are written as an encoder with this scale encodes them; raw where absent
 * @param keptBytes what values that are kept by the request's keys may take, beside one set of those
 */
export function createAdHistory(
  history: History,
  adKeys: readonly (Keys | undefined)[],
  scales: readonly (VectorScale | undefined)[] = [],
  keptBytes = defaultKeptBytes,
): AdHistory {
  assert(history instanceof Reducer, 'ads are read from a history of this library');
  return new AdReader(history, adKeys, scales, keptBytes);
}

/**
 * Every value is computed at its scope: what the request alone decides once; what no user changes once a tick by the keys that decide
 * it; what is of a user and an ad's key once a pair of that user. What is left (a rate of the user's whose prior is the ad's) is computed
 * ad by ad.
 */
class AdReader implements AdHistory {
  readonly counterIsOfAd: readonly boolean[];
  readonly sequenceIsOfAd: readonly boolean[];
  private readonly history: Reducer;
  private readonly adKeys: readonly (Keys | undefined)[];
  private readonly scales: readonly (VectorScale | undefined)[];
  private readonly plan: AdPlan;
  private readonly request: RequestState;
  private readonly kept: readonly AdValues[];
  /** How many sets of the request's keys each may keep. */
  private readonly mostSets: number;
  private readonly pairs: readonly UserPairs[];
  private readonly rows = new Int32Array(block);
  private readonly stale = new Int32Array(block);

  constructor(
    history: Reducer,
    adKeys: readonly (Keys | undefined)[],
    scales: readonly (VectorScale | undefined)[],
    keptBytes: number,
  ) {
    const { keyFields, ops } = history.plan;
    const plan = planAds(history.plan, (key) => adKeys[key] !== undefined);
    const request = {
      words: new Int32Array(2 * keyFields.length),
      valid: new Uint8Array(keyFields.length),
      priors: new Float64Array(ops.priorN.length),
    };
    this.history = history;
    this.adKeys = adKeys;
    this.scales = scales;
    this.plan = plan;
    this.request = request;
    this.counterIsOfAd = plan.counterIsOfAd;
    this.sequenceIsOfAd = plan.sequenceIsOfAd;
    const rowCount = adKeys.find((keys) => keys !== undefined)?.rowCount ?? 0;
    const numbered = new Map<string, KeyNumbers>();
    this.kept = plan.kept.map((part) => {
      const keys = part.adKeys.toSorted((a, b) => a - b);
      const name = String(keys);
      const numbers =
        numbered.get(name) ??
        numberKeys(
          keys.map((key) => adKeys[key] as Keys),
          rowCount,
        );
      numbered.set(name, numbers);
      return new AdValues(history, part, request, adKeys, numbers, scales);
    });
    const ofRequests = this.kept.filter(({ part }) => part.requestKeys.length > 0);
    this.mostSets = Math.floor(keptBytes / ofRequests.reduce((sum, { setBytes }) => sum + setBytes, 1));
    this.pairs = plan.pairs.map(({ family, ops: own }) => new UserPairs(family, own, scales));
  }

  read(keys: readonly Keys[], row: number, nowMs: number, ads: Int32Array, count: number, out: HistoryRows): void {
    const { history, adKeys, request, kept, pairs, plan } = this;
    assert(nowMs <= history.watermarkMs, 'history is read where it was advanced to');
    for (let k = 0; k < adKeys.length; k++)
      if (adKeys[k] === undefined) setKey(k, keys[k], row, request.words, request.valid);
    this.compute(plan.ofRequest);
    this.writeRequest(count, out);
    for (let p = 0; p < pairs.length; p++) pairs[p].gather(history, request);
    for (let k = 0; k < kept.length; k++) kept[k].select(this.mostSets);
    for (let from = 0; from < count; from += block) this.readBlock(ads, from, Math.min(block, count - from), out);
    if (plan.ofAd.families.length + plan.ofAd.ops.length > 0)
      for (let i = 0; i < count; i++) this.readAd(ads[i], i, out);
  }

  private readBlock(ads: Int32Array, from: number, count: number, out: HistoryRows): void {
    const { kept, pairs, rows } = this;
    for (let k = 0; k < kept.length; k++) {
      kept[k].update(ads, from, count, rows, this.stale);
      kept[k].write(rows, count, out, from);
    }
    for (let p = 0; p < pairs.length; p++) this.readPairs(pairs[p], ads, from, count, out);
  }

  private readPairs(pairs: UserPairs, ads: Int32Array, from: number, count: number, out: HistoryRows): void {
    const { rows } = this;
    const { families, ops } = this.history.plan;
    const { words, valid } = this.adKeys[families[pairs.family].keys[1]] as Keys;
    const size = pairs.ops.length;
    for (let i = 0; i < count; i++) {
      const ad = ads[from + i];
      rows[i] = valid !== undefined && valid[ad] === 0 ? 0 : size * pairs.find(words[2 * ad], words[2 * ad + 1]);
    }
    for (let p = 0; p < size; p++) {
      const op = pairs.ops[p];
      const counter = out.counters[ops.counters[op]];
      writeColumn(pairs.values, rows, count, p, counter, from, counter.length / out.rowCount, ops.columns[op]);
    }
  }

  /** Views of a part's families, and its priors. */
  private compute(part: Part): void {
    const { history, request } = this;
    const { families, plan } = history;
    for (let i = 0; i < part.families.length; i++)
      families.view(part.families[i], request.words, request.valid, history.readMs(part.families[i]));
    for (let i = 0; i < part.priors.length; i++) computePrior(plan.ops, part.priors[i], families.views, request.priors);
  }

  private valueOf(op: number): number {
    const { history, scales } = this;
    const { ops } = history.plan;
    const { words, valid, priors } = this.request;
    const value = counterValue(ops, op, history.families.views, priors, history.readMs(ops.families[op]), words, valid);
    return encodedValue(value, ops.columns[op], scales[ops.counters[op]]);
  }

  private writeRequest(count: number, out: HistoryRows): void {
    const { ops } = this.history.plan;
    const { ofRequest } = this.plan;
    for (let i = 0; i < ofRequest.ops.length; i++) {
      const op = ofRequest.ops[i];
      const value = this.valueOf(op);
      const counter = out.counters[ops.counters[op]];
      const width = counter.length / out.rowCount;
      const rows = this.counterIsOfAd[ops.counters[op]] ? count : 1;
      for (let to = 0; to < rows; to++) counter[to * width + ops.columns[op]] = value;
    }
    this.readSequences(false, out, 0);
  }

  private readAd(ad: number, to: number, out: HistoryRows): void {
    const { adKeys, request } = this;
    const { ops } = this.history.plan;
    const { ofAd } = this.plan;
    for (let k = 0; k < adKeys.length; k++) {
      const keys = adKeys[k];
      if (keys !== undefined) setKey(k, keys, ad, request.words, request.valid);
    }
    this.compute(ofAd);
    for (let i = 0; i < ofAd.ops.length; i++) {
      const op = ofAd.ops[i];
      const counter = out.counters[ops.counters[op]];
      counter[to * (counter.length / out.rowCount) + ops.columns[op]] = this.valueOf(op);
    }
    this.readSequences(true, out, to);
  }

  private readSequences(ofAds: boolean, out: HistoryRows, to: number): void {
    const { families, plan } = this.history;
    for (let s = 0; s < plan.sequencePlans.length; s++) {
      const { family } = plan.sequencePlans[s];
      if (this.sequenceIsOfAd[s] !== ofAds) continue;
      families.sequences[s].read(families.seen[family], this.history.readMs(family), out.sequences[s], to);
    }
  }
}
