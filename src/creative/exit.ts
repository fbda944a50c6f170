import type { AdStatistics } from './policy.ts';
import type { CreativeRecord } from './record.ts';
import type { BanditSettings } from './settings.ts';

/** The arm of the highest expected reward, and what choosing it for good is expected to lose. */
export interface Leader {
  arm: number;
  /** Of its clicks' part of the reward. */
  loss: number;
}

/**
 * What is lost, as a share, if the arm that leads is not the best after all, at most:
 *
 *   Σ_a E[(v_a − v_best)⁺] / (slope·m_best),   E[(X)⁺] = s·(φ(z) + z·Φ(z)),  z = mean/s
 *
 * with both rewards as normal as their posteriors' means and deviations. That no more than this is to be gained by exploring is what
 * makes P(best) as high as it needs to be: of two arms that are alike, either will do.
 *
 * @see Chick and Inoue 2001, "New two-stage and sequential procedures for selecting the best simulated system", expected opportunity cost
 */
export function findLeader({ count, means, deviations, slopes, intercepts }: AdStatistics, leader: Leader): void {
  let [best, highest] = [0, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < count; i++) {
    const reward = slopes[i] * means[i] + intercepts[i];
    if (reward > highest) [best, highest] = [i, reward];
  }
  let loss = 0;
  const ofBest = slopes[best] * deviations[best];
  for (let i = 0; i < count; i++) {
    if (i === best) continue;
    const spread = Math.hypot(slopes[i] * deviations[i], ofBest);
    const z = (slopes[i] * means[i] + intercepts[i] - highest) / spread;
    loss += spread * (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI) + z * normalCdf(z));
  }
  leader.arm = best;
  leader.loss = count === 0 ? 0 : Math.max(0, loss) / (slopes[best] * means[best]);
}

/**
 * Whether an ad's CTRs are settled: at the ends of the last `exitWindows` windows each of its creatives had been shown, and its CTR was within
 * `exitBand` of what it is now.
 */
export function isStable(
  record: CreativeRecord,
  ad: number,
  statistics: AdStatistics,
  settings: BanditSettings,
): boolean {
  const { exitBand, exitWindows, likenessClicks: kappa } = settings;
  const { count, exposures, clicks, means, rate } = statistics;
  const first = record.arms.offsets[ad];
  if (count <= 1) return true;
  for (let i = 0; i < count; i++) {
    let [exposuresThen, clicksThen] = [exposures[i], clicks[i]];
    for (let ago = 0; ago < exitWindows; ago++) {
      const at = record.windowAt(record.window - ago) + first + i;
      exposuresThen -= record.windowExposures[at];
      clicksThen -= record.windowClicks[at];
      if (exposuresThen <= 0) return false;
      const then = (clicksThen + kappa) / (exposuresThen + kappa / rate);
      if (Math.abs(then - means[i]) > exitBand * means[i]) return false;
    }
  }
  return true;
}

/** Φ, to 1e-7. @see Abramowitz and Stegun 1964, 26.2.17 */
export function normalCdf(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const series = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  const tail = (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * series;
  return z >= 0 ? 1 - tail : tail;
}
