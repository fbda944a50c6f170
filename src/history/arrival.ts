import { UserError } from '../core/errors.ts';
import type { EventRows } from './history.ts';
import { isTime } from './historyPlan.ts';

/**
 * Refuses an event by when it came: an impression comes no later than `latenessMs` after it was, and nothing longer than that before it
 * was, or before what arrived already.
 *
 * @param watermarkMs the newest arrival so far
 * @throws UserError if a time is missing or cannot be
 */
export function checkArrival(rows: EventRows, row: number, watermarkMs: number, latenessMs: number): void {
  const eventMs = rows.eventMs[row];
  const givenMs = rows.arrivedMs === undefined ? eventMs : rows.arrivedMs[row];
  const isOutcome = rows.isOutcome !== undefined && rows.isOutcome[row] !== 0;
  const what = isOutcome ? 'an outcome' : 'an impression';
  if (!isTime(eventMs) || !isTime(givenMs))
    throw new UserError(`history: ${what} has no time; give every row its time in ms since 1970`);
  checkClock(givenMs, watermarkMs, latenessMs);
  const age = Math.max(givenMs, watermarkMs) - eventMs;
  if (-age > latenessMs)
    throw new UserError(
      `history: ${what} of ${timeText(eventMs)} arrived at ${timeText(givenMs)}, before it happened; correct its time or the clock`,
    );
  if (!isOutcome && age > latenessMs)
    throw new UserError(
      `history: an impression of ${timeText(eventMs)} came at ${timeText(eventMs + age)}, later than history's lateness allows; leave it out, or raise history.lateness in the schema`,
    );
}

/** @throws UserError if the time went back by more than `latenessMs` */
export function checkClock(nowMs: number, watermarkMs: number, latenessMs: number): void {
  if (isTime(nowMs) && !(watermarkMs - nowMs > latenessMs)) return;
  throw new UserError(
    `history: the time went back to ${timeText(nowMs)} from ${timeText(watermarkMs)}, further than history's lateness allows; give rows in order of arrival, or correct the clock`,
  );
}

function timeText(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms);
}
