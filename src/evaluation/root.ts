/** The root in [low, high] of a non-decreasing function, to 1e-9, or the nearer end (regula falsi, Illinois). */
export function rootOf(excess: (at: number) => number, low: number, high: number): number {
  let [atLow, atHigh] = [excess(low), excess(high)];
  if (atLow >= 0) return low;
  if (atHigh <= 0) return high;
  let side = 0;
  for (let step = 0; step < 100 && high - low > 1e-9; step++) {
    const middle = (low * atHigh - high * atLow) / (atHigh - atLow);
    const atMiddle = excess(middle);
    if (Math.abs(atMiddle) < 1e-12) return middle;
    if (atMiddle > 0) {
      [high, atHigh] = [middle, atMiddle];
      if (side === 1) atLow /= 2;
      side = 1;
    } else {
      [low, atLow] = [middle, atMiddle];
      if (side === -1) atHigh /= 2;
      side = -1;
    }
  }
  return (low + high) / 2;
}
