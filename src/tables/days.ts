import { UserError } from '../core/errors.ts';
import type { Column } from '../schema/columns.ts';

const DAY_MS = 86_400_000;
/** A plain number of seconds, milliseconds, microseconds or nanoseconds since 1970 is told by its size: up to 5138. */
const SECONDS_BELOW = 1e11;
const MILLIS_BELOW = 1e14;
const MICROS_BELOW = 1e17;

/**
 * Each row's day, in days since 1970 (UTC): of a timestamp column, or of whole numbers that count seconds,
 * milliseconds, microseconds or nanoseconds since 1970, or write a day as 20220425.
 *
 * @param who names column and file for messages
 * @throws UserError for another type, a null, a number below 0, or a value that is no time
 */
export function daysOf(column: Column, who: string): Int32Array {
  if (column.type !== 'integer') {
    throw new UserError(`${who} is ${column.type}; a time column holds timestamps, or whole numbers since 1970`);
  }
  const days = new Int32Array(column.rowCount);
  let last = Number.NaN;
  for (let row = 0; row < days.length; row++) {
    if (column.valid?.[row] === 0) {
      throw new UserError(`${who} has no value in a row; a time column has one everywhere: fill it or drop the row`);
    }
    const value = Number(column.values[row]);
    if (value === last) {
      days[row] = days[row - 1];
      continue;
    }
    last = value;
    days[row] = Math.floor((column.meaning === 'timestamp' ? value : millisOf(value, who)) / DAY_MS);
  }
  return days;
}

function millisOf(value: number, who: string): number {
  if (value < 0) {
    throw new UserError(
      `${who} holds ${value}; a number does not tell the unit of a time before 1970: store timestamps`,
    );
  }
  if (value >= 19_000_101 && value <= 21_001_231) return compactDayMillis(value, who);
  if (value < SECONDS_BELOW) return value * 1000;
  if (value < MILLIS_BELOW) return value;
  return value < MICROS_BELOW ? value / 1e3 : value / 1e6;
}

function compactDayMillis(value: number, who: string): number {
  const millis = Date.UTC(Math.floor(value / 10_000), (Math.floor(value / 100) % 100) - 1, value % 100);
  const back = new Date(millis).toISOString().slice(0, 10).replaceAll('-', '');
  if (Number(back) !== value) throw new UserError(`${who} holds ${value}, which is no day such as 20220425`);
  return millis;
}
