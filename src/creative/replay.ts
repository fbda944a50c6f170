import { assert } from '../core/errors.ts';
import type { Random } from '../core/random.ts';
import type { Arms, Bandit, CreativeChoices, CreativeQuestion } from './creative.ts';
import { fitRatePrior, type RatePrior, shrunkenRate } from './ratePrior.ts';

/** Randomised tests: each is an ad, and what each of its creatives was shown and clicked. */
export interface RandomizedTests {
  readonly arms: Arms;
  /** [arms], each above 0. */
  readonly impressions: Float64Array;
  /** [arms], at most the impressions. */
  readonly clicks: Float64Array;
}

/** A bandit that may say which ads have left exploration. */
export interface ReplayedBandit extends Bandit {
  /** As of the last `settle`. */
  hasExited?(ad: number): boolean;
}

export interface ReplayOptions {
  /** The same for each policy compared, which then all meet the same clicks. */
  readonly random: Random;
  /** Impressions of a test between two feedbacks; 100 if absent. */
  readonly batch?: number;
  /** Time between two feedbacks; if absent 3.6 seconds an impression, so that a test gets 1,000 an hour whatever the batch. */
  readonly batchMs?: number;
  /** Into how many equal shares of the horizon the curves are cut; 50 if absent. */
  readonly curvePoints?: number;
  /** Told between feedbacks how many impressions have been played, of all. */
  readonly onProgress?: (played: number, total: number) => void;
}

/** What came of a replay, by test, and over time. */
export interface Replay {
  /** [tests] each. Impressions played: the horizon, which is the test's real total. */
  readonly impressions: Float64Array;
  readonly clicks: Float64Array;
  /** Σ over impressions of (CTR of the best arm − CTR of the chosen one): clicks forgone, without the noise of chance. */
  readonly regret: Float64Array;
  /** Impressions of an arm with the best CTR. */
  readonly bestImpressions: Float64Array;
  /** Impressions of an arm other than the one with the highest posterior mean at that time: what exploring costs. */
  readonly exploredImpressions: Float64Array;
  /** Impressions until the test first left exploration; NaN where it did not. */
  readonly impressionsToExit: Float64Array;
  /** [curvePoints] each, all tests together: what falls into each share of the horizon. */
  readonly regretByShare: Float64Array;
  readonly bestByShare: Float64Array;
  readonly impressionsByShare: Float64Array;
}

/**
 * Plays a policy on randomised tests: arms are Bernoulli at their observed CTRs, for as many impressions as the test really
 * had, and feedback comes once every `batch` impressions. All tests run side by side, as ads do in service, so that a policy may
 * learn from one what it supposes of another.
 *
 * Random numbers are common to the policies compared under one `random`: the k-th impression of an arm is clicked in all of
 * them or in none, and a policy's own chance is drawn apart from it, by test.
 *
 * @param bandit one that has seen nothing yet, of the tests' arms
 * @throws RangeError where an arm has no impressions or more clicks than impressions: readers have to refuse these
 */
export function replay(tests: RandomizedTests, bandit: ReplayedBandit, options: ReplayOptions): Replay {
  const { random, batch = 100, batchMs = 3600 * batch, curvePoints = 50, onProgress } = options;
  assert(batch >= 1 && curvePoints >= 1, `replay: batches of ${batch}, ${curvePoints} points`);
  checkTests(tests);
  const games = createGames(tests, random, batch);
  const count = games.length;
  const column = () => new Float64Array(count);
  const result = {
    impressions: column(),
    clicks: column(),
    regret: column(),
    bestImpressions: column(),
    exploredImpressions: column(),
    impressionsToExit: column().fill(Number.NaN),
    regretByShare: new Float64Array(curvePoints),
    bestByShare: new Float64Array(curvePoints),
    impressionsByShare: new Float64Array(curvePoints),
  };
  const choices = { variants: new Int32Array(batch), propensities: new Float64Array(batch) };
  const total = games.reduce((sum, { horizon }) => sum + horizon, 0);
  let played = 0;
  let running = games;
  for (let timeMs = 0; ; timeMs += batchMs) {
    bandit.settle(timeMs);
    if (bandit.hasExited) {
      for (const { ad, played } of running) {
        if (Number.isNaN(result.impressionsToExit[ad]) && bandit.hasExited(ad)) result.impressionsToExit[ad] = played;
      }
    }
    running = running.filter((game) => game.played < game.horizon);
    if (running.length === 0) return result;
    for (const game of running) played += playBatch(game, bandit, choices, timeMs, result);
    onProgress?.(played, total);
  }
}

/** One test being played; arms by their number within it. */
interface Game {
  readonly ad: number;
  readonly firstArm: number;
  readonly horizon: number;
  readonly question: { -readonly [Key in keyof CreativeQuestion]: CreativeQuestion[Key] };
  readonly ctrs: Float64Array;
  readonly bestCtr: number;
  /** What decides the clicks of each arm. */
  readonly chances: readonly Random[];
  readonly prior: RatePrior;
  readonly shown: Float64Array;
  readonly clicked: Float64Array;
  /** Of the batch being played. */
  readonly shownNow: Int32Array;
  played: number;
}

