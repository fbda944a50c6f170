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

  it('covers what dense and cross layers take, through what lays values side by side, and nothing else', () => {
    // `x` is the concat of the cross layers; `dense` the input step that it and the first layer take.
    const taken = new Set(
      typed.model.steps.flatMap((step) => (step.op === 'dense' || step.op === 'cross' ? step.inputs : [])),
    );
    for (const name of taken) expect(Object.keys(measured)).toContain(name);
    expect(Object.keys(measured)).toContain('gated');
    expect(Object.keys(measured)).not.toContain('gates');
    expect(Object.keys(measured)).not.toContain('click.logit');
  });

  it('bounds each column closely, and tells what is never negative', () => {
    for (const [name, { largest, negative }] of Object.entries(measured)) {
      const { width, rows, values: x } = values.get(name) as NonNullable<ReturnType<typeof values.get>>;
      expect(largest).toHaveLength(width);
      largest.forEach((bound, column) => {
        const magnitudes = Array.from({ length: rows }, (_, row) => Math.abs(x[row * width + column]));
        expect(bound).toBeCloseTo(Math.max(...magnitudes), 2);
      });
      expect(negative).toBe(x.some((number) => number < 0));
    }
    expect(measured['hidden.0']?.negative ?? measured['hidden.0.dropout']?.negative).toBe(false);
    expect(measured.gated.negative).toBe(true);
  });

  it('measures nothing on no rows', () => {
    expect(measureActivations(typed, weights, randomInput(bundle, 0, createRandom(4)))).toEqual({});
  });
});
