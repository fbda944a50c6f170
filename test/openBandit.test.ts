import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { importObd } from '../data/obd/importObd.ts';
import { evaluateCreativePolicy } from '../src/commands/creativeEvaluation.ts';
import { realData } from './realData.ts';

const real = realData('obd');

describe.skipIf('missing' in real)(`on the Open Bandit logs${'missing' in real ? ` (${real.missing})` : ''}`, () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'open-bandit-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('the interval of each policy from the other’s log holds the click rate that it had', async () => {
    const { files } = await importObd((real as { folder: string }).folder, join(folder, 'obd'));
    const [bts, random] = files;
    for (const [data, target, rate] of [
      [random, bts, 0.0069],
      [bts, random, 0.0046],
    ] as const) {
      const { estimates, observed } = await evaluateCreativePolicy({ data, target, resamples: 400, seed: 1 });
      expect(observed.target?.value).toBeCloseTo(rate, 12);
      for (const { estimator, low, high } of estimates) {
        // DM leans towards the rate of the logging policy where clicks are too few to tell items apart.
        if (estimator === 'dm') continue;
        expect(low, estimator).toBeLessThan(rate);
        expect(high, estimator).toBeGreaterThan(rate);
      }
    }
  });
});
