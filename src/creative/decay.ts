import { UserError } from '../core/errors.ts';
import { causeOf, type DecayCause, type DecayEffects, fitDecay } from './decayEffects.ts';
import {
  type CreativeWindows,
  cusumOfFall,
  dispersionOf,
  type Run,
  runOf,
  runsBefore,
  type Windows,
  windowsByCreative,
  windowVariance,
} from './decayWindows.ts';
import { fitRatePrior, shrunkenRate } from './ratePrior.ts';
import { chanceOfFewer, chanceOfMore, type RateCounts, ratioAt } from './rateRatio.ts';

export interface DecaySettings {
  /** A creative has decayed below this share of its peak; 0.8 if absent. */
  readonly share?: number;
  /** How sure a warning is; 0.95 if absent. */
  readonly confidence?: number;
  /** As many windows one after the other make the peak, and the present; 3 if absent. */
  readonly runWindows?: number;
}

/** A creative whose CTR has fallen, and all that says so. */
export interface DecayWarning {
  readonly creative: number;
  readonly peak: Run;
  readonly current: Run;
  /** The current rate to the peak's, with bounds each of which holds with the settings' confidence; `high` is below the settings' share. */
  readonly ratio: { readonly value: number; readonly low: number; readonly high: number };
  /** 1 − the chance of such a fall, were the current rate the settings' share of the peak's, corrected for the choice of the peak. */
  readonly confidence: number;
  readonly cause: DecayCause;
  readonly effects: DecayEffects;
  /** When it began: the first window since the peak from which on the CUSUM stays above 0. */
  readonly sinceMs: number;
  /** By window of the creative, to be drawn. */
  readonly windows: Windows & { readonly cusum: Float64Array };
}

/**
 * Creatives whose CTR now is below a share of their peak, surely.
 *
 * The present is the last `runWindows` windows of a creative, or the last 2, 4, … times as many; its peak any run of so many before, at
 * steps of `runWindows`. The highest of many noisy rates is too high, and every creative that stays as it was has a highest: so each of the
 * M pairs of present and past is tested by itself, exactly (`chanceOfFewer`), and the least of the chances counts M-fold:
 *
 *   p = M · min P(as few clicks now | rate_now = share · rate_before)        a warning where p ≤ 1 − confidence
 *
 * If the CTR is not below that share of what it was in any run, a warning comes with a chance of 1 − confidence at most, whatever the
 * number of windows (Bonferroni). That is for one evaluation: who looks every day will see more. Reported is the pair whose fall is surest;
 * the peak's rate is shrunken by how much the creative's runs differ beyond chance. Where counts vary more than Poisson's, as those of days
 * do, each counts for less: divided by the creative's dispersion (`dispersionOf`), the larger the more clicks a window has.
 *
 * @returns one warning a creative, at most, in order of creative
 * @throws UserError for windows or settings that cannot be
 */
export function decayWarnings(given: CreativeWindows, settings: DecaySettings = {}): DecayWarning[] {
  const { share = 0.8, confidence = 0.95, runWindows = 3 } = settings;
  const asked = { share, confidence, runWindows };
  checkSettings(asked);
  const creatives = windowsByCreative(given);
  const variance = windowVariance([...creatives.values()]);
  const warnings: DecayWarning[] = [];
  for (const [creative, windows] of creatives) {
    const warning = warningOf(windows, asked, dispersionOf(windows, variance));
    if (warning) warnings.push({ creative, ...warning });
  }
  return warnings;
}

function warningOf(
  windows: Windows,
  { share, confidence, runWindows }: Required<DecaySettings>,
  dispersion: number,
): Omit<DecayWarning, 'creative'> | undefined {
  const counted = ({ clicks, exposures }: Run) => ({ clicks: clicks / dispersion, exposures: exposures / dispersion });
  const fallFrom = (now: Run, before: Run, ratio: number) => chanceOfFewer(counted(now), counted(before), ratio);
  const pairs = pairsOfRuns(windows, runWindows);
  const chances = pairs.map(([now, before]) => fallFrom(now, before, share));
  const least = chances.reduce((least, chance, pair) => (chance < chances[least] ? pair : least), 0);
  const chance = chances[least] * pairs.length;
  if (pairs.length === 0 || chance > 1 - confidence) return undefined;
  const [current, peak] = pairs[least];
  const apart = runsBefore(windows, windows.startMs.length, runWindows).map(counted);
  const rate = shrunkenRate(fitRatePrior(...columnsOf(apart)), counted(peak).clicks, counted(peak).exposures);
  const others = pairs.filter(([now]) => now === current).map(([, before]) => before);
  const high = ratioAt((1 - confidence) / pairs.length, 'falls', (ratio) =>
    others.reduce((least, before) => Math.min(least, fallFrom(current, before, ratio)), 1),
  );
  // The peak is one of the others, so that the lowest of their bounds needs no correction for their number, only for the presents'.
  const presents = new Set(pairs.map(([now]) => now)).size;
  const low = ratioAt((1 - confidence) / presents, 'rises', (ratio) =>
    others.reduce((most, before) => Math.max(most, chanceOfMore(counted(current), counted(before), ratio)), 0),
  );
  const cusum = cusumOfFall(windows, rate, share).map((value) => value / dispersion);
  const effects = fitDecay(windows, dispersion);
  return {
    peak: { ...peak, rate },
    current,
    ratio: { value: Math.min(Math.max(current.rate / rate, low), high), low, high },
    confidence: 1 - chance,
    cause: causeOf(windows, effects, peak, current),
    effects,
    sinceMs: windows.startMs[startOfFall(cusum, peak.first + peak.length)],
    windows: { ...windows, cusum },
  };
}

/** The last runs of `least`, 2·`least`, 4·`least`, … windows, up to a quarter of all, each with the runs of such lengths before it. */
function pairsOfRuns(windows: Windows, least: number): [now: Run, before: Run][] {
  const count = windows.startMs.length;
  const pairs: [Run, Run][] = [];
  for (let length = least; length <= Math.max(least, count / 4); length *= 2) {
    const end = count - length;
    if (end < least) break;
    const now = runOf(windows, end, length);
    for (let earlier = least; earlier <= end; earlier *= 2) {
      for (const before of runsBefore(windows, end, earlier, least)) pairs.push([now, before]);
    }
  }
  return pairs;
}

function columnsOf(runs: readonly RateCounts[]): [clicks: Float64Array, exposures: Float64Array] {
  return [Float64Array.from(runs, (run) => run.clicks), Float64Array.from(runs, (run) => run.exposures)];
}

/** The window after the last one since `from` whose sum was 0. */
function startOfFall(cusum: Float64Array, from: number): number {
  let start = from;
  for (let w = from; w < cusum.length; w++) if (cusum[w] === 0) start = Math.min(w + 1, cusum.length - 1);
  return start;
}

function checkSettings({ share, confidence, runWindows }: Required<DecaySettings>): void {
  const within = (value: number, least: number) => value > least && value < 1;
  if (!within(share, 0)) throw new UserError(`decay: share is ${share}; expected above 0 and below 1`);
  if (!within(confidence, 0.5))
    throw new UserError(`decay: confidence is ${confidence}; expected above 0.5 and below 1`);
  if (!Number.isSafeInteger(runWindows) || runWindows < 1) {
    throw new UserError(`decay: runWindows is ${runWindows}; expected a whole number from 1 up`);
  }
}
