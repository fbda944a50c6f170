import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { chanceOfFewer, chanceOfMore, ratioAt } from './rateRatio.ts';

const golden = JSON.parse(readFileSync(new URL('./golden/decay.json', import.meta.url), 'utf8'));

describe('the ratio of two rates', () => {
  it('is tested by binomial tails, as SciPy computes them', () => {
    for (const [c, e, cBefore, eBefore, ratio, fewer, more] of golden.tails) {
      const [now, before] = [
        { clicks: c, exposures: e },
        { clicks: cBefore, exposures: eBefore },
      ];
      expect(chanceOfFewer(now, before, ratio)).toBeCloseTo(fewer, 10);
      expect(chanceOfMore(now, before, ratio)).toBeCloseTo(more, 10);
    }
  });

  it('cannot be told without clicks', () => {
    const [none, some] = [
      { clicks: 0, exposures: 100 },
      { clicks: 5, exposures: 100 },
    ];
    expect(chanceOfFewer(some, none, 0.8)).toBe(1);
    expect(chanceOfMore(none, some, 0.8)).toBe(1);
  });

  it('has bounds, where a chance crosses a level', () => {
    const [now, before] = [
      { clicks: 60, exposures: 1500 },
      { clicks: 140, exposures: 2100 },
    ];
    const low = ratioAt(0.05, 'rises', (ratio) => chanceOfMore(now, before, ratio));
    const high = ratioAt(0.05, 'falls', (ratio) => chanceOfFewer(now, before, ratio));
    expect(chanceOfMore(now, before, low)).toBeCloseTo(0.05, 6);
    expect(chanceOfFewer(now, before, high)).toBeCloseTo(0.05, 6);
    expect([low, high].map((bound) => bound < 0.6)).toEqual([true, false]);
  });

  it('has no lower bound but 0 without clicks now, no upper one without clicks before', () => {
    const [none, some] = [
      { clicks: 0, exposures: 100 },
      { clicks: 5, exposures: 100 },
    ];
    expect(ratioAt(0.05, 'rises', (ratio) => chanceOfMore(none, some, ratio))).toBeCloseTo(0, 6);
    expect(ratioAt(0.05, 'falls', (ratio) => chanceOfFewer(some, none, ratio))).toBeGreaterThan(1e8);
  });
});
