import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { coec, ecoi, examinationOf, type PositionCounts, slotCtrs } from './positions.ts';

function countsOf(rows: readonly (readonly [item: number, position: number, impressions: number, clicks: number])[]) {
  return {
    items: Int32Array.from(rows, ([item]) => item),
    positions: Int32Array.from(rows, ([, position]) => position),
    impressions: Float64Array.from(rows, ([, , impressions]) => impressions),
    clicks: Float64Array.from(rows, ([, , , clicks]) => clicks),
  } satisfies PositionCounts;
}

describe('slot CTRs', () => {
  it('are clicks over impressions by position, and relative to the best', () => {
    const counts = countsOf([
      [0, 1, 100, 8],
      [1, 1, 100, 12],
      [0, 2, 50, 1],
      [1, 3, 200, 8],
      [0, 3, 0, 0],
    ]);
    expect([...slotCtrs(counts)]).toEqual([0.1, 0.02, 0.04]);
    expect([...examinationOf(Float64Array.of(0.1, 0.02, 0.05))]).toEqual([1, 0.02 / 0.1, 0.5]);
  });

  it('of a position without impressions, or of none with clicks, are an error', () => {
    expect(() =>
      slotCtrs(
        countsOf([
          [0, 3, 10, 1],
          [0, 1, 10, 1],
        ]),
      ),
    ).toThrow(
      'positions: position 2 of 3 has no impressions; expected some in each, number the positions without gaps',
    );
    expect(() => examinationOf(slotCtrs(countsOf([[0, 1, 10, 0]])))).toThrow(/no position has a click/);
  });
});

describe('ECOI and COEC', () => {
  const counts = countsOf([
    [0, 1, 100, 10],
    [0, 2, 100, 5],
    [1, 2, 200, 14],
  ]);
  const ctrs = Float64Array.of(0.1, 0.05);

  it('are clicks over impressions that count as their position does', () => {
    // Expected clicks: 10 + 5, and 10.
    expect([...coec(counts, ctrs)]).toEqual([1, 1.4]);
    // Impressions as of the best position: 100 + 50, and 100.
    expect([...ecoi(counts, examinationOf(ctrs))]).toEqual([0.1, 0.14]);
  });

  it('differ by the CTR of the best position alone', () => {
    const position = fc.integer({ min: 1, max: 4 });
    const row = fc
      .tuple(
        fc.integer({ min: 0, max: 3 }),
        position,
        fc.integer({ min: 1, max: 99 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
      )
      .map(([item, position, n, share]) => [item, position, n, Math.floor(n * share)] as const);
    const rows = fc.array(row).map((more) => [...[0, 1, 2, 3].map((item) => [item, 1, 5, 1] as const), ...more]);
    const rates = fc.array(fc.double({ min: 0.01, max: 0.9, noNaN: true }), { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(rows, rates, (rows, rates) => {
        const ctrs = Float64Array.from(rates);
        const corrected = ecoi(countsOf(rows), examinationOf(ctrs));
        coec(countsOf(rows), ctrs).forEach((ratio, item) => {
          expect(corrected[item]).toBeCloseTo(ratio * Math.max(...rates), 10);
        });
      }),
    );
  });

  it('rank an item by what it is, wherever it was shown', () => {
    const [good, bad] = [0.1, 0.08];
    const shown = countsOf([
      [0, 1, 100, 100 * good],
      [0, 2, 900, 450 * good],
      [1, 1, 900, 900 * bad],
      [1, 2, 100, 50 * bad],
    ]);
    const rates = ecoi(shown, examinationOf(ctrs));
    expect(rates[0]).toBeCloseTo(good, 12);
    expect(rates[1]).toBeCloseTo(bad, 12);
  });

  it('refuse items of which nothing can be said, and counts that cannot be', () => {
    expect(() => ecoi(countsOf([[1, 1, 10, 1]]), ctrs)).toThrow(
      'positions: item 0 has no impressions where clicks are expected; leave it out',
    );
    expect(() => ecoi(countsOf([[0, 2, 10, 1]]), Float64Array.of(1, 0))).toThrow(/item 0 has no impressions where/);
    expect(() => coec(countsOf([[0, 3, 10, 1]]), ctrs)).toThrow(/position 3 has no slot CTR, of which there are 2/);
    expect(() => ecoi(counts, Float64Array.of(1, Number.NaN))).toThrow(/the examination of position 2 is NaN/);
    expect(() => coec(countsOf([[0, 1, 10, 11]]), ctrs)).toThrow(
      'positions: cell 0 has 11 clicks of 10 impressions; expected 0 up to the impressions',
    );
    expect(() => coec(countsOf([[0, 1, Number.NaN, 0]]), ctrs)).toThrow(/cell 0 has 0 clicks of NaN impressions/);
    expect(() => coec(countsOf([[0, 1, 10, -1]]), ctrs)).toThrow(/cell 0 has -1 clicks/);
    expect(() => coec(countsOf([[0, 0, 10, 1]]), ctrs)).toThrow(/position 0; expected 1, the top, to 1000/);
    expect(() => coec(countsOf([[-1, 1, 10, 1]]), ctrs)).toThrow(/item -1; expected 0 or more/);
    expect(() => coec(countsOf([]), ctrs)).toThrow(/there are 0 items/);
    expect(() => coec({ ...counts, clicks: new Float64Array(2) }, ctrs)).toThrow(/3 items and 3, 3, 2 positions/);
  });
});
