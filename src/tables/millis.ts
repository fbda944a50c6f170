const DAY_MS = 86_400_000n;
/** Units smaller than a millisecond, as 1/n ms. */
const PER_MS = { u: 1_000, n: 1_000_000 };
const TWO_32 = 4_294_967_296;

/**
 * Times in days, milliseconds, microseconds or nanoseconds as whole milliseconds, rounded down (also before
 * 1970).
 *
 *   ms = ⌊t / n⌋
 *
 * A nanosecond count exceeds 2^53, so the quotient of the rounded value is corrected by its exact remainder modulo
 * 2^32: BigInt division would take twenty times as long.
 */
export function toMillis(times: Int32Array | BigInt64Array, unit: 'days' | 'm' | 'u' | 'n'): BigInt64Array {
  if (unit === 'm' && times instanceof BigInt64Array) return times.slice();
  if (unit === 'm') return BigInt64Array.from(times as Int32Array, BigInt);
  if (unit === 'days') return BigInt64Array.from(times as Int32Array, (days) => BigInt(days) * DAY_MS);
  const wide = times instanceof BigInt64Array ? times : BigInt64Array.from(times, BigInt);
  const low = new Uint32Array(wide.buffer, wide.byteOffset, wide.length * 2);
  const high = new Int32Array(wide.buffer, wide.byteOffset, wide.length * 2);
  const result = new BigInt64Array(wide.length);
  const resultLow = new Uint32Array(result.buffer);
  const resultHigh = new Int32Array(result.buffer);
  const per = PER_MS[unit];
  for (let i = 0; i < wide.length; i++) {
    let quotient = Math.floor((high[2 * i + 1] * TWO_32 + low[2 * i]) / per);
    const remainder = (low[2 * i] - Math.imul(quotient % TWO_32, per)) | 0;
    if (remainder < 0) quotient--;
    else if (remainder >= per) quotient++;
    resultLow[2 * i] = quotient % TWO_32;
    resultHigh[2 * i + 1] = Math.floor(quotient / TWO_32);
  }
  return result;
}
