import { listOf, UserError } from '../core/errors.ts';
import type { PositionCounts } from './positions.ts';

/** What was shown of each item in each of its positions, one cell each: item i has cells `starts[i]` to `starts[i + 1]`. */
export interface CellsByItem {
  /** [items + 1] */
  readonly starts: Uint32Array;
  /** [cells, or more] each; positions from 0. */
  readonly positions: Int32Array;
  readonly impressions: Float64Array;
  readonly clicks: Float64Array;
}

/** Adds up cells of the same item and position; those without impressions are left out. */
export function cellsByItem(counts: PositionCounts, itemCount: number, positionCount: number): CellsByItem {
  const { items, positions, impressions, clicks } = counts;
  const next = new Uint32Array(itemCount + 1);
  for (let cell = 0; cell < items.length; cell++) if (impressions[cell] > 0) next[items[cell] + 1]++;
  for (let item = 0; item < itemCount; item++) next[item + 1] += next[item];
  const shown = next[itemCount];
  const order = new Uint32Array(shown);
  // Afterwards next[i] is where item i + 1 begins.
  for (let cell = 0; cell < items.length; cell++) if (impressions[cell] > 0) order[next[items[cell]]++] = cell;
  const cells = {
    starts: new Uint32Array(itemCount + 1),
    positions: new Int32Array(shown),
    impressions: new Float64Array(shown),
    clicks: new Float64Array(shown),
  };
  /** The last cell of each position; of the present item where not before its start. */
  const last = new Int32Array(positionCount).fill(-1);
  let end = 0;
  for (let item = 0, k = 0; item < itemCount; item++) {
    for (; k < next[item]; k++) {
      const position = positions[order[k]] - 1;
      if (last[position] < cells.starts[item]) {
        last[position] = end;
        cells.positions[end++] = position;
      }
      cells.impressions[last[position]] += impressions[order[k]];
      cells.clicks[last[position]] += clicks[order[k]];
    }
    cells.starts[item + 1] = end;
  }
  return cells;
}

/**
 * Whether the clicks say how positions compare. The likelihood of `estimateExamination` has a maximum, and that only one, where each position
 * leads to each other, s to t where an item that was shown in s was clicked in t: else the clicks allow of two groups of positions any ratio,
 * or drive it to 0.
 *
 * @throws UserError naming the positions that are apart from the first
 * @see Ford 1957, "Solution of a ranking problem from binary comparisons"
 */
export function checkLinks({ starts, positions, clicks }: CellsByItem, count: number): void {
  const leads = new Uint8Array(count * count);
  for (let item = 0; item + 1 < starts.length; item++) {
    for (let from = starts[item]; from < starts[item + 1]; from++) {
      const row = positions[from] * count;
      for (let to = starts[item]; to < starts[item + 1]; to++) if (clicks[to] > 0) leads[row + positions[to]] = 1;
    }
  }
  const there = reached(count, (from, to) => leads[from * count + to] === 1);
  const back = reached(count, (from, to) => leads[to * count + from] === 1);
  const apart = [...there.keys()].filter((s) => !there[s] || !back[s]);
  if (apart.length === 0) return;
  throw new UserError(
    `positions: position ${listOf(apart.map((s) => `${s + 1}`))} cannot be compared with position 1, since no items clicked there were shown in both; show some items in both, or take slot CTRs from randomised traffic`,
  );
}

/** Which positions the first leads to. */
function reached(count: number, leads: (from: number, to: number) => boolean): boolean[] {
  const seen = Array.from({ length: count }, (_, s) => s === 0);
  const waiting = [0];
  for (let from = waiting.pop(); from !== undefined; from = waiting.pop()) {
    for (let to = 0; to < count; to++) {
      if (seen[to] || !leads(from, to)) continue;
      seen[to] = true;
      waiting.push(to);
    }
  }
  return seen;
}
