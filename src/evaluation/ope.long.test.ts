import { describe, expect, it } from 'vitest';
import { createRandom } from '../core/random.ts';
import { evaluateOffPolicy } from './ope.ts';
import { simulateLog } from './opeSimulation.ts';

const KINDS = [
  { logging: 'softmax', target: 'softmax' },
  { logging: 'softmax', target: 'uniform' },
  { logging: 'epsilon', target: 'softmax' },
  { logging: 'uniform', target: 'softmax' },
] as const;

/** How often intervals hold the truth, and how wide they are beside it, by estimator. */
function coverage(unitRows?: number): (estimator: string) => { covered: number; width: number } {
  const logs = 500;
  const sums = new Map<string, { covered: number; width: number }>();
  for (let i = 0; i < logs; i++) {
    const random = createRandom(10_000 + i);
    const kind = { ...KINDS[i % KINDS.length], unitRows };
    const { log, truth } = simulateLog({ rows: 4000, clickRate: [0.005, 0.05], ...kind }, random);
    for (const { estimator, low, high } of evaluateOffPolicy(log, { random, resamples: 300 }).estimates) {
      const sum = sums.get(estimator) ?? { covered: 0, width: 0 };
      sums.set(estimator, sum);
      sum.covered += Number((low as number) <= truth && truth <= (high as number)) / logs;
      sum.width += ((high as number) - (low as number)) / truth / logs;
    }
  }
  return (estimator) => sums.get(estimator) as { covered: number; width: number };
}

describe('off-policy intervals on 500 simulated logs of 34 items in 3 positions', () => {
  // As measured, in turn: 95.6, 95.6, 96.2, 95.6 and 94.0, 93.8, 93.8, 93.4 of 100; of units drawn whole 91 to 93, and 87 to 88.
  it.each([6, 100])('hold the truth as often where rows are those of users, of %i rows', (unitRows) => {
    const of = coverage(unitRows);
    for (const name of ['ips', 'snips', 'dr', 'switch-dr']) {
      expect(of(name).covered, name).toBeGreaterThanOrEqual(0.92);
      expect(of(name).covered, name).toBeLessThanOrEqual(0.97);
    }
  });

  it('hold the truth 92 to 97 times in 100, but for dm, and those of dr are narrower than those of ips', () => {
    const of = coverage();
    for (const name of ['ips', 'snips', 'dr', 'switch-dr']) {
      expect(of(name).covered, name).toBeGreaterThanOrEqual(0.92);
      expect(of(name).covered, name).toBeLessThanOrEqual(0.97);
    }
    expect(of('dr').width).toBeLessThan(of('ips').width);
    expect(of('switch-dr').width).toBeLessThan(of('dr').width);
    // As measured: 95.2, 95.8, 95.2 and 95.4 of 100, and 86 for dm: the model knows little of what is seldom shown, and its bias is in no interval.
    expect(of('dm').covered).toBeLessThan(0.92);
  });
});
