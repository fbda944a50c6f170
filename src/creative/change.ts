import type { CreativeRecord } from './record.ts';
import type { BanditSettings } from './settings.ts';

/**
 * When an arm's CTR began to be another, by two cumulative sums over the windows that have ended, of what speaks for a rate ρ times as high
 * and one as low as that so far, m:
 *
 *   S ← max(0, S + d·(c·ln ρ − e·(ρ − 1)))       S′ ← max(0, S′ + d·(e·(1 − 1/ρ) − c·ln ρ))       e = m·exposures
 *
 * A change is found where one passes the threshold; it began when that sum last left 0. m itself is known from the clicks before only, so
 * that each window counts by d = 1/(1 + e/clicks before), the share of its variance that is its own.
 *
 * @param rate the ad's, as which the arm is supposed to be where it has few clicks
 * @returns the number of a window, or −1
 * @see Page 1954, "Continuous inspection schemes"; Hawkins 1987, "Self-starting CUSUM charts for location and scale"
 */
export function findChange(record: CreativeRecord, arm: number, rate: number, settings: BanditSettings): number {
  const { changeRatio, changeThreshold, likenessClicks: kappa } = settings;
  const { window: now, windowExposures, windowClicks } = record;
  const first = Math.max(record.since[record.adOf[arm]], now - record.windows + 1, 0);
  let exposuresBefore = record.exposures[arm] + kappa / rate;
  let clicksBefore = record.clicks[arm] + kappa;
  for (let window = first; window <= now; window++) {
    const at = record.windowAt(window) + arm;
    exposuresBefore -= windowExposures[at];
    clicksBefore -= windowClicks[at];
  }
  const evidence = Math.log(changeRatio);
  let [up, upSince, down, downSince] = [0, first, 0, first];
  for (let window = first; window < now; window++) {
    const at = record.windowAt(window) + arm;
    const clicks = windowClicks[at];
    const expected = (clicksBefore / exposuresBefore) * windowExposures[at];
    const own = 1 / (1 + expected / clicksBefore);
    up += own * (clicks * evidence - expected * (changeRatio - 1));
    down += own * (expected * (1 - 1 / changeRatio) - clicks * evidence);
    if (up <= 0) [up, upSince] = [0, window + 1];
    if (down <= 0) [down, downSince] = [0, window + 1];
    if (up > changeThreshold) return upSince;
    if (down > changeThreshold) return downSince;
    exposuresBefore += windowExposures[at];
    clicksBefore += clicks;
  }
  return -1;
}
