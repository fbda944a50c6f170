import { assert } from '../core/errors.ts';
import type { Keys } from '../schema/keys.ts';
import { SAME } from './counterPlan.ts';
import { Reducer } from './createHistory.ts';
import type { AdHistory, History, HistoryRows } from './history.ts';

/**
 * @param adKeys one a key field of the plan: its keys by row of the catalog, or undefined where the request has it
 */
export function createAdHistory(history: History, adKeys: readonly (Keys | undefined)[]): AdHistory {
  assert(history instanceof Reducer, 'ads are read from a history of this library');
  const { plan } = history;
  const isOfAd = (key: number) => adKeys[key] !== undefined;
  const keysOf = (family: number) => [...plan.families[family].keys];
  const words = new Int32Array(2 * plan.keyFields.length);
  const valid = new Uint8Array(plan.keyFields.length);
  const set = (k: number, { words: from, valid: has }: Keys, row: number) => {
    valid[k] = has === undefined || has[row] !== 0 ? 1 : 0;
    words[2 * k] = from[2 * row];
    words[2 * k + 1] = from[2 * row + 1];
  };
  return {
    counterIsOfAd: plan.counters.map((_, c) => opKeys(history, c).some(isOfAd)),
    sequenceIsOfAd: plan.sequencePlans.map(({ family }) => keysOf(family).some(isOfAd)),
    read(keys: readonly Keys[], row: number, nowMs: number, ads: Int32Array, count: number, out: HistoryRows) {
      for (let k = 0; k < keys.length; k++) if (adKeys[k] === undefined) set(k, keys[k], row);
      for (let i = 0; i < count; i++) {
        for (let k = 0; k < keys.length; k++) {
          const own = adKeys[k];
          if (own !== undefined) set(k, own, ads[i]);
        }
        history.readKeys(words, valid, nowMs, out, i);
      }
    },
  };
}

/** Key fields that a counter's values depend on. */
function opKeys({ plan }: Reducer, counter: number): number[] {
  const { ops, families } = plan;
  const keys: number[] = [];
  for (let op = 0; op < ops.count; op++) {
    if (ops.counters[op] !== counter) continue;
    keys.push(...families[ops.families[op]].keys);
    if (ops.priors[op] >= 0) keys.push(...families[ops.priorFamilies[ops.priors[op]]].keys);
    if (ops.kinds[op] === SAME) keys.push(ops.b[op]);
  }
  return keys;
}
