import { listOf, UserError } from '../core/errors.ts';
import type { LoggedDecisions } from '../evaluation/ope.ts';
import { crossFittedRewards } from '../evaluation/rewardModel.ts';
import type { CreativeLog } from './creativeLog.ts';

export interface TargetedLog {
  readonly decisions: LoggedDecisions;
  readonly warnings: readonly string[];
}

/**
 * What off-policy evaluation needs of a log, the target being uniform over the actions that the log shows of an ad, or the empirical
 * shares of another policy's log by ad and position.
 *
 * @param target the other policy's log, or `uniform`
 * @throws UserError where the two logs have no ad and position in common
 */
export function targetedLog(log: CreativeLog, target: CreativeLog | 'uniform'): TargetedLog {
  const other = target === 'uniform' ? undefined : target;
  const contexts = new Map<string, number>();
  const contextOf = Int32Array.from(log.contexts, (context) => numberOf(contexts, context));
  const { ofLogs, counts } = numberActions(other ? [log, other] : [log]);
  const actionCount = Math.max(...counts.values());
  const table = new Float64Array(contexts.size * actionCount);
  if (other)
    for (const [row, context] of other.contexts.entries()) {
      const at = contexts.get(context);
      if (at !== undefined) table[at * actionCount + ofLogs[1][row]]++;
    }
  else
    for (const [row, ad] of log.ads.entries()) {
      const at = contextOf[row] * actionCount;
      table.fill(1, at, at + (counts.get(ad) as number));
    }
  const isKnown = toShares(table, actionCount);
  const kept = Int32Array.from(contextOf.keys()).filter((row) => isKnown[contextOf[row]] === 1);
  if (kept.length === 0)
    throw new UserError(
      `${listOf(other?.files ?? [])}: shows no ad and position of ${listOf(log.files)}; name logs of the same ads and positions`,
    );
  const take = (column: Float64Array) => Float64Array.from(kept, (row) => column[row]);
  const rewards = take(log.rewards);
  const inContext = kept.map((row) => contextOf[row]);
  const actions = kept.map((row) => ofLogs[0][row]);
  const { units: givenUnits } = log;
  const units = givenUnits && kept.map((row) => givenUnits[row]);
  return {
    decisions: {
      rewards,
      propensities: take(log.propensities as Float64Array),
      targetProbabilities: Float64Array.from(inContext, (context, i) => table[context * actionCount + actions[i]]),
      predictions: crossFittedRewards({ rewards, actions, contexts: inContext, target: table, actionCount, units }),
      units,
    },
    warnings: warningsOf(
      log.contexts.length - kept.length,
      log.contexts.length,
      unseenShare(table, inContext, actions, actionCount),
    ),
  };
}

/** Counts to shares of their row, in place. @returns 1 for the rows that have any */
function toShares(table: Float64Array, columns: number): Uint8Array {
  const isKnown = new Uint8Array(table.length / columns);
  for (const row of isKnown.keys()) {
    const counts = table.subarray(row * columns, (row + 1) * columns);
    const total = counts.reduce((sum, count) => sum + count, 0);
    if (total === 0) continue;
    isKnown[row] = 1;
    for (const i of counts.keys()) counts[i] /= total;
  }
  return isKnown;
}

/** How much of what the target does at the log's rows the log never shows there. */
function unseenShare(table: Float64Array, contexts: Int32Array, actions: Int32Array, actionCount: number): number {
  const unseen = table.slice();
  for (const [i, context] of contexts.entries()) unseen[context * actionCount + actions[i]] = 0;
  const ofContext = new Float64Array(table.length / actionCount);
  for (const [cell, share] of unseen.entries()) ofContext[Math.floor(cell / actionCount)] += share;
  return contexts.reduce((sum, context) => sum + ofContext[context], 0) / contexts.length;
}

function warningsOf(left: number, rows: number, unseen: number): string[] {
  return [
    left > 0 && `${left} of ${rows} rows are of an ad or position that the target's log lacks; left out`,
    unseen > 0 &&
      `the log never shows ${(100 * unseen).toPrecision(2)} % of what the target does, and says nothing of it`,
  ].filter((warning) => warning !== false);
}

/** Actions numbered from 0 within their ad, the same over all logs. */
function numberActions(logs: readonly CreativeLog[]): { ofLogs: Int32Array[]; counts: Map<string, number> } {
  const ads = new Map<string, Map<string, number>>();
  const ofLogs = logs.map(({ ads: adOf, actions }) =>
    Int32Array.from(actions, (action, row) => {
      let ofAd = ads.get(adOf[row]);
      if (!ofAd) ads.set(adOf[row], (ofAd = new Map()));
      return numberOf(ofAd, action);
    }),
  );
  return { ofLogs, counts: new Map([...ads].map(([ad, ofAd]) => [ad, ofAd.size])) };
}

function numberOf(numbers: Map<string, number>, key: string): number {
  const number = numbers.get(key) ?? numbers.size;
  numbers.set(key, number);
  return number;
}
