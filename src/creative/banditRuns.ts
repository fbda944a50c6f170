import { createRandom, type Random } from '../core/random.ts';
import type { ArmCounts, Arms, Bandit, CreativeQuestion } from './creative.ts';

/** Arms for tests: ads `a`, `b`, … of these numbers of creatives `a0`, `a1`, … */
export function armsOf(...counts: readonly number[]): Arms {
  const offsets = new Int32Array(counts.length + 1);
  for (const [ad, count] of counts.entries()) offsets[ad + 1] = offsets[ad] + count;
  const adKeys = counts.map((_, ad) => String.fromCharCode(97 + ad));
  return { offsets, adKeys, creativeKeys: counts.flatMap((count, ad) => range(count).map((i) => adKeys[ad] + i)) };
}

export const range = (count: number) => Array.from({ length: count }, (_, i) => i);

/** As many candidates as asked for, all of this ad; the same model p for each where given. */
export function questionOf(
  arms: Arms,
  ad: number,
  count: number,
  random: Random,
  p?: readonly number[],
): CreativeQuestion {
  const variants = ad < 0 ? (p?.length ?? 3) : arms.offsets[ad + 1] - arms.offsets[ad];
  return {
    count,
    ads: new Int32Array(count).fill(ad),
    variantOffsets: Int32Array.from(range(count + 1), (i) => i * variants),
    ...(p && { p: Float64Array.from(range(count).flatMap(() => [...p])) }),
    random,
  };
}

/** A sequence of numbers in [0, 1) in place of chance. */
export function given(values: ArrayLike<number>): Random {
  let at = 0;
  return { ...createRandom(1), next: () => values[at++ % values.length] };
}

/** How often each arm of an ad is chosen when every number from 0 to 1 is drawn once, evenly, and each choice's propensity. */
export function chosenShares(bandit: Bandit, ad: number, p?: readonly number[], context?: Float64Array) {
  const draws = 20_000;
  const question = questionOf(bandit.arms, ad, draws, given(range(draws).map((i) => (i + 0.5) / draws)), p);
  const choices = { variants: new Int32Array(draws), propensities: new Float64Array(draws) };
  bandit.choose(context ? { ...question, context } : question, choices);
  const variants = question.variantOffsets[1];
  const [shares, propensities] = [new Array<number>(variants).fill(0), new Array<number>(variants).fill(0)];
  for (let i = 0; i < draws; i++) {
    const arm = choices.variants[i] - i * variants;
    shares[arm] += 1 / draws;
    propensities[arm] = choices.propensities[i];
  }
  return { shares, propensities };
}

/** Counts that arms may have got, each impressions before their clicks, in the last windows before `nowMs`. */
export function randomCounts(random: Random, arms: Arms, nowMs: number, length: number): ArmCounts[] {
  return range(length).flatMap(() => {
    const arm = random.below(arms.creativeKeys.length);
    const impressions = random.below(2000);
    const timeMs = nowMs - random.below(20_000_000);
    const position = 1 + random.below(3);
    const shown = { arm, timeMs, position, impressions, logits: impressions * -(3 + random.next()) };
    const views = random.below(impressions + 1);
    const clicks = random.below(Math.ceil(impressions / 10) + 1);
    const revenueMicros = clicks * random.below(100_000);
    return [shown, { arm, timeMs, position, clicks, revenueMicros, views, viewMs: views * random.below(9000) }];
  });
}
