import { sigmoid } from '../../src/core/numerics.ts';
import type { Random } from '../../src/core/random.ts';
import type { Drift } from './drift.ts';
import type { Ads, Creatives } from './inventory.ts';
import type { Population } from './population.ts';
import type { RowBuffer } from './rowBuffer.ts';
import type { Exposure, Truth } from './truth.ts';

export interface Laws {
  readonly users: Population;
  readonly ads: Ads;
  readonly creatives: Creatives;
  readonly truth: Truth;
  readonly drift: Drift | undefined;
  readonly clickIntercept: number;
  readonly buyIntercept: number;
}

/** Draws what happens to one impression, in a fixed order of draws, and notes the true probabilities beside it. */
export function drawOutcome(rows: RowBuffer, row: number, exposure: Exposure, laws: Laws, random: Random): void {
  const { truth, clickIntercept } = laws;
  const pExamined = truth.examination(exposure);
  const drifted = laws.drift?.clickLogit(exposure.user, exposure.ad) ?? 0;
  const clickLogit = clickIntercept + truth.clickLogit(exposure) + drifted;
  const pRelevant = sigmoid(clickLogit);
  const pConversion = sigmoid(laws.buyIntercept + truth.buyLogit(exposure));
  const isVideo = laws.creatives.format[exposure.creative] === 1 ? 1 : 0;
  // Engagement (a like, an expansion) goes with relevance, at a gentler slope, and with video.
  const pEngagedExamined = sigmoid(-1.2 + 0.5 * clickLogit + 0.7 * isVideo);
  const examined = random.next() < pExamined;
  const click = random.next() < pRelevant && examined ? 1 : 0;
  const engaged = random.next() < pEngagedExamined && examined ? 1 : 0;
  const converts = random.next() < pConversion && click === 1 ? 1 : 0;
  // Lognormal; a glance where not examined, longer with relevance and video where examined.
  const logViewMs = examined
    ? 7.3 + 0.25 * clickLogit + 0.5 * isVideo + 0.7 * random.normal()
    : 5.2 + 0.6 * random.normal();
  const viewTimeMs = Math.max(1, Math.min(600_000, Math.round(Math.exp(logViewMs))));
  const dwell = random.next();
  rows.pExamined[row] = pExamined;
  rows.pClick[row] = pExamined * pRelevant;
  rows.pEngaged[row] = pExamined * pEngagedExamined;
  rows.pConversion[row] = pConversion;
  rows.click[row] = click;
  rows.engaged[row] = engaged;
  rows.conversion[row] = converts;
  rows.viewTimeMs[row] = viewTimeMs;
  if (click === 0) return;
  const clickDelayMs = 1 + Math.floor(dwell * viewTimeMs);
  rows.clickDelayMs[row] = clickDelayMs;
  if (converts === 0) return;
  const afterClickMs = Math.ceil(-Math.log(1 - random.next()) * truth.delayMsMean(exposure.ad));
  rows.conversionDelayMs[row] = BigInt(clickDelayMs + Math.max(1, afterClickMs));
}
