import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom, shuffle } from './random.ts';

const draws = (seed: number, count: number) => {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => random.next());
};

describe('createRandom', () => {
  it('gives the same numbers for the same seed, others for another', () => {
    expect(draws(7, 20)).toEqual(draws(7, 20));
    expect(draws(7, 20)).not.toEqual(draws(8, 20));
  });

  it('draws uniformly from [0, 1)', () => {
    const values = draws(1, 100_000);
    expect(values.every((x) => x >= 0 && x < 1)).toBe(true);
    // χ² over 100 cells: 99 degrees of freedom, so above 160 with probability 1e-4.
    const cells = new Array(100).fill(0);
    for (const x of values) cells[Math.floor(x * 100)]++;
    expect(cells.reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0)).toBeLessThan(160);
  });

  it('has 53 random bits: the lowest are not constant', () => {
    const low = new Set(draws(3, 64).map((x) => (x * 2 ** 53) % 2));
    expect([...low].sort()).toEqual([0, 1]);
  });

  it('draws normals of mean 0 and deviation 1', () => {
    const random = createRandom(5);
    const values = Array.from({ length: 100_000 }, () => random.normal());
    const mean = values.reduce((a, b) => a + b) / values.length;
    const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
    // Five standard errors: 1/√n of the mean, √(2/n) of the variance.
    expect(Math.abs(mean)).toBeLessThan(5 / Math.sqrt(1e5));
    expect(Math.abs(variance - 1)).toBeLessThan(5 * Math.sqrt(2 / 1e5));
    expect(values.filter((x) => Math.abs(x) > 1.959964).length / values.length).toBeCloseTo(0.05, 2);
  });

  it('forks the same whatever was drawn before', () => {
    const drawn = createRandom(5);
    for (let i = 0; i < 7; i++) drawn.next();
    expect(drawn.fork('a').next()).toBe(createRandom(5).fork('a').next());
  });

  it('forks by label: the same label gives the same numbers, and drawing from a fork shifts nothing', () => {
    const a = createRandom(9);
    const b = createRandom(9);
    expect(a.fork('x').next()).toBe(b.fork('x').next());
    expect(a.fork('x').next()).not.toBe(a.fork('y').next());
    a.fork('z').normal();
    expect(a.next()).toBe(b.next());
  });

  it('draws whole numbers below a bound, each as likely as the others', () => {
    const random = createRandom(2);
    const counts = [0, 0, 0];
    for (let i = 0; i < 30_000; i++) counts[random.below(3)]++;
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(5 * Math.sqrt((30_000 * 2) / 9));
  });
});

describe('shuffle', () => {
  it('keeps the items, and those beyond the length where they are', () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), fc.nat(), fc.integer(), (items, cut, seed) => {
        const length = items.length === 0 ? 0 : cut % (items.length + 1);
        const shuffled = [...items];
        shuffle(shuffled, createRandom(seed), length);
        expect(shuffled.slice(length)).toEqual(items.slice(length));
        expect(shuffled.slice(0, length).sort()).toEqual(items.slice(0, length).sort());
      }),
    );
  });

  it('gives every order of three with the same probability', () => {
    const counts = new Map<string, number>();
    const random = createRandom(11);
    for (let i = 0; i < 12_000; i++) {
      const items = [0, 1, 2];
      shuffle(items, random);
      const order = items.join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    for (const count of counts.values()) expect(Math.abs(count - 2000)).toBeLessThan(5 * Math.sqrt(2000));
  });
});
