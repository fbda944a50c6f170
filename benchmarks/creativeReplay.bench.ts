import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { importUpworthy } from '../data/upworthy/importUpworthy.ts';
import { policiesOf, replayedPolicies } from '../src/commands/creativePolicies.ts';
import { type PolicyResult, replayPolicies } from '../src/commands/creativeReplay.ts';
import { readTests } from '../src/commands/creativeTests.ts';
import type { RandomizedTests } from '../src/creative/replay.ts';
import { realData } from '../test/realData.ts';
import type { Topic, TopicOptions } from './topic.ts';

const seed = 1;

/** How well policies choose among the creatives of real randomised tests. */
export const creativeReplay: Topic = {
  name: 'creative-replay',
  summary:
    'policies that choose creatives, replayed on the Upworthy tests: regret, exposure on the best, what the exit saves',
  async run(options) {
    const results = await upworthyResults(options);
    if ('missing' in results)
      return { setting: 'Upworthy tests', seed, rows: [], notes: [`left out: ${results.missing}`] };
    const ours = results.find(({ policy }) => policy === 'default');
    const free = results.find(({ policy }) => policy === 'default-no-exit');
    return {
      setting:
        'Upworthy tests, arms drawn as Bernoulli from their observed CTRs, for the tests’ real numbers of impressions; feedback every 100 impressions of a test',
      seed,
      rows: results.map((result) => ({
        policy: result.policy,
        clicks: result.clicks,
        regret: Math.round(result.regret),
        'regret 95 %': result.interval.regret.map((end) => Math.round(end).toLocaleString('en')).join(' – '),
        'our regret over it': ours ? Number((ours.regret / result.regret).toFixed(3)) : null,
        'best arm': share(result.bestArmShare),
        explored: share(result.exploredShare),
        left: result.exitedShare > 0 ? share(result.exitedShare) : null,
        'impressions until then': result.exposuresToExit === null ? null : Math.round(result.exposuresToExit),
      })),
      notes: [
        'regret: clicks forgone against each test’s best arm; explored: impressions of another arm than the one with the highest posterior mean then',
        ...(ours && free ? [exitNote(ours, free)] : []),
      ],
    };
  },
};

const share = (value: number) => `${(100 * value).toFixed(1)} %`;

function exitNote(ours: PolicyResult, free: PolicyResult): string {
  const { saved, lost } = exitSavings(ours, free);
  return `the exit saves ${share(saved)} of the exploration and changes clicks by ${(-100 * lost).toFixed(2)} %`;
}

/** How much less is explored with the exit than without it, and the share of clicks that this costs (below 0: that it wins). */
export function exitSavings(ours: PolicyResult, free: PolicyResult): { saved: number; lost: number } {
  return { saved: 1 - ours.exploredShare / free.exploredShare, lost: 1 - ours.clicks / free.clicks };
}

/** Policies on the public Upworthy tests. */
export async function upworthyResults(
  { small, log }: Pick<TopicOptions, 'small' | 'log'>,
  policies = replayedPolicies,
): Promise<PolicyResult[] | { missing: string }> {
  const found = realData('upworthy');
  if ('missing' in found) return found;
  const folder = mkdtempSync(join(tmpdir(), 'limelight-upworthy-'));
  try {
    await importUpworthy(found.folder, join(folder, 'tests'));
    const read = await readTests(join(folder, 'tests'));
    const tests = small ? firstTests(read.tests, 20) : read.tests;
    const onPolicy = (policy: string) => log(`playing ${policy}`);
    return replayPolicies(tests, policiesOf(policies, tests), { seed, onPolicy }).map(({ result }) => result);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function firstTests({ arms, impressions, clicks }: RandomizedTests, count: number): RandomizedTests {
  const end = arms.offsets[count];
  return {
    arms: {
      offsets: arms.offsets.slice(0, count + 1),
      adKeys: arms.adKeys.slice(0, count),
      creativeKeys: arms.creativeKeys.slice(0, end),
    },
    impressions: impressions.slice(0, end),
    clicks: clicks.slice(0, end),
  };
}
