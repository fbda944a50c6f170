import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../core/random.ts';
import { bootstrapRatios } from './bootstrapRatio.ts';

describe('bootstrapRatios', () => {
  it('has the standard error of the mean for a sum and the delta method’s for a ratio', () => {
    const random = createRandom(5);
    const count = 2000;
    const below = Float64Array.from({ length: count }, () => 1 + random.next());
    const above = below.map((n) => n * 0.3 + 0.2 * random.normal());
    const [sum, ratio] = bootstrapRatios([{ above }, { above, below }], createRandom(1), 4000);
    const mean = (values: Float64Array) => values.reduce((total, value) => total + value, 0) / count;
    const sd = (values: Float64Array) => Math.sqrt(mean(values.map((value) => (value - mean(values)) ** 2)));
    const total = mean(above) * count;
    expect(sum?.value).toBeCloseTo(total, 6);
    // Percentiles of so many resamples are themselves uncertain: a standard error of 1.5 % of the width.
    const within5Percent = (value: number) => expect(Math.abs(value - 1)).toBeLessThan(0.05);
    const width = 2 * 1.96 * sd(above) * Math.sqrt(count);
    within5Percent(((sum?.high ?? 0) - (sum?.low ?? 0)) / width);
    const r = mean(above) / mean(below);
    expect(ratio?.value).toBeCloseTo(r, 12);
    const ratioWidth =
      (2 * 1.96 * sd(above.map((value, i) => value - r * below[i]))) / (Math.sqrt(count) * mean(below));
    within5Percent(((ratio?.high ?? 0) - (ratio?.low ?? 0)) / ratioWidth);
    expect(ratio?.low).toBeLessThan(0.3);
    expect(ratio?.high).toBeGreaterThan(0.3);
  });

  it('sums whole numbers exactly', () => {
    const above = new Float64Array(2927).fill(251);
    expect(bootstrapRatios([{ above }], createRandom(1), 10)[0]).toEqual({
      value: 2927 * 251,
      low: 2927 * 251,
      high: 2927 * 251,
    });
  });

  it('measures all ratios on the same draws, and none without a lower sum', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0.1, max: 9, noNaN: true }), { minLength: 1, maxLength: 30 }), (drawn) => {
        const above = Float64Array.from(drawn);
        const twice = above.map((value) => 2 * value);
        const [one, two, share, none] = bootstrapRatios(
          [{ above }, { above: twice }, { above: twice, below: above }, { above, below: above.map(() => 0) }],
          createRandom(2),
          50,
        );
        expect(two?.low).toBeCloseTo(2 * (one?.low ?? 0), 9);
        expect(two?.high).toBeCloseTo(2 * (one?.high ?? 0), 9);
        for (const value of [share?.low, share?.value, share?.high]) expect(value).toBeCloseTo(2, 9);
        expect(none).toBeNull();
      }),
    );
  });
});
