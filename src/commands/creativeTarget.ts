import { listOf, UserError } from '../core/errors.ts';
import { groupCount } from '../evaluation/groups.ts';
import type { LoggedDecisions } from '../evaluation/ope.ts';
import { type Cells, crossFittedRewards } from '../evaluation/rewardModel.ts';
import type { CreativeLog } from './creativeLog.ts';

export interface TargetedLog {
  readonly decisions: LoggedDecisions;
  readonly warnings: readonly string[];
}

/**
 * What off-policy evaluation needs of a log, the target being uniform over the actions that the log shows of an ad, or the empirical
 * shares of another policy's log by ad and position.
 *
 * Those shares are taken as the target itself: the estimates are of a policy with just these shares, and no interval holds the error
 * with which they tell those of the policy that drew them, which is small only where the other log has many rows an ad and position.
 *
 * @param target the other policy's log, or `uniform`
 * @throws UserError where the two logs have no ad and position in common
 */
export function targetedLog(log: CreativeLog, target: CreativeLog | 'uniform'): TargetedLog {
  const other = target === 'uniform' ? undefined : target;
  const { choices, cellOf } = layOutCells(log, other);
  if (other)
    for (const row of other.contexts.keys()) {
      const cell = cellOf(other, row);
      if (cell !== undefined) choices.target[cell]++;
    }
  else choices.target.fill(1);
  const isKnown = toShares(choices);
  const cellOfRow = Int32Array.from(log.contexts, (_, row) => cellOf(log, row) as number);
  const kept = Int32Array.from(cellOfRow.keys()).filter((row) => isKnown[choices.contexts[cellOfRow[row]]] === 1);
  if (kept.length === 0)
    throw new UserError(
      `${listOf(other?.files ?? [])}: shows no ad and position of ${listOf(log.files)}; name logs of the same ads and positions`,
    );
  const take = (column: Float64Array) => Float64Array.from(kept, (row) => column[row]);
  const rewards = take(log.rewards);
  const cells = kept.map((row) => cellOfRow[row]);
  const { units: givenUnits } = log;
  const units = givenUnits && kept.map((row) => givenUnits[row]);
  return {
    decisions: {
      rewards,
      propensities: take(log.propensities as Float64Array),
      targetProbabilities: Float64Array.from(cells, (cell) => choices.target[cell]),
      predictions: crossFittedRewards({ rewards, cells, choices, units }),
      units,
    },
    warnings: warningsOf(log.contexts.length - kept.length, log.contexts.length, unseenShare(choices, cells)),
  };
}

interface Ad {
  readonly number: number;
  /** Place of an action among those of the ad. */
  readonly places: Map<string, number>;
}

/**
 * A cell for each context of a log and each action that it or the other log shows of the context's ad.
 *
 * @returns `cellOf` a row of either log; undefined for a context that `log` lacks
 */
function layOutCells(log: CreativeLog, other?: CreativeLog) {
  const ads = new Map<string, Ad>();
  for (const { ads: adOf, actions } of other ? [log, other] : [log])
    for (const [row, action] of actions.entries()) {
      let ad = ads.get(adOf[row]);
      if (!ad) ads.set(adOf[row], (ad = { number: ads.size, places: new Map() }));
      if (!ad.places.has(action)) ad.places.set(action, ad.places.size);
    }
  const firstActions = [0];
  for (const { number, places } of ads.values()) firstActions.push(firstActions[number] + places.size);
  const firstCells = new Map<string, number>();
  const [ofAds, ofContexts, ofActions]: number[][] = [[], [], []];
  for (const [row, context] of log.contexts.entries()) {
    if (firstCells.has(context)) continue;
    const { number, places } = ads.get(log.ads[row]) as Ad;
    for (let place = 0; place < places.size; place++) {
      ofAds.push(number);
      ofContexts.push(firstCells.size);
      ofActions.push(firstActions[number] + place);
    }
    firstCells.set(context, ofContexts.length - places.size);
  }
  const choices: Cells = {
    ads: Int32Array.from(ofAds),
    contexts: Int32Array.from(ofContexts),
    actions: Int32Array.from(ofActions),
    target: new Float64Array(ofContexts.length),
  };
  const cellOf = ({ contexts, ads: adOf, actions }: CreativeLog, row: number): number | undefined => {
    const first = firstCells.get(contexts[row]);
    return first === undefined ? undefined : first + (ads.get(adOf[row])?.places.get(actions[row]) as number);
  };
  return { choices, cellOf };
}

/** Counts to shares of their context, in place. @returns 1 for the contexts that have any */
function toShares({ contexts, target }: Cells): Uint8Array {
  const totals = new Float64Array(groupCount(contexts));
  for (const [cell, count] of target.entries()) totals[contexts[cell]] += count;
  for (const [cell, context] of contexts.entries()) if (totals[context] > 0) target[cell] /= totals[context];
  return Uint8Array.from(totals, (total) => Number(total > 0));
}

/** How much of what the target does at the log's rows the log never shows there. */
function unseenShare({ contexts, target }: Cells, cells: Int32Array): number {
  const unseen = target.slice();
  for (const cell of cells) unseen[cell] = 0;
  const ofContext = new Float64Array(groupCount(contexts));
  for (const [cell, share] of unseen.entries()) ofContext[contexts[cell]] += share;
  return cells.reduce((sum, cell) => sum + ofContext[contexts[cell]], 0) / cells.length;
}

function warningsOf(left: number, rows: number, unseen: number): string[] {
  return [
    left > 0 && `${left} of ${rows} rows are of an ad or position that the target's log lacks; left out`,
    unseen > 0 &&
      `the log never shows ${(100 * unseen).toPrecision(2)} % of what the target does, and says nothing of it`,
  ].filter((warning) => warning !== false);
}
