import type { Random } from '../core/random.ts';
import type { LoggedDecisions } from './ope.ts';
import { type Cells, crossFittedRewards } from './rewardModel.ts';

export interface SimulatedLogs {
  readonly rows: number;
  /** Mean click rates of the logs, spread evenly on the scale of logarithms. */
  readonly clickRate: readonly [low: number, high: number];
  /** How logs choose: by softmax of a score, mixed with a tenth of chance, or one item half the time and any other else. */
  readonly logging: 'softmax' | 'epsilon' | 'uniform';
  readonly target: 'softmax' | 'uniform';
  /** Rows of a user, on average; each user clicks a multiple of the rates, exponentially distributed. Rows have no units where absent. */
  readonly unitRows?: number;
}

const ITEMS = 34;
const POSITIONS = 3;

/**
 * A log of 34 items in 3 positions, as Open Bandit's: clicks at item × position rates that are no product, policies by position.
 *
 * @returns the log, with a cross-fitted model's predictions, and what the target policy truly earns
 */
export function simulateLog(
  { rows, clickRate, logging, target, unitRows }: SimulatedLogs,
  random: Random,
): { log: LoggedDecisions; truth: number } {
  const mean = clickRate[0] * (clickRate[1] / clickRate[0]) ** random.next();
  const items = Float64Array.from({ length: ITEMS }, () => Math.exp(0.5 * random.normal()));
  const rates = Float64Array.from(
    { length: POSITIONS * ITEMS },
    (_, cell) => items[cell % ITEMS] * [1, 0.8, 0.6][Math.floor(cell / ITEMS)] * Math.exp(0.15 * random.normal()),
  );
  const scale = (mean * rates.length) / rates.reduce((sum, rate) => sum + rate, 0);
  for (const cell of rates.keys()) rates[cell] = Math.min(0.9, rates[cell] * scale);

  const propensity = policy(logging, rates, random);
  // The target is drawn apart from the rates: it need be no good one.
  const pi = policy(target, new Float64Array(rates.length).fill(1), random);
  const cells = new Int32Array(rows);
  const rewards = new Float64Array(rows);
  const units = new Int32Array(rows);
  const exponential = () => -Math.log(1 - random.next());
  let [unit, unitEnd, clicksOfUnit] = [-1, 0, 1];
  for (let row = 0; row < rows; row++) {
    if (unitRows !== undefined && row === unitEnd) {
      unit++;
      unitEnd += Math.ceil(unitRows * exponential());
      clicksOfUnit = exponential();
    }
    units[row] = unit;
    const position = random.below(POSITIONS);
    let left = random.next();
    let action = 0;
    while (action < ITEMS - 1 && (left -= propensity[position * ITEMS + action]) > 0) action++;
    cells[row] = position * ITEMS + action;
    rewards[row] = Number(random.next() < clicksOfUnit * rates[cells[row]]);
  }
  const ofUnits = unitRows === undefined ? {} : { units };
  return {
    log: {
      rewards,
      propensities: rewards.map((_, row) => propensity[cells[row]]),
      targetProbabilities: rewards.map((_, row) => pi[cells[row]]),
      predictions: crossFittedRewards({ rewards, cells, choices: cellsOfOneAd(pi, ITEMS), ...ofUnits }),
      ...ofUnits,
    },
    truth: pi.reduce((sum, share, cell) => sum + share * rates[cell], 0) / POSITIONS,
  };
}

/** @param target [contexts, actions] row-major: the actions of one ad, the same in all contexts */
export function cellsOfOneAd(target: Float64Array, actionCount: number): Cells {
  return {
    ads: new Int32Array(target.length),
    contexts: Int32Array.from(target, (_, cell) => Math.floor(cell / actionCount)),
    actions: Int32Array.from(target, (_, cell) => cell % actionCount),
    target,
  };
}

function policy(kind: 'softmax' | 'epsilon' | 'uniform', rates: Float64Array, random: Random): Float64Array {
  const shares = new Float64Array(POSITIONS * ITEMS);
  for (let position = 0; position < POSITIONS; position++) {
    const at = position * ITEMS;
    const favourite = random.below(ITEMS);
    const scores = Float64Array.from({ length: ITEMS }, (_, item) => rates[at + item] * Math.exp(random.normal()));
    const total = scores.reduce((sum, score) => sum + score, 0);
    for (let item = 0; item < ITEMS; item++) {
      const chance = 1 / ITEMS;
      if (kind === 'uniform') shares[at + item] = chance;
      if (kind === 'softmax') shares[at + item] = 0.1 * chance + (0.9 * scores[item]) / total;
      if (kind === 'epsilon') shares[at + item] = 0.5 * chance + (item === favourite ? 0.5 : 0);
    }
  }
  return shares;
}
