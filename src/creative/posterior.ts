import type { AdStatistics } from './policy.ts';
import type { CreativeRecord } from './record.ts';
import type { BanditSettings } from './settings.ts';

export function createStatistics(arms: number): AdStatistics {
  const column = () => new Float64Array(arms);
  return {
    count: 0,
    exposures: column(),
    clicks: column(),
    recentExposures: column(),
    recentClicks: column(),
    shown: 0,
    rate: 0,
    means: column(),
    deviations: column(),
    slopes: column(),
    intercepts: column(),
  };
}

/** Takes an ad's counts out of the record. */
export function readCounts(record: CreativeRecord, ad: number, statistics: AdStatistics): void {
  const { arms } = record;
  const first = arms.offsets[ad];
  const count = arms.offsets[ad + 1] - first;
  statistics.count = count;
  statistics.shown = 0;
  for (let i = 0; i < count; i++) {
    const arm = first + i;
    statistics.exposures[i] = record.exposures[arm];
    statistics.clicks[i] = record.clicks[arm];
    statistics.shown += record.exposures[arm];
  }
}

/** Takes the counts of an ad's last windows out of the record: they lie far apart. */
export function readRecentCounts(record: CreativeRecord, ad: number, statistics: AdStatistics): void {
  const { arms, windows, armCount, windowExposures, windowClicks } = record;
  const first = arms.offsets[ad];
  for (let i = 0; i < statistics.count; i++) {
    let exposures = 0;
    let clicks = 0;
    for (let at = first + i; at < windows * armCount; at += armCount) {
      exposures += windowExposures[at];
      clicks += windowClicks[at];
    }
    statistics.recentExposures[i] = exposures;
    statistics.recentClicks[i] = clicks;
  }
}

/**
 * Rates of creatives that are alike within their ad: Gamma with the ad's rate μ as mean and κ clicks as shape, so that
 *
 *   m_a = (c_a + κ) / (n_a + κ/μ)       s_a = m_a / √(c_a + κ)       μ = Σ z_a·c_a/n_a / Σ z_a,  z_a = n_a / (n_a + κ/μ)
 *
 * μ by credibility, in which the settings' prior stands for one more creative of weight priorClicks/κ.
 *
 * @see Bühlmann and Straub 1970, "Glaubwürdigkeit für Schadensätze"
 */
export function fitPosterior(statistics: AdStatistics, settings: BanditSettings): void {
  const { count, exposures, clicks, means, deviations } = statistics;
  const { likenessClicks: kappa } = settings;
  statistics.rate = adRate(statistics, settings);
  const weight = kappa / statistics.rate;
  for (let i = 0; i < count; i++) {
    means[i] = (clicks[i] + kappa) / (exposures[i] + weight);
    deviations[i] = means[i] / Math.sqrt(clicks[i] + kappa);
  }
}

/** Few rounds settle it: weights change little with the rate. */
const ROUNDS = 3;

function adRate({ count, exposures, clicks }: AdStatistics, settings: BanditSettings): number {
  const { priorClicks, priorExposures, likenessClicks: kappa } = settings;
  let [allClicks, allExposures] = [priorClicks, priorExposures];
  for (let i = 0; i < count; i++) {
    allClicks += clicks[i];
    allExposures += exposures[i];
  }
  let rate = allClicks / allExposures;
  const ownWeight = priorClicks / kappa;
  for (let round = 0; round < ROUNDS; round++) {
    let [top, bottom] = [ownWeight * (priorClicks / priorExposures), ownWeight];
    for (let i = 0; i < count; i++) {
      const share = 1 / (exposures[i] + kappa / rate);
      top += share * clicks[i];
      bottom += share * exposures[i];
    }
    rate = top / bottom;
  }
  return rate;
}
