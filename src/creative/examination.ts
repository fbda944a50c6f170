import { assert } from '../core/errors.ts';
import { solvePositive } from '../core/solve.ts';
import { type CellsByItem, cellsByItem, checkLinks } from './cellsByItem.ts';
import { checkCounts, examinationOf, type PositionCounts, slotCtrs, totals } from './positions.ts';
import { fitRatePrior, type RatePrior, shrunkenRate } from './ratePrior.ts';

/** What positions and items each do to a click. */
export interface ExaminationFit {
  /** [positions] relative to the best, which is 1. */
  readonly examination: Float64Array;
  /** [positions] of ln examination, that of the best taken as known: from the information in the clicks, if they are independent. */
  readonly standardErrors: Float64Array;
  /** [items] p(click) in the best position: ECOI, shrunken to `prior` where impressions are few. */
  readonly attraction: Float64Array;
  readonly prior: RatePrior;
  /** Newton steps taken. */
  readonly steps: number;
}

/** Newton stops where a further step would win less likelihood than this. */
const GAIN_LEAST = 1e-10;
const STEPS_MOST = 100;

/**
 * Tells what positions do from what items do, in logs where the better items were shown in the better positions (the examination
 * hypothesis; PAL's two factors without their networks):
 *
 *   P(click on item i in position s) = e_s · a_i        e_s: examination, 1 in the best        a_i: attraction
 *
 * Given an item's clicks, where they fell is multinomial with shares n_is·e_s / Σ_t n_it·e_t, which no attraction is part of, so that
 *
 *   e = argmax Σ_is c_is · ln(e_s / Σ_t n_it·e_t)
 *
 * compares each item only with itself. That is also the joint maximum of the Poisson likelihood over e and all a_i, the point where both
 * e_s = Σ_i c_is / Σ_i n_is·a_i and a_i = Σ_s c_is / Σ_s n_is·e_s (ECOI), which EM nears in turn and Newton on ln e (a concave function)
 * reaches in a few steps, to 1e-10 of likelihood. However many items there are and however few impressions each has, e is consistent as
 * long as the mean is right; a prior over items that ignores who was shown where would bias it, so only `attraction` is shrunken (empirical
 * Bayes, `fitRatePrior`).
 *
 * Time: O(cells · positions of an item) a step.
 *
 * @throws UserError for counts that `checkCounts` refuses, a position without impressions, positions that no clicked item links
 * @see Richardson, Dominowska and Ragno 2007, "Predicting clicks" (examination); Guo et al. 2019, "PAL"; Hausman, Hall and Griliches 1984,
 *   "Econometric models for count data" (the conditional likelihood); Wooldridge 1999, "Distribution-free estimation of some nonlinear
 *   panel data models" (consistent whatever the variance)
 */
export function estimateExamination(counts: PositionCounts): ExaminationFit {
  const start = slotCtrs(counts);
  const { itemCount, positionCount } = checkCounts(counts);
  const cells = cellsByItem(counts, itemCount, positionCount);
  checkLinks(cells, positionCount);
  // Where a rate is 0 the check has failed: a position without clicks is linked to none.
  const logs = start.map(Math.log);
  let state = likelihood(cells, logs);
  let steps = 0;
  for (; ; steps++) {
    assert(steps < STEPS_MOST, `examination: no maximum in ${STEPS_MOST} steps`);
    const step = solvePositive(without(state.information, positionCount, 0), state.gradient.slice(1));
    const gain = step.reduce((sum, change, s) => sum + change * state.gradient[s + 1], 0) / 2;
    // Below the threshold rounding may hide what the last step wins.
    const better = halveUntilBetter(cells, logs, step, state.value);
    if (better) state = better;
    if (!better || gain < GAIN_LEAST) break;
  }
  const examination = examinationOf(logs.map((log) => Math.exp(log - logs[0])));
  const { impressions, clicks } = totals(counts, counts.items, 0, itemCount, examination);
  const prior = fitRatePrior(clicks, impressions);
  const attraction = clicks.map((clicks, item) => shrunkenRate(prior, clicks, impressions[item]));
  const standardErrors = errorsOf(state.information, examination.indexOf(1), positionCount);
  return { examination, standardErrors, attraction, prior, steps };
}

/** The logarithm of the likelihood, its gradient by ln e, and minus its second derivatives, [positions, positions]. */
interface Likelihood {
  readonly value: number;
  readonly gradient: Float64Array;
  readonly information: Float64Array;
}

function likelihood({ starts, positions, impressions, clicks }: CellsByItem, logs: Float64Array): Likelihood {
  const count = logs.length;
  const examination = logs.map(Math.exp);
  const gradient = new Float64Array(count);
  const information = new Float64Array(count * count);
  const shares = new Float64Array(starts[starts.length - 1]);
  let value = 0;
  for (let item = 0; item + 1 < starts.length; item++) {
    const [from, to] = [starts[item], starts[item + 1]];
    let [clicked, exposures] = [0, 0];
    for (let k = from; k < to; k++) {
      clicked += clicks[k];
      exposures += shares[k] = impressions[k] * examination[positions[k]];
    }
    // Nothing is learned from an item that was never clicked, or shown in one position alone.
    if (clicked === 0 || to - from === 1) continue;
    value -= clicked * Math.log(exposures);
    for (let k = from; k < to; k++) {
      const s = positions[k];
      const expected = (clicked * shares[k]) / exposures;
      value += clicks[k] * logs[s];
      gradient[s] += clicks[k] - expected;
      information[s * count + s] += expected;
      for (let other = from; other < to; other++) {
        information[s * count + positions[other]] -= (expected * shares[other]) / exposures;
      }
    }
  }
  return { value, gradient, information };
}

/**
 * Moves `logs` by the step, or the largest half, quarter, … of it that raises the likelihood; undefined, and as they were, where none does.
 * A step is kept to three e-folds: one far too long may win likelihood, but lead where rounding leaves no information.
 */
function halveUntilBetter(
  cells: CellsByItem,
  logs: Float64Array,
  step: Float64Array,
  value: number,
): Likelihood | undefined {
  const before = logs.slice();
  for (let scale = Math.min(1, 3 / Math.max(0, ...step.map(Math.abs))); scale > 1e-6; scale /= 2) {
    for (let s = 1; s < logs.length; s++) logs[s] = before[s] + scale * step[s - 1];
    const state = likelihood(cells, logs);
    if (state.value > value) return state;
  }
  logs.set(before);
  return undefined;
}

/** The information without one position's row and column. */
function without(information: Float64Array, count: number, left: number): Float64Array {
  return information.filter((_, k) => Math.floor(k / count) !== left && k % count !== left);
}

/** √ of the diagonal of the inverse, by position; 0 for `best`. */
function errorsOf(information: Float64Array, best: number, count: number): Float64Array {
  const reduced = without(information, count, best);
  const errors = new Float64Array(count);
  for (let s = 0, k = 0; s < count; s++) {
    if (s === best) continue;
    const unit = new Float64Array(count - 1);
    unit[k] = 1;
    errors[s] = Math.sqrt(solvePositive(reduced, unit)[k]);
    k++;
  }
  return errors;
}
