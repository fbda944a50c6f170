import type { MarketPreset } from './presets.ts';

export const HOUR_MS = 3_600_000;

/** Relative traffic by hour of the day (UTC): a night trough, a lunch bump, an evening peak. */
const HOURLY = [20, 13, 9, 7, 7, 10, 18, 30, 42, 50, 55, 60, 66, 62, 56, 54, 56, 62, 72, 84, 94, 92, 70, 40] as const;
/** Relative traffic by weekday, Monday first. */
const DAILY = [1, 0.98, 0.99, 1.01, 1.06, 1.18, 1.15] as const;

/**
 * The moment by which a given share of the market's traffic has passed: the inverse of its cumulative traffic curve.
 *
 * @returns a function from a share in [0, 1) to milliseconds since 1970, increasing
 */
export function createClock(preset: MarketPreset): (share: number) => number {
  const hours = preset.dayCount * 24;
  const cumulative = new Float64Array(hours + 1);
  for (let h = 0; h < hours; h++) cumulative[h + 1] = cumulative[h] + HOURLY[h % 24] * DAILY[Math.floor(h / 24) % 7];
  const total = cumulative[hours];
  let hour = 0;
  return (share) => {
    const target = share * total;
    // Shares mostly grow, so the search starts where the last one ended.
    if (target < cumulative[hour]) hour = 0;
    while (hour < hours - 1 && cumulative[hour + 1] <= target) hour++;
    const within = (target - cumulative[hour]) / (cumulative[hour + 1] - cumulative[hour]);
    return preset.startMs + Math.floor((hour + Math.min(within, 0.999999)) * HOUR_MS);
  };
}
