import { describe, expect, it } from 'vitest';
import { realData } from '../test/realData.ts';
import { exitSavings, upworthyResults } from './creativeReplay.bench.ts';

const real = realData('upworthy');

describe.skipIf('missing' in real)(`the Upworthy tests${'missing' in real ? ` (${real.missing})` : ''}`, () => {
  it('are played with far less regret than UCB1’s and Thompson’s, and with most of the exploration saved by the exit', async () => {
    const policies = ['default', 'default-no-exit', 'thompson', 'ucb1'];
    const results = await upworthyResults({ small: false, log: console.log }, policies);
    if ('missing' in results) throw new Error(results.missing);
    const [ours, free, thompson, ucb1] = results;
    expect(results.map(({ policy }) => policy)).toEqual(policies);
    expect(ours.regret / ucb1.regret).toBeLessThanOrEqual(0.4);
    expect(ours.regret / thompson.regret).toBeLessThanOrEqual(0.9);
    const { saved, lost } = exitSavings(ours, free);
    expect(saved).toBeGreaterThanOrEqual(0.5);
    expect(lost).toBeLessThan(0.01);
  });
});
