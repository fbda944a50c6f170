import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { evaluateTask } from './metrics.ts';
import { fieldRelativeCalibrationError, sliceMetrics } from './slices.ts';

const golden = JSON.parse(readFileSync(new URL('./golden/metrics.json', import.meta.url), 'utf8'));
const probabilities = Float32Array.of(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8);
const labels = Uint8Array.of(0, 1, 0, 1, 0, 1, 0, 1);
const task = { probabilities, labels, groups: Int32Array.of(0, 0, 1, 1, 2, 2, 3, 3) };

describe('sliceMetrics', () => {
  it('measures each value on its own rows, the largest first', () => {
    const slices = sliceMetrics(task, Int32Array.of(1, 1, 0, 0, 0, 1, 1, -1), ['feed', 'search']);
    expect(slices.map(({ name, values, metrics }) => [name, values, metrics.rows])).toEqual([
      ['search', 1, 4],
      ['feed', 1, 3],
      ['(missing)', 1, 1],
    ]);
    expect(slices[1].metrics).toEqual(
      evaluateTask({
        probabilities: probabilities.slice(2, 5),
        labels: labels.slice(2, 5),
        groups: Int32Array.of(1, 1, 2),
      }),
    );
  });

  it('gathers what is beyond the limit as other, without losing a row', () => {
    const slice = Int32Array.of(0, 0, 0, 1, 1, 2, 3, 4);
    const slices = sliceMetrics(task, slice, ['a', 'b', 'c', 'd', 'e'], { most: 3 });
    expect(slices.map(({ name, values, metrics }) => [name, values, metrics.rows])).toEqual([
      ['a', 1, 3],
      ['b', 1, 2],
      ['other', 3, 3],
    ]);
    expect(sliceMetrics(task, slice, [], { most: 5 }).map(({ name }) => name)).toEqual(['0', '1', '2', '3', '4']);
  });
});

describe('fieldRelativeCalibrationError', () => {
  it('agrees with the NumPy program', () => {
    const slice = Int32Array.from(golden.group as number[], (g) => g % 5);
    const rows = { probabilities: Float64Array.from(golden.score), labels: Uint8Array.from(golden.label) };
    expect(fieldRelativeCalibrationError(rows, slice)).toBeCloseTo(golden.fieldRce, 12);
  });
});
