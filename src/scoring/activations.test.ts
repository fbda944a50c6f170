import { describe, expect, it } from 'vitest';
import { createRandom } from '../core/random.ts';
import { measureActivations } from './activations.ts';
import { randomBundle, randomInput } from './conformance/randomBundle.ts';
import { runSteps } from './engines/reference/runSteps.ts';

const bundle = randomBundle({
  random: createRandom(3),
  options: { hidden: [6, 5], dropout: 0.1, crossLayers: 2, crossRank: 2, innerUnits: 3 },
});
const { typed, weights } = bundle;

describe('measureActivations', () => {
  const input = randomInput(bundle, 50, createRandom(4));
  const measured = measureActivations(typed, weights, input);
  const values = runSteps(typed, weights, input);

  it('covers what dense and cross layers multiply with their weights, and nothing else', () => {
    const multiplied = typed.model.steps.flatMap((step) =>
      step.op === 'dense' ? step.inputs : step.op === 'cross' ? [step.inputs[1]] : [],
    );
    expect(Object.keys(measured).sort()).toEqual([...new Set(multiplied)].sort());
    expect(Object.keys(measured)).toEqual(expect.arrayContaining(['gated', 'x', 'cross.0', 'pairs']));
  });

  it('ends each column’s scale beyond its numbers, and not beyond the whole value’s by more than a tenth', () => {
    for (const [name, { largest }] of Object.entries(measured)) {
      const { width, rows, values: x } = values.get(name) as NonNullable<ReturnType<typeof values.get>>;
      const columns = Array.from({ length: width }, (_, column) =>
        Math.max(...Array.from({ length: rows }, (_, row) => Math.abs(x[row * width + column]))),
      );
      const most = Math.max(...columns);
      expect(largest).toHaveLength(width);
      largest.forEach((end, column) => {
        expect(end).toBeGreaterThan(columns[column]);
        expect(end).toBeLessThan(1.101 * most);
        // A column that has twice the range of another has a wider scale too.
        columns.forEach((other, i) => {
          if (other > 2 * columns[column]) expect(largest[i]).toBeGreaterThan(end);
        });
      });
    }
  });

  it('gives a column that was never active a scale as well', () => {
    const silent = new Map(weights);
    for (const name of ['hidden.0.w', 'hidden.0.b']) {
      const { shape, values } = weights.get(name) as NonNullable<ReturnType<typeof weights.get>>;
      const width = shape[shape.length - 1];
      silent.set(name, { shape, values: values.map((w, i) => (i % width === 2 ? 0 : w)) });
    }
    const { largest } = measureActivations(typed, silent, input)['hidden.0.dropout'];
    expect(largest[2]).toBeGreaterThan(Math.max(...largest) / 200);
    expect(largest[2]).toBeLessThan(Math.max(...largest) / 100);
  });

  it('tells what is never negative', () => {
    for (const [name, { negative }] of Object.entries(measured))
      expect(negative).toBe(values.get(name)?.values.some((number) => number < 0));
    expect([measured['hidden.0.dropout'].negative, measured.gated.negative]).toEqual([false, true]);
  });

  it('measures nothing on no rows', () => {
    expect(measureActivations(typed, weights, randomInput(bundle, 0, createRandom(4)))).toEqual({});
  });
});
