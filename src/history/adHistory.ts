import { assert } from '../core/errors.ts';
import type { Keys } from '../schema/keys.ts';
import type { VectorScale } from '../schema/numbers.ts';
import { type AdPlan, type Part, planAds, type ReadFields } from './adPlan.ts';
import { AdValues, block, setKey, writeColumn } from './adValues.ts';
import { type KeyNumbers, numberKeys } from './catalogKeys.ts';
import { computePrior, writeValues } from './counterValues.ts';
import { Reducer } from './createHistory.ts';
import type { AdHistory, History, HistoryRows } from './history.ts';
import { UserPairs } from './userPairs.ts';
import { ViewRows } from './viewRows.ts';

/** Those of the placements asked for last are kept. */
const defaultKeptBytes = 128 * 2 ** 20;

/** Of those whose values have to be computed, so many are together. */
const computedTogether = 16;

/**
 * @param adKeys one a key field of the plan: its keys by row of the catalog, or undefined where the request has it
 * @param scales by counter of the plan: its values are written as an encoder with this scale encodes them; raw where absent
 * @param keptBytes what values that are kept by the request's keys may take, beside one set of those
 * @param fields the counters and sequences that are read, others of `out` being left as they are; all where absent
 */
export function createAdHistory(
  history: History,
  adKeys: readonly (Keys | undefined)[],
  scales: readonly (VectorScale | undefined)[] = [],
  keptBytes = defaultKeptBytes,
  fields?: ReadFields,
): AdHistory {
  assert(history instanceof Reducer, 'ads are read from a history of this library');
  return new AdReader(history, adKeys, scales, keptBytes, fields);
}

/**
 * Every value is computed at its scope: what the request alone decides once; what no user changes once a tick by the keys that decide
 * it; what is of a user and an ad's key once a pair of that user. What is left (a rate of the user's whose prior is the ad's) is computed
 * ad by ad.
 */
class AdReader implements AdHistory {
  readonly counterIsOfAd: readonly boolean[];
  readonly sequenceIsOfAd: AdPlan['sequenceIsOfAd'];
  private readonly history: Reducer;
  private readonly adKeys: readonly (Keys | undefined)[];
  private readonly scales: readonly (VectorScale | undefined)[];
  private readonly plan: AdPlan;
  /** The request's keys and priors, and those of one ad beside them; views of it and of ads. */
  private readonly view: ViewRows;
  private readonly kept: readonly AdValues[];
  /** How many sets of the request's keys each may keep. */
  private readonly mostSets: number;
  private readonly pairs: readonly UserPairs[];
  private readonly rows = new Int32Array(block);
  private readonly stale = new Int32Array(block);
  private readonly places = new Int32Array(1);

  constructor(
    history: Reducer,
    adKeys: readonly (Keys | undefined)[],
    scales: readonly (VectorScale | undefined)[],
    keptBytes: number,
    fields?: ReadFields,
  ) {
    const plan = planAds(history.plan, (key) => adKeys[key] !== undefined, fields);
    const view = new ViewRows(history.plan, computedTogether);
    for (const { families, priors } of [...plan.kept, plan.ofAd]) {
      for (const family of families) view.viewSteps[family] = view.width;
      for (const prior of priors) view.priorSteps[prior] = history.plan.ops.priorN.length;
    }
    for (const { family } of plan.pairs) view.viewSteps[family] = view.width;
    this.history = history;
    this.adKeys = adKeys;
    this.scales = scales;
    this.plan = plan;
    this.view = view;
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
      return new AdValues(history, part, view, adKeys, numbers, scales);
    });
    const ofRequests = this.kept.filter(({ part }) => part.requestKeys.length > 0);
    this.mostSets = Math.floor(keptBytes / ofRequests.reduce((sum, { setBytes }) => sum + setBytes, 1));
    this.pairs = plan.pairs.map(({ family, ops: own }) => new UserPairs(family, own, scales, computedTogether));
  }

  read(keys: readonly Keys[], row: number, nowMs: number, ads: Int32Array, count: number, out: HistoryRows): void {
    const { history, adKeys, view, kept, pairs, plan } = this;
    assert(nowMs <= history.watermarkMs, 'history is read where it was advanced to');
    for (let k = 0; k < adKeys.length; k++)
      if (adKeys[k] === undefined) setKey(k, keys[k], row, view.words, view.valid);
    for (let f = 0; f < view.times.length; f++) view.times[f] = history.readMs(f);
    this.compute(plan.ofRequest);
    this.writeRequest(count, out);
    for (let p = 0; p < pairs.length; p++) pairs[p].gather(history, view);
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
    // All keys are asked for first: what follows depends on them.
    let touched = 0;
    for (let i = 0; i < count; i++) touched += words[2 * ads[from + i]];
    this.history.families.touched = touched;
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
    const { history, view } = this;
    const { families, plan } = history;
    for (let i = 0; i < part.families.length; i++) families.view(part.families[i], view);
    for (let i = 0; i < part.priors.length; i++) computePrior(plan.ops, part.priors[i], view, 1);
  }

  /** Writes values of a part to row `to`. */
  private writeOne({ ops: chosen }: Part, out: HistoryRows, to: number): void {
    const { ops } = this.history.plan;
    const { scales, view, places } = this;
    for (let i = 0; i < chosen.length; i++) {
      const op = chosen[i];
      const counter = out.counters[ops.counters[op]];
      places[0] = to * (counter.length / out.rowCount);
      writeValues(ops, op, view, 1, scales[ops.counters[op]], counter, places, ops.columns[op]);
    }
  }

  private writeRequest(count: number, out: HistoryRows): void {
    const { ops } = this.history.plan;
    const { ofRequest } = this.plan;
    this.writeOne(ofRequest, out, 0);
    for (let i = 0; i < ofRequest.ops.length; i++) {
      const op = ofRequest.ops[i];
      if (!this.counterIsOfAd[ops.counters[op]]) continue;
      const counter = out.counters[ops.counters[op]];
      const width = counter.length / out.rowCount;
      const column = ops.columns[op];
      for (let at = column; at < count * width; at += width) counter[at] = counter[column];
    }
    this.readSequences(false, out, 0);
  }

  private readAd(ad: number, to: number, out: HistoryRows): void {
    const { adKeys, view, plan } = this;
    for (let k = 0; k < adKeys.length; k++) {
      const keys = adKeys[k];
      if (keys !== undefined) setKey(k, keys, ad, view.words, view.valid);
    }
    this.compute(plan.ofAd);
    this.writeOne(plan.ofAd, out, to);
    this.readSequences(true, out, to);
  }

  private readSequences(ofAds: boolean, out: HistoryRows, to: number): void {
    const { families, plan } = this.history;
    for (let s = 0; s < plan.sequencePlans.length; s++) {
      const { family } = plan.sequencePlans[s];
      if (this.sequenceIsOfAd[s] !== ofAds) continue;
      families.sequences[s].read(families.seen[family], this.view.times[family], out.sequences[s], to);
    }
  }
}
