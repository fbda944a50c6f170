import { createRandom } from '../src/core/random.ts';
import { createBandit } from '../src/creative/bandit.ts';
import type { Arms, Bandit, CreativeChoices, CreativeQuestion } from '../src/creative/creative.ts';
import type { PolicyName } from '../src/creative/policyNames.ts';
import { readBanditSettings } from '../src/creative/settings.ts';
import { Latency } from './serving/latency.ts';
import { median, type Topic } from './topic.ts';

const seed = 61;
const adsAsked = 500;
const creatives = 5;
const contextSize = 8;

/** What the bandit's choice of a creative costs a request, and whether calls leave anything behind. */
export const creative: Topic = {
  name: 'creative',
  summary: 'the bandit: choosing a creative for each of 500 ads, adding an event and settling it, bytes a call leaves',
  async run({ small, rounds, log }) {
    const adCount = small ? 1000 : 20_000;
    const arms = armsOf(adCount);
    const cases: [policy: PolicyName, hasModel: boolean, asksShares?: true][] = [
      ['default', true],
      ['default', true, true],
      ['default', false],
      ['kl-ucb', true],
      ['thompson', true],
      ['thompson', false],
      ['linucb', true],
    ];
    const measured = cases.map(([policy, hasModel, asksShares]) => ({
      policy,
      hasModel,
      asksShares,
      ...createCase(arms, policy, hasModel, asksShares),
    }));
    // In turn, so that what else the machine does is none's own.
    for (let round = 0; round < rounds; round++) for (const one of measured) measure(one, small ? 40 : 4000);
    log(`${adCount} ads with ${creatives} creatives each`);
    return {
      setting: `${adsAsked} ads × ${creatives} creatives a call, drawn from ${adCount.toLocaleString('en')} ads that have been shown; one thread`,
      seed,
      rows: measured.map((one) => ({
        policy: one.policy,
        'p(click) by': one.hasModel ? 'a model' : 'the record',
        answers: one.asksShares ? 'and shares' : 'the choice',
        'choose p50 µs': one.choosing.us(50),
        'p99 µs': one.choosing.us(99),
        'add and settle µs an event': Number(median(one.settleUs).toFixed(2)),
        'heap bytes a choose': Math.round(median(one.heapBytes)),
      })),
      notes: [
        'linucb by a context of 8 segments; other policies know none',
        'settled: one event at a time; in service a batch of events settles each of its ads once',
      ],
    };
  },
};

function armsOf(adCount: number): Arms {
  return {
    offsets: Int32Array.from({ length: adCount + 1 }, (_, ad) => ad * creatives),
    adKeys: Array.from({ length: adCount }, (_, ad) => `ad ${ad}`),
    creativeKeys: Array.from({ length: adCount * creatives }, (_, arm) => `creative ${arm}`),
  };
}

interface Case {
  readonly bandit: Bandit;
  readonly questions: readonly CreativeQuestion[];
  readonly choices: CreativeChoices;
  readonly choosing: Latency;
  readonly settleUs: number[];
  readonly heapBytes: number[];
}

const nowMs = 1_750_000_000_000;

/** A bandit whose creatives have each been shown some hundred times, and requests. */
function createCase(arms: Arms, policy: PolicyName, hasModel: boolean, asksShares?: true): Case {
  const random = createRandom(seed);
  const bandit = createBandit(
    arms,
    readBanditSettings({ policy, exit: false, ...(policy === 'linucb' && { contextSize }) }),
  );
  const context = new Float64Array(contextSize);
  bandit.settle(nowMs);
  for (let arm = 0; arm < arms.creativeKeys.length; arm++) {
    const impressions = random.below(1000);
    const clicks = Math.floor(0.03 * random.next() * impressions);
    const segment = context
      .fill(0)
      .fill(1, random.below(contextSize))
      .fill(0, 1 + context.indexOf(1));
    bandit.add({ arm, timeMs: nowMs, impressions, clicks, logits: -4 * impressions, context: segment });
  }
  bandit.settle(nowMs);
  const variantOffsets = Int32Array.from({ length: adsAsked + 1 }, (_, i) => i * creatives);
  const questions = Array.from({ length: 64 }, () => ({
    count: adsAsked,
    ads: Int32Array.from({ length: adsAsked }, () => random.below(arms.adKeys.length)),
    variantOffsets,
    ...(hasModel && { p: Float32Array.from({ length: adsAsked * creatives }, () => 0.03 * random.next()) }),
    context: Float64Array.from({ length: contextSize }, (_, i) => (i < 2 ? 0.5 : 0)),
    random: random.fork('choices'),
  }));
  const choices = {
    variants: new Int32Array(adsAsked),
    propensities: new Float64Array(adsAsked),
    ...(asksShares && { shares: new Float64Array(adsAsked * creatives) }),
  };
  return { bandit, questions, choices, choosing: new Latency(), settleUs: [], heapBytes: [] };
}

function measure({ bandit, questions, choices, choosing, settleUs, heapBytes }: Case, calls: number): void {
  const ask = (i: number) => bandit.choose(questions[i % questions.length], choices);
  for (let i = 0; i < calls / 4; i++) ask(i);
  for (let i = 0; i < calls; i++) choosing.time(() => ask(i));
  const growth: number[] = [];
  for (let i = 0; i < calls / 10; i++) growth.push((heapGrowth(10, ask) - heapGrowth(0, ask)) / 10);
  heapBytes.push(median(growth));
  const random = createRandom(seed);
  const start = performance.now();
  for (let i = 0; i < calls; i++) {
    bandit.add({ arm: random.below(bandit.arms.creativeKeys.length), timeMs: nowMs, impressions: 1 });
    bandit.settle(nowMs);
  }
  settleUs.push((1000 * (performance.now() - start)) / calls);
}

/** Few calls at a time: a collection in between would hide what they leave. */
function heapGrowth(calls: number, call: (i: number) => void): number {
  const used = process.memoryUsage().heapUsed;
  for (let i = 0; i < calls; i++) call(i);
  return process.memoryUsage().heapUsed - used;
}
