import { UserError } from '../core/errors.ts';

/**
 * What was shown of items in slots and what came of it, added up: a cell is an item in a position; cells may repeat. An item is whatever
 * keeps its attraction from slot to slot (a creative, an ad, a result of a query).
 */
export interface PositionCounts {
  /** [cells] from 0. */
  readonly items: Int32Array;
  /** [cells] from 1, the top. Slots of several placements may be numbered on: only that every number is used matters. */
  readonly positions: Int32Array;
  /** [cells] */
  readonly impressions: Float64Array;
  /** [cells] */
  readonly clicks: Float64Array;
}

/** More slots than this are a mistake, such as a position in pixels. */
const POSITIONS_MOST = 1000;

/**
 * The CTR of each position over all its impressions:
 *
 *   ctr_s = clicks_s / impressions_s
 *
 * What a position does is this only where items met positions by chance: count the randomised share of the traffic alone. Of other
 * traffic it holds what the items did as well, since the better were shown higher; see `estimateExamination`.
 *
 * @returns [positions], as many as the highest position
 * @throws UserError for counts that `checkCounts` refuses, or a position without impressions
 */
export function slotCtrs(counts: PositionCounts): Float64Array {
  const { positionCount } = checkCounts(counts);
  const { impressions, clicks } = totals(counts, counts.positions, 1, positionCount);
  return clicks.map((clicks, s) => {
    if (impressions[s] > 0) return clicks / impressions[s];
    throw new UserError(
      `positions: position ${s + 1} of ${positionCount} has no impressions; expected some in each, number the positions without gaps`,
    );
  });
}

/**
 * How much a position is looked at, relative to the best: ctr_s / max ctr, which is what `ecoi` and the bandit's exposures count by.
 *
 * @throws UserError where no position has a click
 */
export function examinationOf(slotCtrs: Float64Array): Float64Array {
  const best = slotCtrs.reduce((most, ctr) => Math.max(most, ctr), 0);
  if (best > 0) return slotCtrs.map((ctr) => ctr / best);
  throw new UserError('positions: no position has a click, so they cannot be compared; gather more impressions');
}

/**
 * Clicks over expected clicks, 1 for an item as good as the average one that the slot CTRs came from:
 *
 *   COEC_i = Σ_s clicks_is / Σ_s impressions_is · ctr_s
 *
 * @returns [items]
 * @throws UserError for counts that `checkCounts` refuses, a position without a CTR, an item without impressions where clicks are expected
 * @see Zhang and Jones 2007, "Comparing click logs and editorial labels for training query rewriting"; Chen and Yan 2012, "Position-normalized
 *   click prediction in search advertising"
 */
export function coec(counts: PositionCounts, slotCtrs: Float64Array): Float64Array {
  return clicksOverExpected(counts, slotCtrs, 'slot CTR');
}

/**
 * Expected clicks on impression: the CTR that an item would have in the best position. COEC on the scale of a CTR:
 *
 *   ECOI_i = Σ_s clicks_is / Σ_s impressions_is · (ctr_s / ctr_ref)
 *
 * @param examination [positions] ctr_s / ctr_ref, from `examinationOf` or `estimateExamination`
 * @returns [items]
 * @throws UserError as `coec`
 */
export function ecoi(counts: PositionCounts, examination: Float64Array): Float64Array {
  return clicksOverExpected(counts, examination, 'examination');
}

function clicksOverExpected(counts: PositionCounts, weights: Float64Array, what: string): Float64Array {
  const { itemCount, positionCount } = checkCounts(counts);
  if (positionCount > weights.length) {
    throw new UserError(
      `positions: position ${positionCount} has no ${what}, of which there are ${weights.length}; give one for each position`,
    );
  }
  const wrong = weights.findIndex((weight) => !(weight >= 0 && weight < Number.POSITIVE_INFINITY));
  if (wrong >= 0) {
    throw new UserError(`positions: the ${what} of position ${wrong + 1} is ${weights[wrong]}; expected 0 or more`);
  }
  const { impressions, clicks } = totals(counts, counts.items, 0, itemCount, weights);
  return clicks.map((clicks, item) => {
    if (impressions[item] > 0) return clicks / impressions[item];
    throw new UserError(`positions: item ${item} has no impressions where clicks are expected; leave it out`);
  });
}

/** Impressions and clicks by position or item, from `first`; impressions times their position's weight. */
export function totals(
  { positions, impressions, clicks }: PositionCounts,
  by: Int32Array,
  first: number,
  count: number,
  weights?: Float64Array,
): { impressions: Float64Array; clicks: Float64Array } {
  const sums = { impressions: new Float64Array(count), clicks: new Float64Array(count) };
  for (let cell = 0; cell < by.length; cell++) {
    sums.impressions[by[cell] - first] += impressions[cell] * (weights ? weights[positions[cell] - 1] : 1);
    sums.clicks[by[cell] - first] += clicks[cell];
  }
  return sums;
}

/**
 * How many items and positions there are.
 *
 * @throws UserError naming the first cell whose position is not 1 to 1,000, whose item is negative, that has more clicks than impressions
 *   or either of them negative; for no cells; for columns of unequal length
 */
export function checkCounts(counts: PositionCounts): { itemCount: number; positionCount: number } {
  const { items, positions, impressions, clicks } = counts;
  const cells = items.length;
  let itemCount = 0;
  let positionCount = 0;
  const lengths = [positions.length, impressions.length, clicks.length];
  if (cells === 0 || lengths.some((length) => length !== cells)) {
    throw new UserError(
      `positions: there are ${cells} items and ${lengths.join(', ')} positions, impressions and clicks; expected as many of each, 1 or more`,
    );
  }
  for (let cell = 0; cell < cells; cell++) {
    const position = positions[cell];
    if (items[cell] < 0) throw new UserError(`positions: cell ${cell} has item ${items[cell]}; expected 0 or more`);
    if (position < 1 || position > POSITIONS_MOST) {
      throw new UserError(
        `positions: cell ${cell} has position ${position}; expected 1, the top, to ${POSITIONS_MOST}`,
      );
    }
    // Written so that NaN is refused too.
    if (!(clicks[cell] >= 0 && clicks[cell] <= impressions[cell] && impressions[cell] < Number.POSITIVE_INFINITY)) {
      throw new UserError(
        `positions: cell ${cell} has ${clicks[cell]} clicks of ${impressions[cell]} impressions; expected 0 up to the impressions`,
      );
    }
    if (items[cell] >= itemCount) itemCount = items[cell] + 1;
    if (position > positionCount) positionCount = position;
  }
  return { itemCount, positionCount };
}
