import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../core/random.ts';
import { estimateExamination } from './examination.ts';
import { ecoi, type PositionCounts } from './positions.ts';

const golden = JSON.parse(readFileSync(new URL('./golden/examination.json', import.meta.url), 'utf8'));

/** Cells of a table [items][positions]. */
function cellsOf(impressions: number[][], clicks: number[][]): PositionCounts {
  const cells = impressions.flatMap((row, item) => row.map((_, s) => [item, s]));
  return {
    items: Int32Array.from(cells, ([item]) => item),
    positions: Int32Array.from(cells, ([, s]) => s + 1),
    impressions: Float64Array.from(cells, ([item, s]) => impressions[item][s]),
    clicks: Float64Array.from(cells, ([item, s]) => clicks[item][s]),
  };
}

const table = fc.array(fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 3, maxLength: 3 }), {
  minLength: 1,
  maxLength: 5,
});

describe('estimateExamination', () => {
  it('finds the maximum that alternating equations reach in an independent NumPy program, and its standard errors', () => {
    const counts = cellsOf(golden.impressions, golden.clicks);
    const fit = estimateExamination(counts);
    golden.examination.forEach((e: number, s: number) => {
      expect(fit.examination[s]).toBeCloseTo(e, 7);
      expect(fit.standardErrors[s]).toBeCloseTo(golden.standardErrors[s], 7);
    });
    ecoi(counts, fit.examination).forEach((rate, item) => {
      expect(rate).toBeCloseTo(golden.ecoi[item], 7);
    });
    expect(fit.steps).toBeLessThan(10);
  });

  it('is exact where clicks are as expected, however the better items crowd the better positions', () => {
    const examination = [1, 0.7, 0.2];
    fc.assert(
      fc.property(
        table,
        fc.array(fc.double({ min: 0.01, max: 1, noNaN: true }), { minLength: 5, maxLength: 5 }),
        (n, a) => {
          const clicks = n.map((row, item) => row.map((impressions, s) => impressions * a[item] * examination[s]));
          const fit = estimateExamination(cellsOf(n, clicks));
          examination.forEach((e, s) => {
            expect(fit.examination[s]).toBeCloseTo(e, 5);
          });
        },
      ),
    );
  });

  it('takes cells in any order, split or with nothing in them', () => {
    const counts = cellsOf([...golden.impressions, [0, 0, 0, 0, 0, 0]], [...golden.clicks, [0, 0, 0, 0, 0, 0]]);
    const whole = estimateExamination(counts);
    const twice = (column: Float64Array) =>
      Float64Array.from([...column, ...column].reverse(), (value, i) => (i < column.length ? 0.25 : 0.75) * value);
    const again = (column: Int32Array) => Int32Array.from([...column, ...column].reverse());
    const { items, positions, impressions, clicks } = counts;
    const split = {
      items: again(items),
      positions: again(positions),
      impressions: twice(impressions),
      clicks: twice(clicks),
    };
    const fit = estimateExamination(split);
    whole.examination.forEach((e, s) => {
      expect(fit.examination[s]).toBeCloseTo(e, 8);
    });
    // Never shown: the prior's mean.
    expect(whole.attraction[40]).toBe(whole.prior.mean);
  });

  it('finds the maximum far from where it starts', () => {
    const counts = {
      items: Int32Array.of(0, 1, 1),
      positions: Int32Array.of(1, 1, 2),
      impressions: Float64Array.of(4681855, 3266728, 486340),
      clicks: Float64Array.of(3536407, 46, 27852),
    };
    const { examination } = estimateExamination(counts);
    // Of two cells of one item the clicks per impression are met exactly.
    expect(examination[0] * (27852 / 486340)).toBeCloseTo(46 / 3266728, 12);
    expect(examination[1]).toBe(1);
  });

  it('takes as many cells of one item as a log of many days has', () => {
    const [days, examination] = [20_000, [1, 0.5, 0.25]];
    const cells = Array.from({ length: 3 * days }, (_, cell) => cell % 3);
    const fit = estimateExamination({
      items: new Int32Array(cells.length),
      positions: Int32Array.from(cells, (s) => s + 1),
      impressions: new Float64Array(cells.length).fill(80),
      clicks: Float64Array.from(cells, (s) => 8 * examination[s]),
    });
    examination.forEach((e, s) => {
      expect(fit.examination[s]).toBeCloseTo(e, 9);
    });
  });

  it('has errors that say how far off it is: half of the estimates within 0.67, 95 % within 1.96 of them', () => {
    const random = createRandom(5);
    const examination = [1, 0.6, 0.35];
    let [within, halfWithin, all] = [0, 0, 0];
    for (let trial = 0; trial < 200; trial++) {
      const impressions: number[][] = [];
      const clicks: number[][] = [];
      for (let item = 0; item < 60; item++) {
        const attraction = 0.02 + 0.06 * random.next();
        // The best hardly ever at the bottom, the worst hardly ever at the top.
        const top = (attraction - 0.02) / 0.06;
        impressions.push([10 + 200 * top, 100, 10 + 200 * (1 - top)].map(Math.floor));
        clicks.push(
          impressions[item].map((n, s) => {
            let sum = 0;
            for (let i = 0; i < n; i++) sum += random.next() < attraction * examination[s] ? 1 : 0;
            return sum;
          }),
        );
      }
      const fit = estimateExamination(cellsOf(impressions, clicks));
      // Relative to the first, whichever came out best.
      if (fit.examination[0] !== 1) continue;
      for (const s of [1, 2]) {
        const z = Math.abs(Math.log(fit.examination[s] / examination[s])) / fit.standardErrors[s];
        all++;
        if (z < 1.96) within++;
        if (z < 0.674) halfWithin++;
      }
    }
    expect(within / all).toBeGreaterThan(0.91);
    expect(within / all).toBeLessThan(0.985);
    expect(halfWithin / all).toBeGreaterThan(0.42);
    expect(halfWithin / all).toBeLessThan(0.58);
  });

  it('shrinks the attraction of items with few impressions to the mean, and leaves proven ones', () => {
    const impressions = [...Array.from({ length: 30 }, () => [4000, 4000]), [3, 1]];
    const clicks = [...impressions.slice(0, 30).map((_, item) => [80 + 10 * item, 40 + 5 * item]), [3, 1]];
    const counts = cellsOf(impressions, clicks);
    const fit = estimateExamination(counts);
    const plain = ecoi(counts, fit.examination);
    expect(plain[30]).toBeGreaterThan(1);
    expect(fit.attraction[30]).toBeLessThan(2.5 * fit.prior.mean);
    for (let item = 0; item < 30; item++) expect(fit.attraction[item] / plain[item]).toBeCloseTo(1, 1);
  });

  it('fits a hundred thousand items, some seventy impressions each', () => {
    const random = createRandom(3);
    const examination = [1, 0.8, 0.6, 0.45];
    const cells = 400_000;
    const counts = {
      items: Int32Array.from({ length: cells }, (_, cell) => cell >> 2),
      positions: Int32Array.from({ length: cells }, (_, cell) => 1 + (cell & 3)),
      impressions: new Float64Array(cells),
      clicks: new Float64Array(cells),
    };
    for (let item = 0; item < cells / 4; item++) {
      const good = random.next() < 0.5 ? 1 : 0;
      for (let s = 0; s < 4; s++) {
        const n = good ? 25 - 5 * s : 10 + 5 * s;
        counts.impressions[4 * item + s] = n;
        for (let i = 0; i < n; i++) {
          if (random.next() < (good ? 0.04 : 0.01) * examination[s]) counts.clicks[4 * item + s]++;
        }
      }
    }
    const fit = estimateExamination(counts);
    examination.forEach((e, s) => {
      expect(Math.abs(Math.log(fit.examination[s] / e))).toBeLessThan(0.03);
    });
    expect(fit.steps).toBeLessThan(10);
  });

  it('says which positions cannot be compared', () => {
    const apart = cellsOf(
      [
        [50, 50, 0, 0],
        [0, 0, 50, 50],
      ],
      [
        [5, 3, 0, 0],
        [0, 0, 4, 2],
      ],
    );
    expect(() => estimateExamination(apart)).toThrow(
      'positions: position 3 and 4 cannot be compared with position 1, since no items clicked there were shown in both; show some items in both, or take slot CTRs from randomised traffic',
    );
    expect(() => estimateExamination(cellsOf([[50, 50]], [[5, 0]]))).toThrow(/position 2 cannot be compared/);
    expect(() => estimateExamination(cellsOf([[50, 0, 50]], [[5, 0, 1]]))).toThrow(
      /position 2 of 3 has no impressions/,
    );
  });

  it('of one position is 1', () => {
    expect(estimateExamination(cellsOf([[50], [20]], [[5], [3]]))).toMatchObject({ examination: Float64Array.of(1) });
  });
});
