import { placeOf } from './applyEvent.ts';
import { anchorAt, DECAY, lastAt, RING, ringBuckets, SESSION, viewAlive, viewLast } from './familyPlan.ts';
import type { HistoryLimits } from './historyPlan.ts';
import type { Records } from './records.ts';
import type { ViewRows } from './viewRows.ts';

/** Reads records of a family, one a row: see `viewRecord`. */
export function viewRecords(
  records: Records,
  slots: Int32Array,
  count: number,
  limits: HistoryLimits,
  rows: ViewRows,
  family: number,
): void {
  for (let row = 0; row < count; row++) viewRecord(records, slots[row], limits, rows, family, row);
}

/**
 * Writes what a record holds at its family's time into the family's place of a row: time of the last impression, whether its session
 * goes on, every sum, every mark. Reads only. A record whose last impression is older than the time to live is as if it were not there.
 *
 * @param slot -1 of a key without a record
 */
export function viewRecord(
  records: Records,
  slot: number,
  limits: HistoryLimits,
  rows: ViewRows,
  family: number,
  row: number,
): void {
  const { plan, numbers } = records;
  const { viewSize, absent } = plan;
  const { views } = rows;
  const nowMs = rows.times[family];
  const viewBase = row * rows.width + plan.viewBase;
  const base = slot * plan.stride;
  if (slot < 0 || nowMs - numbers[base + lastAt] > limits.timeToLiveMs) {
    for (let i = 0; i < viewSize; i++) views[viewBase + i] = absent[i];
    return;
  }
  const { windowKinds, windowRates, windowFrom, viewSums, viewMarks } = plan;
  const isAlive = nowMs - numbers[base + lastAt] <= limits.sessionMs;
  views[viewBase + viewLast] = numbers[base + lastAt];
  views[viewBase + viewAlive] = isAlive ? 1 : 0;
  let to = viewBase + viewAlive + 1;
  let window = -1;
  let factor = 1;
  for (let i = 0; i < viewSums.length; i += 2) {
    if (viewSums[i + 1] !== window) {
      window = viewSums[i + 1];
      factor = 1;
      if (windowKinds[window] === DECAY) factor = Math.exp((numbers[base + anchorAt] - nowMs) * windowRates[window]);
      else if (windowKinds[window] === SESSION) factor = isAlive ? 1 : 0;
    }
    const at = base + viewSums[i];
    if (windowKinds[window] !== RING) views[to++] = numbers[at] * factor;
    else
      views[to++] = ringSum(numbers, at, numbers[base + windowFrom[window]], Math.floor(nowMs / windowRates[window]));
  }
  for (let i = 0; i < viewMarks.length; i += 2, to++) {
    // What a session's marks are without it is also the view of an absent key.
    views[to] = viewMarks[i + 1] !== 0 && !isAlive ? absent[to - viewBase] : numbers[base + viewMarks[i]];
  }
}

/** Sum of the buckets that the window has at `bucket` and the ring still holds. */
function ringSum(numbers: Float64Array, at: number, head: number, bucket: number): number {
  let sum = 0;
  for (let b = Math.max(head, bucket) - ringBuckets + 1; b <= head; b++) sum += numbers[at + placeOf(b)];
  return sum;
}
