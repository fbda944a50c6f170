import type { CreativeReportData, PolicyCurves, PolicyReport } from '../../training/creativeReport/reportData.ts';
import { counted } from '../core/errors.ts';
import type { RandomizedTests, Replay } from '../creative/replay.ts';
import type { CreativeDays } from './creativeDays.ts';
import { decayReport } from './creativeDecay.ts';
import type { PolicyReplay, Range } from './creativeReplay.ts';
import type { TestsRead } from './creativeTests.ts';

/** What the page shows of replays on these tests. */
export function creativeReport(
  data: readonly string[],
  { tests, warnings }: TestsRead,
  replays: readonly PolicyReplay[],
  days: CreativeDays | undefined,
  { seed, batch }: { readonly seed: number; readonly batch: number },
  now: Date,
): CreativeReportData {
  return {
    data: data.join(', '),
    date: now.toISOString().slice(0, 10),
    tests: tests.arms.adKeys.length,
    arms: tests.arms.creativeKeys.length,
    impressions: replays[0].result.impressions,
    bestClicks: bestClicks(tests),
    facts: [
      { name: 'seed', value: String(seed) },
      { name: 'feedback', value: `every ${counted(batch, 'impression')} of a test` },
    ],
    warnings,
    policies: replays.map(policyReport),
    decay: decayReport(days),
  };
}

/** Expected clicks if each test showed its best arm always. */
function bestClicks({ arms: { offsets }, impressions, clicks }: RandomizedTests): number {
  let sum = 0;
  for (let test = 0; test + 1 < offsets.length; test++) {
    let [shown, best] = [0, 0];
    for (let arm = offsets[test]; arm < offsets[test + 1]; arm++) {
      shown += impressions[arm];
      best = Math.max(best, clicks[arm] / impressions[arm]);
    }
    sum += shown * best;
  }
  return sum;
}

/** A policy's replay as the report shows it. */
function policyReport({ result, replay }: PolicyReplay): PolicyReport {
  const { policy, exitedShare, interval, exposuresToExit, overFirst } = result;
  const estimate = (value: number, [low, high]: Range) => ({ value, low, high });
  return {
    policy,
    exitedShare,
    clicks: estimate(result.clicks, interval.clicks),
    regret: estimate(result.regret, interval.regret),
    bestArmShare: estimate(result.bestArmShare, interval.bestArmShare),
    exploredShare: estimate(result.exploredShare, interval.exploredShare),
    regretOverFirst: overFirst.regret,
    exposuresToExit:
      exposuresToExit !== null && interval.exposuresToExit ? estimate(exposuresToExit, interval.exposuresToExit) : null,
    curves: curvesOf(replay),
  };
}

/** What the replay counted in each share of the horizon, as lines from 0 to 1. */
function curvesOf({
  regretByShare,
  bestByShare,
  impressionsByShare,
  impressions,
  impressionsToExit,
}: Replay): PolicyCurves {
  const points = regretByShare.length;
  const shares = Array.from({ length: points + 1 }, (_, i) => i / points);
  const cumulativeRegret = [0];
  for (const regret of regretByShare) cumulativeRegret.push(cumulativeRegret[cumulativeRegret.length - 1] + regret);
  const bestArmShare = [Number.NaN, ...bestByShare.map((best, i) => best / impressionsByShare[i])];
  const exits = impressionsToExit
    .map((until, test) => until / impressions[test])
    .filter((share) => !Number.isNaN(share));
  const exited = shares.map((share) => exits.filter((exit) => exit <= share).length / impressions.length);
  return { shares, cumulativeRegret, bestArmShare, exited: exits.length > 0 ? exited : undefined };
}
