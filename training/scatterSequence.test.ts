import { describe, expect, it } from 'vitest';
import { createRandom } from '../src/core/random.ts';
import { tableWeight } from '../src/model/bundle.ts';
import { historyFields, randomBundle, randomInput, sampleFields } from '../src/scoring/conformance/randomBundle.ts';
import { gatherSequence, planSequence } from '../src/scoring/gatherSequence.ts';
import { TrainedTable } from './embeddings.ts';
import { scatterSequence } from './scatterSequence.ts';

describe('the gradient of a sequence', () => {
  const bundle = randomBundle({ random: createRandom(1), fields: [...sampleFields, ...historyFields] });
  const { typed, weights } = bundle;
  const step = typed.model.steps.find((step) => step.op === 'embedSequence' && step.output === 'sequence.recent');
  const plan = planSequence(step as never, typed, weights);
  const { fields } = randomInput(bundle, 7, createRandom(2));

  it('reaches each row in the places it was gathered from: a sum of gathered numbers times c has gradient c', () => {
    const random = createRandom(3);
    const gradient = Float32Array.from({ length: 7 * plan.width }, () => random.normal());
    const tables = new Map(
      [...typed.tables].map(([name, { size }]) => {
        const { shape } = weights.get(tableWeight(name))!;
        const zeros = { shape, values: new Float32Array(shape[0] * size) };
        return [name, new TrainedTable(zeros, new Float64Array(shape[0]), { optimizer: 'adagrad', l2: 0 })] as const;
      }),
    );
    scatterSequence(plan, fields, 7, gradient, tables);
    // Adagrad's first step goes by the direction of the row's gradient: −rate·g/√(mean g²).
    for (const table of tables.values()) table.update(1, 1);
    for (const { table, size } of plan.fields) {
      const { shape, values: before } = weights.get(tableWeight(table))!;
      const moved = tables.get(table)!.tensor.values;
      for (let id = 0; id < shape[0]; id++) {
        const g = Array.from({ length: size }, (_, d) => slope(table, id * size + d));
        const scale = Math.sqrt(g.reduce((sum, x) => sum + x * x, 0) / size);
        g.forEach((x, d) => {
          expect(moved[id * size + d]).toBeCloseTo(scale === 0 ? 0 : -x / scale, 3);
        });
      }
      expect(before.length).toBe(moved.length);
    }

    /** d/dw Σ c·gathered by a step of 1 up from 0: gathering is linear. */
    function slope(table: string, at: number): number {
      const given = new Map(
        [...weights].map(([name, { shape, values }]) => [name, { shape, values: values.map(() => 0) }]),
      );
      given.get(tableWeight(table))!.values[at] = 1;
      const out = new Float32Array(7 * plan.width);
      gatherSequence(planSequence(step as never, typed, given), fields, 7, out);
      return out.reduce((sum, x, i) => sum + ((i + 1) % plan.size === 0 ? 0 : x * gradient[i]), 0);
    }
  });
});
