import { describe, expect, it } from 'vitest';
import { goldenTolerance } from './loadRanker.ts';

describe('goldenTolerance', () => {
  it('is what the precision promises', () => {
    expect(goldenTolerance({})).toBe(1e-4);
    expect(goldenTolerance({ precision: 'bf16' })).toBe(5e-3);
    expect(goldenTolerance({ precision: 'int8' })).toBe(1e-2);
  });
});
