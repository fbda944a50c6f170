import { describe, expect, it } from 'vitest';
import { bidTypeCode, bidTypes, isBidMicros } from './bids.ts';
import { assert, counted, listOf, messageOf, UserError } from './errors.ts';
import { nearestName } from './nearestName.ts';
import { clamp, logit, logSigmoid, sigmoid } from './numerics.ts';

describe('sigmoid and its logarithm', () => {
  it('neither overflow nor lose the small end', () => {
    expect(sigmoid(0)).toBe(0.5);
    expect(sigmoid(1000)).toBe(1);
    expect(sigmoid(-745)).toBeGreaterThan(0);
    expect(logSigmoid(-1000)).toBe(-1000);
    expect(logSigmoid(1000)).toBe(-0);
    // ln σ(−40) = −40 − ln(1 + e^−40), and e^−40 is 4.2e-18.
    expect(logSigmoid(-40)).toBeCloseTo(-40, 12);
    expect(logSigmoid(40)).toBeCloseTo(-4.248354255291589e-18, 30);
  });

  it('are what they say: σ(x) + σ(−x) = 1, e^(ln σ) = σ, logit undoes σ', () => {
    for (let x = -30; x <= 30; x += 0.37) {
      expect(sigmoid(x) + sigmoid(-x)).toBeCloseTo(1, 15);
      expect(Math.exp(logSigmoid(x))).toBeCloseTo(sigmoid(x), 14);
      if (Math.abs(x) < 15) expect(logit(sigmoid(x))).toBeCloseTo(x, 8);
    }
  });

  it('clamp limits to both ends', () => {
    expect([-2, 0.5, 9].map((x) => clamp(x, 0, 1))).toEqual([0, 0.5, 1]);
  });
});

describe('nearestName', () => {
  const names = ['userId', 'adId', 'campaignId', 'os'];

  it('finds a name with swapped, missing or wrong letters, in any case', () => {
    expect(nearestName('usreId', names)).toBe('userId');
    expect(nearestName('USERID', names)).toBe('userId');
    expect(nearestName('campainId', names)).toBe('campaignId');
    expect(nearestName('o', names)).toBe('os');
  });

  it('names none where nothing is close, and does not compare endless names', () => {
    expect(nearestName('placement', names)).toBeUndefined();
    expect(nearestName('u'.repeat(100_000), names)).toBeUndefined();
    expect(nearestName('x', [])).toBeUndefined();
  });
});

describe('errors', () => {
  it('lists names as people do', () => {
    expect(listOf([])).toBe('');
    expect(listOf(['a'])).toBe('a');
    expect(listOf(['a', 'b'])).toBe('a and b');
    expect(listOf(['a', 'b', 'c'])).toBe('a, b and c');
    expect(listOf(['a', 'b', 'c', 'd'], 2)).toBe('a, b and 2 more');
  });

  it('counts one thing as one', () => {
    expect([0, 1, 2, 1234567].map((count) => counted(count, 'click'))).toEqual([
      '0 clicks',
      '1 click',
      '2 clicks',
      '1,234,567 clicks',
    ]);
  });

  it('tells a user’s mistake from ours', () => {
    expect(new UserError('x')).toMatchObject({ name: 'UserError', kind: 'input', message: 'x' });
    expect(() => assert(false, 'rows match')).toThrow('internal error: rows match');
    expect(() => assert(1, 'fine')).not.toThrow();
    expect([messageOf(new Error('a')), messageOf('b'), messageOf(undefined)]).toEqual(['a', 'b', 'undefined']);
  });
});

describe('bids', () => {
  it('have a code a type, and none for anything else', () => {
    expect(bidTypes.map(bidTypeCode)).toEqual([0, 1, 2, 3, 4]);
    expect(['CPM', '', null, 0, undefined].map(bidTypeCode)).toEqual([-1, -1, -1, -1, -1]);
  });

  it('are whole micros of 0 or more', () => {
    expect([0, 1, 2 ** 53].map(isBidMicros)).toEqual([true, true, true]);
    expect([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, '1', 2 ** 54].map(isBidMicros)).toEqual(
      new Array(6).fill(false),
    );
  });
});
