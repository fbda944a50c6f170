import { mix32 } from '../core/hash.ts';
import { checkLengths, type Values } from './rows.ts';

/** A log of actions in contexts (positions, or the positions of an ad), and how likely a target policy takes each action in each context. */
export interface ActionLog {
  readonly rewards: Values;
  /** From 0. */
  readonly actions: Int32Array;
  /** From 0; all 0 where there are none. */
  readonly contexts: Int32Array;
  /** [contexts, actions] row-major: π(a | context). */
  readonly target: Float64Array;
  readonly actionCount: number;
  /** What belongs together (a page, a user) and must not be in both halves; each row by itself where absent. */
  readonly units?: Int32Array;
}

/** What a reward model says of a log's rows. */
export interface Predictions {
  /** q̂(x, a) of the logged action. */
  readonly logged: Values;
  /** Σ_a π(a | x) q̂(x, a). */
  readonly target: Values;
  /** The mean of `target` over drawn rows with drawn rewards, the model fitted to them anew. */
  readonly redraw?: (rows: Int32Array, rewards: Float64Array) => number;
}

/** Sums by context and action, row-major; the first and second moments of rewards. */
interface Cells {
  readonly rows: Float64Array;
  readonly sums: Float64Array;
  squares: number;
}

/**
 * A reward model of action and context for DM and DR: empirical mean rewards, shrunk towards what action and context say apart,
 *
 *   q̂(a, c) = (Σr_ac + m·q̂(a)·q̂(c)/r̄) / (n_ac + m)      q̂(a) = (Σr_a + m_a·r̄) / (n_a + m_a),  q̂(c) likewise
 *
 * each m by the method of moments: the variance of a reward within a cell over that of the means between cells.
 *
 * Cross-fitted: the rows are halved by a hash of their unit, and each half is predicted from the other, so that a row's reward is
 * never in its own prediction and DR stays unbiased.
 *
 * @see Chernozhukov et al. 2018, "Double/debiased machine learning" (cross-fitting); DerSimonian and Laird 1986 (moments)
 */
export function crossFittedRewards(log: ActionLog): Predictions {
  const { rewards, actions, contexts, target, actionCount, units } = log;
  const rows = rewards.length;
  checkLengths(rows, { actions, contexts, units });
  const halves = new Uint8Array(rows);
  for (let i = 0; i < rows; i++) halves[i] = mix32(units ? units[i] : i) & 1;

  const fitHalves = (drawn: Int32Array | undefined, drawnRewards: ArrayLike<number>): Float64Array[] => {
    const cells = [emptyCells(target.length), emptyCells(target.length)];
    for (let i = 0; i < (drawn?.length ?? rows); i++) {
      const row = drawn ? drawn[i] : i;
      // A row teaches the model of the other half.
      const { rows: counts, sums } = cells[1 - halves[row]];
      const cell = contexts[row] * actionCount + actions[row];
      counts[cell]++;
      sums[cell] += drawnRewards[i];
      cells[1 - halves[row]].squares += drawnRewards[i] ** 2;
    }
    return cells.map((half) => fitCells(half, actionCount));
  };
  const targetMeans = (fitted: Float64Array[]) => fitted.map((rates) => meansByContext(target, rates, actionCount));

  const fitted = fitHalves(undefined, rewards);
  const means = targetMeans(fitted);
  const logged = Float64Array.from(rewards, (_, i) => fitted[halves[i]][contexts[i] * actionCount + actions[i]]);
  return {
    logged,
    target: Float64Array.from(rewards, (_, i) => means[halves[i]][contexts[i]]),
    redraw: (drawn, drawnRewards) => {
      const redrawn = targetMeans(fitHalves(drawn, drawnRewards));
      let sum = 0;
      for (const row of drawn) sum += redrawn[halves[row]][contexts[row]];
      return sum / drawn.length;
    },
  };
}

const emptyCells = (count: number): Cells => ({
  rows: new Float64Array(count),
  sums: new Float64Array(count),
  squares: 0,
});

function meansByContext(target: Float64Array, rates: Float64Array, actionCount: number): Float64Array {
  const means = new Float64Array(rates.length / actionCount);
  for (let cell = 0; cell < rates.length; cell++) means[Math.floor(cell / actionCount)] += target[cell] * rates[cell];
  return means;
}

function fitCells({ rows, sums, squares }: Cells, actionCount: number): Float64Array {
  const contextCount = rows.length / actionCount;
  const total = sum(rows);
  const mean = total === 0 ? 0 : sum(sums) / total;
  const variance = total === 0 ? 0 : squares / total - mean ** 2;
  const prior = new Float64Array(rows.length).fill(mean);
  if (mean === 0) return prior;
  const byAction = addUp(rows, sums, actionCount, (cell) => cell % actionCount);
  const byContext = addUp(rows, sums, contextCount, (cell) => Math.floor(cell / actionCount));
  const ofAction = shrink(byAction, new Float64Array(actionCount).fill(mean), variance);
  const ofContext = shrink(byContext, new Float64Array(contextCount).fill(mean), variance);
  for (let cell = 0; cell < prior.length; cell++)
    prior[cell] = (ofAction[cell % actionCount] * ofContext[Math.floor(cell / actionCount)]) / mean;
  return shrink({ rows, sums }, prior, variance);
}

type Groups = Pick<Cells, 'rows' | 'sums'>;

function addUp(rows: Float64Array, sums: Float64Array, count: number, groupOf: (cell: number) => number): Groups {
  const groups = { rows: new Float64Array(count), sums: new Float64Array(count) };
  for (let cell = 0; cell < rows.length; cell++) {
    groups.rows[groupOf(cell)] += rows[cell];
    groups.sums[groupOf(cell)] += sums[cell];
  }
  return groups;
}

/**
 * Means of groups drawn to their priors, by the method of moments. The priors are first scaled to the mean of the groups, each weighing
 * as much as it is known, not as often as it was shown: a policy that shows good items more would raise the priors of the others.
 */
function shrink({ rows, sums }: Groups, priors: Float64Array, variance: number): Float64Array {
  let [total, squares, groups, spread] = [0, 0, 0, 0];
  for (let g = 0; g < rows.length; g++) {
    if (rows[g] === 0) continue;
    total += rows[g];
    squares += rows[g] ** 2;
    groups++;
    spread += rows[g] * (sums[g] / rows[g] - priors[g]) ** 2;
  }
  const between = (spread - (groups - 1) * variance) / (total - squares / total);
  // One group alone has nothing between it and others: a division by 0.
  const isSpread = between > 0 && between < Number.POSITIVE_INFINITY && variance > 0;
  const strength = isSpread ? variance / between : Number.POSITIVE_INFINITY;
  let [above, below] = [0, 0];
  for (let g = 0; g < rows.length; g++) {
    above += sums[g] / (1 + rows[g] / strength);
    below += (rows[g] * priors[g]) / (1 + rows[g] / strength);
  }
  const scale = below === 0 ? 1 : above / below;
  if (!isSpread) return priors.map((prior) => prior * scale);
  return priors.map((prior, g) => (sums[g] + strength * scale * prior) / (rows[g] + strength));
}

function sum(values: Float64Array): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