function createGames(tests: RandomizedTests, random: Random, batch: number): Game[] {
  const { offsets, adKeys, creativeKeys } = tests.arms;
  const prior = fitRatePrior(tests.clicks, tests.impressions);
  const variantOffsets = new Map<number, Int32Array>();
  return adKeys.map((key, ad) => {
    const [firstArm, end] = [offsets[ad], offsets[ad + 1]];
    const arms = end - firstArm;
    const ctrs = new Float64Array(arms).map((_, i) => tests.clicks[firstArm + i] / tests.impressions[firstArm + i]);
    const shared = variantOffsets.get(arms) ?? new Int32Array(batch + 1).map((_, i) => i * arms);
    variantOffsets.set(arms, shared);
    const ownRandom = random.fork(`choices of test ${key}`);
    return {
      ad,
      firstArm,
      horizon: tests.impressions.subarray(firstArm, end).reduce((sum, n) => sum + n, 0),
      question: { count: 0, ads: new Int32Array(batch).fill(ad), variantOffsets: shared, random: ownRandom },
      ctrs,
      bestCtr: Math.max(...ctrs),
      chances: creativeKeys.slice(firstArm, end).map((arm) => random.fork(`clicks of test ${key}, arm ${arm}`)),
      prior,
      shown: new Float64Array(arms),
      clicked: new Float64Array(arms),
      shownNow: new Int32Array(arms),
      played: 0,
    };
  });
}

/** @returns how many impressions */
function playBatch(game: Game, bandit: Bandit, choices: CreativeChoices, timeMs: number, result: Replay): number {
  const { ad, ctrs, bestCtr, question, shownNow } = game;
  const arms = ctrs.length;
  const count = Math.min(question.ads.length, game.horizon - game.played);
  question.count = count;
  bandit.choose(question, choices);
  shownNow.fill(0);
  for (let i = 0; i < count; i++) shownNow[choices.variants[i] - i * arms]++;
  let [best, regret, leading] = [0, 0, 0];
  const lead = highestPosteriorMean(game);
  for (let arm = 0; arm < arms; arm++) {
    const impressions = shownNow[arm];
    regret += impressions * (bestCtr - ctrs[arm]);
    if (ctrs[arm] === bestCtr) best += impressions;
    if (shrunkenRate(game.prior, game.clicked[arm], game.shown[arm]) === lead) leading += impressions;
  }
  for (let arm = 0; arm < arms; arm++) {
    const impressions = shownNow[arm];
    if (impressions === 0) continue;
    let clicks = 0;
    const chance = game.chances[arm];
    for (let i = 0; i < impressions; i++) if (chance.next() < ctrs[arm]) clicks++;
    bandit.add({ arm: game.firstArm + arm, timeMs, impressions, clicks });
    game.shown[arm] += impressions;
    game.clicked[arm] += clicks;
    result.clicks[ad] += clicks;
  }
  result.impressions[ad] += count;
  result.regret[ad] += regret;
  result.bestImpressions[ad] += best;
  result.exploredImpressions[ad] += count - leading;
  const [from, to] = [game.played / game.horizon, (game.played + count) / game.horizon];
  spread(result.impressionsByShare, from, to, count);
  spread(result.regretByShare, from, to, regret);
  spread(result.bestByShare, from, to, best);
  game.played += count;
  return count;
}

/** Adds an amount that came evenly between two shares of the horizon to the parts of it that these touch. */
function spread(parts: Float64Array, from: number, to: number, amount: number): void {
  const scale = parts.length;
  for (let part = Math.floor(from * scale); part < scale && part < to * scale; part++) {
    const overlap = Math.min(to * scale, part + 1) - Math.max(from * scale, part);
    parts[part] += (amount * overlap) / ((to - from) * scale);
  }
}

function highestPosteriorMean({ prior, clicked, shown }: Game): number {
  let highest = 0;
  for (let arm = 0; arm < shown.length; arm++)
    highest = Math.max(highest, shrunkenRate(prior, clicked[arm], shown[arm]));
  return highest;
}

function checkTests({ arms, impressions, clicks }: RandomizedTests): void {
  const count = arms.creativeKeys.length;
  if (impressions.length !== count || clicks.length !== count || arms.offsets[arms.adKeys.length] !== count)
    throw new RangeError(`replay: ${count} arms, ${impressions.length} impressions, ${clicks.length} clicks`);
  for (let arm = 0; arm < count; arm++) {
    if (!(impressions[arm] >= 1 && clicks[arm] >= 0 && clicks[arm] <= impressions[arm]))
      throw new RangeError(`replay: arm ${arm} has ${clicks[arm]} clicks in ${impressions[arm]} impressions`);
  }
}
