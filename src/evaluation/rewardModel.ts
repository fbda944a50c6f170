import { mix32 } from '../core/hash.ts';
import { groupCount } from './groups.ts';
import { checkLengths, type Values } from './rows.ts';

/** Pairs of a context and an action of its ad, a value each; ads, contexts and actions are numbered from 0. */
export interface Cells {
  readonly ads: Int32Array;
  /** A position of an ad. */
  readonly contexts: Int32Array;
  /** Numbered over all ads: an action of one is none of another. */
  readonly actions: Int32Array;
  /** π(action | context). */
  readonly target: Float64Array;
}

/** A log of actions in contexts, a value a row. */
export interface ActionLog {
  readonly rewards: Values;
  /** What was done where: indices into `choices`. */
  readonly cells: Int32Array;
  /** All that the target policy may do in the log's contexts. */
  readonly choices: Cells;
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

/** Sums by cell or group of cells. */
interface Sums {
  readonly rows: Float64Array;
  readonly sums: Float64Array;
}

/** Those of a half, and the sum of its squared rewards. */
interface Half extends Sums {
  squares: number;
}

/**
 * A reward model of action and context for DM and DR: empirical mean rewards, shrunk towards what action and context say apart,
 *
 *   q̂(a, c) = (Σr_ac + m·q̂(a)·q̂(c)/q̂(ad)) / (n_ac + m)      q̂(a) = (Σr_a + m_a·q̂(ad)) / (n_a + m_a),  q̂(c) likewise
 *
 * and q̂(ad) likewise towards the mean of all rows; each m by the method of moments: the variance of a reward within a cell over that
 * of the means between cells. Each mean is scaled as `shrink` says.
 *
 * Cross-fitted: the rows are halved by a hash of their unit, and each half is predicted from the other, so that a row's reward is
 * never in its own prediction and DR stays unbiased.
 *
 * @see Chernozhukov et al. 2018, "Double/debiased machine learning" (cross-fitting); DerSimonian and Laird 1986 (moments)
 */
export function crossFittedRewards({ rewards, cells, choices, units }: ActionLog): Predictions {
  const rows = rewards.length;
  checkLengths(rows, { cells, units });
  const halves = new Uint8Array(rows);
  for (let i = 0; i < rows; i++) halves[i] = mix32(units ? units[i] : i) & 1;

  const fitHalves = (drawn: Int32Array | undefined, drawnRewards: ArrayLike<number>): Float64Array[] => {
    const sums: Half[] = [0, 1].map(() => ({ ...emptySums(choices.target.length), squares: 0 }));
    for (let i = 0; i < (drawn?.length ?? rows); i++) {
      const row = drawn ? drawn[i] : i;
      // A row teaches the model of the other half.
      const half = sums[1 - halves[row]];
      half.rows[cells[row]]++;
      half.sums[cells[row]] += drawnRewards[i];
      half.squares += drawnRewards[i] ** 2;
    }
    return sums.map((half) => fitCells(half, choices));
  };
  const targetMeans = (fitted: Float64Array[]) => fitted.map((rates) => meansByContext(choices, rates));
  const contextOf = cells.map((cell) => choices.contexts[cell]);

  const fitted = fitHalves(undefined, rewards);
  const means = targetMeans(fitted);
  return {
    logged: Float64Array.from(cells, (cell, i) => fitted[halves[i]][cell]),
    target: Float64Array.from(contextOf, (context, i) => means[halves[i]][context]),
    redraw: (drawn, drawnRewards) => {
      const redrawn = targetMeans(fitHalves(drawn, drawnRewards));
      let sum = 0;
      for (const row of drawn) sum += redrawn[halves[row]][contextOf[row]];
      return sum / drawn.length;
    },
  };
}

const emptySums = (count: number): Sums => ({ rows: new Float64Array(count), sums: new Float64Array(count) });

function meansByContext({ contexts, target }: Cells, rates: Float64Array): Float64Array {
  const means = new Float64Array(groupCount(contexts));
  for (let cell = 0; cell < rates.length; cell++) means[contexts[cell]] += target[cell] * rates[cell];
  return means;
}

function fitCells({ rows, sums, squares }: Half, { ads, contexts, actions }: Cells): Float64Array {
  const total = sum(rows);
  const mean = total === 0 ? 0 : sum(sums) / total;
  const variance = total === 0 ? 0 : squares / total - mean ** 2;
  if (mean === 0) return new Float64Array(rows.length);
  /** Of each cell the mean of its group, whose prior is that of any of its cells. */
  const meansOf = (groups: Int32Array, priors: Float64Array): Float64Array => {
    const ofGroups = emptySums(groupCount(groups));
    const ofPriors = ofGroups.rows.slice();
    for (let cell = 0; cell < groups.length; cell++) {
      ofGroups.rows[groups[cell]] += rows[cell];
      ofGroups.sums[groups[cell]] += sums[cell];
      ofPriors[groups[cell]] = priors[cell];
    }
    const shrunken = shrink(ofGroups, ofPriors, variance);
    const means = new Float64Array(groups.length);
    for (let cell = 0; cell < groups.length; cell++) means[cell] = shrunken[groups[cell]];
    return means;
  };
  const ofAd = meansOf(ads, new Float64Array(rows.length).fill(mean));
  const ofAction = meansOf(actions, ofAd);
  const ofContext = meansOf(contexts, ofAd);
  const priors = new Float64Array(rows.length);
  for (let cell = 0; cell < rows.length; cell++)
    if (ofAd[cell] !== 0) priors[cell] = (ofAction[cell] * ofContext[cell]) / ofAd[cell];
  return shrink({ rows, sums }, priors, variance);
}

/**
 * Means of groups drawn to their priors, by the method of moments. The priors are first scaled to the mean of the groups, each weighing
 * as much as it is known, not as often as it was shown: a policy that shows good items more would raise the priors of the others.
 */
function shrink({ rows, sums }: Sums, priors: Float64Array, variance: number): Float64Array {
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
  const means = new Float64Array(priors.length);
  for (let g = 0; g < means.length; g++) {
    const prior = scale * priors[g];
    means[g] = isSpread ? (sums[g] + strength * prior) / (rows[g] + strength) : prior;
  }
  return means;
}

function sum(values: Float64Array): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
