import { ascendingOrder } from './order.ts';
import { checkLengths, type Values } from './rows.ts';

/**
 * How far two scores put the same rows in the same order: 1 the same, −1 the opposite. With C pairs of rows in the same order in both, D in
 * opposite orders, and pairs tied in x alone, in y alone (T_x, T_y):
 *
 *   τ-b = (C − D) / √((C + D + T_x)(C + D + T_y))
 *
 * which without ties is (C − D) / all pairs. O(n log n): with the rows in order of x, then y, D is the swaps that sort y.
 *
 * @returns null where either has no two different scores
 * @throws UserError on a NaN score
 * @see Knight 1966, "A computer method for calculating Kendall's tau with ungrouped data"
 */
export function kendallTau(x: Values, y: Values): number | null {
  const rows = x.length;
  checkLengths(rows, { y });
  // Orders keep the rows of equal scores as they were: by y, then by x leaves ties of x in order of y.
  const byY = ascendingOrder(y);
  const order = ascendingOrder(x.map((_, i) => x[byY[i]])).map((i) => byY[i]);
  const sorted = Float64Array.from(order, (row) => y[row]);
  const pairs = (rows * (rows - 1)) / 2;
  const tiedX = pairsWithin(rows, (i) => x[order[i]] === x[order[i - 1]]);
  const tiedBoth = pairsWithin(rows, (i) => x[order[i]] === x[order[i - 1]] && sorted[i] === sorted[i - 1]);
  const discordant = sortCountingSwaps(sorted);
  const tiedY = pairsWithin(rows, (i) => sorted[i] === sorted[i - 1]);
  if (tiedX === pairs || tiedY === pairs) return null;
  const concordant = pairs - tiedX - tiedY + tiedBoth - discordant;
  return (concordant - discordant) / Math.sqrt((pairs - tiedX) * (pairs - tiedY));
}

/** Pairs within runs of rows of which each `continues` the one before. */
function pairsWithin(rows: number, continues: (i: number) => boolean): number {
  let pairs = 0;
  let before = 0;
  for (let i = 1; i < rows; i++) {
    before = continues(i) ? before + 1 : 0;
    pairs += before;
  }
  return pairs;
}

/** Sorts in place by merging runs of 1, 2, 4, …; returns how many swaps of neighbours it took the place of. */
function sortCountingSwaps(values: Float64Array): number {
  const rows = values.length;
  const merged = new Float64Array(rows);
  let swaps = 0;
  for (let width = 1; width < rows; width *= 2) {
    for (let start = 0; start < rows; start += 2 * width) {
      const middle = Math.min(start + width, rows);
      const end = Math.min(start + 2 * width, rows);
      let [left, right] = [start, middle];
      for (let to = start; to < end; to++) {
        if (left < middle && (right === end || values[left] <= values[right])) merged[to] = values[left++];
        else {
          merged[to] = values[right++];
          swaps += middle - left;
        }
      }
    }
    values.set(merged);
  }
  return swaps;
}
