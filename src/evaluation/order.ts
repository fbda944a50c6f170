import { UserError } from '../core/errors.ts';
import type { Values } from './rows.ts';

/** Below this many rows a comparison sort is faster than clearing four tables of 65,536 counts. */
const SMALL = 2048;

/** Which of a float64's two 32-bit words holds its sign on this machine. */
const HIGH_WORD = new Uint32Array(new Float64Array([1]).buffer)[1] === 0 ? 0 : 1;

/**
 * The rows in ascending order of score; equal scores (0 and −0 among them) keep the order of their rows.
 * A radix sort of four 16-bit digits; digits that all rows share are skipped, as the lowest is for float32 scores.
 *
 * @throws UserError on NaN, which has no place in an order
 */
export function ascendingOrder(scores: Values): Uint32Array {
  const rows = scores.length;
  let order: Uint32Array = new Uint32Array(rows);
  for (let i = 0; i < rows; i++) {
    order[i] = i;
    if (Number.isNaN(scores[i])) throw new UserError(`evaluation: row ${i} has the score NaN; expected a number`);
  }
  if (rows < SMALL) return order.sort((i, j) => scores[i] - scores[j] || i - j);

  const digits = sortableDigits(scores);
  let other: Uint32Array = new Uint32Array(rows);
  const starts = new Uint32Array(65537);
  for (const digit of digits) {
    starts.fill(0);
    for (let i = 0; i < rows; i++) starts[digit[i] + 1]++;
    if (starts[digit[0] + 1] === rows) continue;
    for (let value = 0; value < 65536; value++) starts[value + 1] += starts[value];
    for (let i = 0; i < rows; i++) other[starts[digit[order[i]]]++] = order[i];
    [order, other] = [other, order];
  }
  return order;
}

/**
 * Four 16-bit digits a score, lowest first, whose order as unsigned numbers is the order of the scores: a positive float's
 * bits already ascend, so only its sign bit is set; a negative one's descend, so all are flipped.
 */
function sortableDigits(scores: Values): Uint16Array[] {
  const rows = scores.length;
  const digits = [0, 1, 2, 3].map(() => new Uint16Array(rows));
  const one = new Float64Array(1);
  const words = new Uint32Array(one.buffer);
  const [d0, d1, d2, d3] = digits;
  for (let i = 0; i < rows; i++) {
    one[0] = scores[i] + 0; // −0 + 0 is 0, so that the two zeros tie
    const sign = words[HIGH_WORD] >>> 31;
    const high = words[HIGH_WORD] ^ (sign ? 0xffffffff : 0x80000000);
    const low = words[1 - HIGH_WORD] ^ (sign ? 0xffffffff : 0);
    d0[i] = low;
    d1[i] = low >>> 16;
    d2[i] = high;
    d3[i] = high >>> 16;
  }
  return digits;
}
