import { describe, expect, it } from 'vitest';
import { sigmoid } from '../../src/core/numerics.ts';
import { DEVICES } from './population.ts';
import { type Exposure, examination, FEED, fitIntercept, SEARCH } from './truth.ts';

const exposure: Exposure = {
  user: 0,
  ad: 0,
  creative: 0,
  placement: FEED,
  position: 1,
  queryTopic: -1,
  device: 0,
  connection: 0,
  hour: 0,
  weekend: 0,
};

describe('examination', () => {
  it('falls with the position on every placement and device, and stays a probability', () => {
    for (const placement of [FEED, SEARCH]) {
      for (let device = 0; device < DEVICES.length; device++) {
        let above = 1;
        for (let position = 1; position <= 10; position++) {
          const p = examination({ ...exposure, placement, device, position });
          expect(p).toBeGreaterThan(0);
          expect(p).toBeLessThan(above);
          above = p;
        }
      }
    }
  });

  it('is what its formula says', () => {
    // Worked out apart: 0.95·e^(−0.16·0.8·2) and 0.92·4^(−0.75·1.25).
    expect(examination({ ...exposure, position: 3 })).toBeCloseTo(0.735436, 5);
    expect(examination({ ...exposure, placement: SEARCH, device: 2, position: 4 })).toBeCloseTo(0.250819, 5);
  });
});

describe('fitting an intercept', () => {
  it('sets the weighted mean of the probabilities to the rate', () => {
    const logits = Float64Array.from({ length: 500 }, (_, i) => Math.sin(i) * 3);
    const weights = Float64Array.from({ length: 500 }, (_, i) => 1 / (1 + (i % 5)));
    const intercept = fitIntercept(logits, weights, 500, 0.03);
    let sum = 0;
    for (let i = 0; i < 500; i++) sum += weights[i] * sigmoid(intercept + logits[i]);
    expect(sum / 500).toBeCloseTo(0.03, 8);
  });
});
