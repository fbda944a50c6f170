import fc from 'fast-check';
import { expect, it } from 'vitest';
import { solvePositive } from './solve.ts';

const value = fc.double({ min: -2, max: 2, noNaN: true });
const system = fc
  .integer({ min: 0, max: 5 })
  .chain((n) =>
    fc.tuple(fc.array(value, { minLength: n * n, maxLength: n * n }), fc.array(value, { minLength: n, maxLength: n })),
  );

it('solves M·Mᵀ + I', () => {
  fc.assert(
    fc.property(system, ([m, wanted]) => {
      const n = wanted.length;
      const a = Float64Array.from({ length: n * n }, (_, at) => {
        const [i, j] = [Math.floor(at / n), at % n];
        return wanted.reduce((sum, _, k) => sum + m[i * n + k] * m[j * n + k], i === j ? 1 : 0);
      });
      const b = Float64Array.from(wanted, (_, i) => wanted.reduce((sum, x, j) => sum + a[i * n + j] * x, 0));
      solvePositive(a, b).forEach((x, i) => {
        expect(x).toBeCloseTo(wanted[i], 9);
      });
    }),
  );
});

it('takes a matrix that is not positive definite for our own bug', () => {
  expect(() => solvePositive(Float64Array.of(1, 2, 2, 1), Float64Array.of(1, 1))).toThrow(/internal error/);
});
