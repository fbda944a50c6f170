/**
 * Decimals as integers, where the scale is 0: two's complement of `bits` bits, little-endian 32-bit words.
 *
 * @returns `undefined` where a value (that is not null) does not fit 64 bits
 */
export function decimalIntegers(words: Int32Array, bits: number, valid?: Uint8Array): BigInt64Array | undefined {
  const width = bits / 32;
  const rowCount = words.length / width;
  const values = new BigInt64Array(rowCount);
  const halves = new Int32Array(values.buffer);
  for (let row = 0; row < rowCount; row++) {
    const low = words[row * width];
    const high = width > 1 ? words[row * width + 1] : low >> 31;
    halves[2 * row] = low;
    halves[2 * row + 1] = high;
    // The words above must repeat the sign.
    for (let w = 2; w < width; w++) if (words[row * width + w] !== high >> 31 && valid?.[row] !== 0) return undefined;
  }
  return values;
}

/** Decimals as numbers: unscaled / 10^scale, correctly rounded up to 2^53 and within one unit in the last place above. */
export function decimalNumbers(words: Int32Array, bits: number, scale: number): Float64Array {
  const width = bits / 32;
  const values = new Float64Array(words.length / width);
  const divisor = 10 ** Math.abs(scale);
  for (let row = 0; row < values.length; row++) {
    // Horner from the signed top word down, in BigInt only where a double would round twice.
    let value = words[(row + 1) * width - 1];
    let exact = true;
    for (let w = width - 2; w >= 0; w--) {
      value = value * 4294967296 + (words[row * width + w] >>> 0);
      exact &&= Math.abs(value) <= Number.MAX_SAFE_INTEGER;
    }
    if (!exact) value = Number(bigOf(words, row * width, width));
    values[row] = scale >= 0 ? value / divisor : value * divisor;
  }
  return values;
}

function bigOf(words: Int32Array, at: number, width: number): bigint {
  let value = BigInt(words[at + width - 1]);
  for (let w = width - 2; w >= 0; w--) value = (value << 32n) | BigInt(words[at + w] >>> 0);
  return value;
}
