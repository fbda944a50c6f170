import { describe, expect, it } from 'vitest';
import { logit } from '../core/numerics.ts';
import { scoreHistogram } from './histogram.ts';

describe('scoreHistogram', () => {
  it('counts each row once, by label, in bins of equal width in logits', () => {
    const p = Float64Array.of(0.01, 0.02, 0.5, 0.5, 0.98, 0.99);
    const { edges, positives, negatives } = scoreHistogram(p, Uint8Array.of(0, 1, 0, 1, 1, 1), 3);
    expect(positives).toEqual([1, 1, 2]);
    expect(negatives).toEqual([1, 1, 0]);
    expect(edges.length).toBe(4);
    expect(edges[0]).toBeCloseTo(0.01, 12);
    expect(edges[3]).toBeCloseTo(0.99, 12);
    expect(logit(edges[2]) - logit(edges[1])).toBeCloseTo(logit(edges[1]) - logit(edges[0]), 9);
  });

  it('keeps rows at 0 and 1, and a single prediction, in its outermost bins', () => {
    const ends = scoreHistogram(Float32Array.of(0, 1, 0.5), Uint8Array.of(0, 1, 1), 10);
    expect([ends.negatives[0], ends.positives[9]]).toEqual([1, 1]);
    for (const value of [0, 0.3, 1]) {
      const same = scoreHistogram(new Float32Array(7).fill(value), new Uint8Array(7), 4);
      expect(same.negatives.reduce((a, b) => a + b)).toBe(7);
      expect(same.edges.every((edge, i) => edge > 0 && edge < 1 && (i === 0 || edge > same.edges[i - 1]))).toBe(true);
    }
    expect(scoreHistogram(new Float32Array(0), new Uint8Array(0))).toEqual({ edges: [], positives: [], negatives: [] });
  });
});
