import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { listCrossEntropy } from './listCrossEntropy.ts';

interface Golden {
  offsets: number[];
  logits: number[];
  teacher: number[];
  cases: { temperature: number; scale: number; loss: number; gradient: number[] }[];
}

/** Written by golden/listCrossEntropy.py. */
const golden = JSON.parse(readFileSync(new URL('golden/listCrossEntropy.json', import.meta.url), 'utf8')) as Golden;

const finite = fc.float({ min: -20, max: 20, noNaN: true });
const lists = fc
  .array(fc.array(fc.tuple(finite, finite), { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 5 })
  .map((all) => ({
    logits: Float32Array.from(all.flat(), ([z]) => z),
    teacher: Float32Array.from(all.flat(), ([, t]) => t),
    offsets: Int32Array.of(0, ...all.map((_, i) => all.slice(0, i + 1).flat().length)),
  }));

describe('listwise cross entropy', () => {
  it.each(golden.cases)('is what a float64 program computes at temperature $temperature', (given) => {
    const { temperature, scale } = given;
    const grad = new Float32Array(golden.logits.length);
    const [z, t] = [Float32Array.from(golden.logits), Float32Array.from(golden.teacher)];
    const loss = listCrossEntropy(z, t, Int32Array.from(golden.offsets), temperature, scale, grad);
    expect(loss).toBeCloseTo(given.loss, 12);
    given.gradient.forEach((slope, i) => {
      expect(grad[i]).toBeCloseTo(slope, 6);
    });
  });

  it('is 0, without a slope, where both rank alike, whatever is added to a list', () => {
    fc.assert(
      fc.property(lists, finite, ({ teacher, offsets }, shift) => {
        const grad = new Float32Array(teacher.length);
        const loss = listCrossEntropy(
          teacher.map((t) => t + shift),
          teacher,
          offsets,
          2,
          1,
          grad,
        );
        expect(Math.abs(loss)).toBeLessThan(1e-5);
        for (const slope of grad) expect(Math.abs(slope)).toBeLessThan(1e-5);
      }),
    );
  });

  it('is never below 0, and its slopes add up to 0 in each list, so that it moves no list as a whole', () => {
    fc.assert(
      fc.property(lists, fc.constantFrom(0.5, 1, 4), ({ logits, teacher, offsets }, temperature) => {
        const grad = new Float32Array(teacher.length);
        expect(listCrossEntropy(logits, teacher, offsets, temperature, 1, grad)).toBeGreaterThan(-1e-9);
        for (let list = 0; list + 1 < offsets.length; list++) {
          const sum = grad.subarray(offsets[list], offsets[list + 1]).reduce((total, slope) => total + slope, 0);
          expect(Math.abs(sum)).toBeLessThan(1e-5);
        }
      }),
    );
  });
});
