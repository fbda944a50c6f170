import fc from 'fast-check';
import { describe, it } from 'vitest';
import { createRandom } from '../../core/random.ts';
import { architectures } from '../../model/architectures.ts';
import type { Bundle } from '../../model/bundle.ts';
import { expectClose } from '../conformance/answers.ts';
import { goldenCases } from '../conformance/goldenCases.ts';
import { historyFields, randomBundle, randomInput, sampleFields } from '../conformance/randomBundle.ts';
import { randomModel } from '../conformance/randomModel.ts';
import { oneRow, repeatRows } from '../conformance/rows.ts';
import { runOnnx } from '../conformance/runOnnx.ts';
import { runSteps } from '../engines/reference/runSteps.ts';
import { probabilitiesOf } from '../engines/reference/scorer.ts';
import type { ScoringInput } from '../scorer.ts';
import { exportModel } from './exportModel.ts';
import { exportPlan } from './exportPlan.ts';

const tolerance = 1e-5;
const fields = [...sampleFields, ...historyFields];

const forms = [
  ['as it is', exportModel],
  ['as planned', (bundle: Bundle) => exportPlan(bundle, 500)],
] as const;

describe.each(forms)('a model exported %s, run by onnxruntime,', (_, exported) => {
  it.each(goldenCases().map((given) => [given.name, given] as const))(
    'answers as an independent float64 program does: %s',
    async (_, { bundle, input, probabilities }) => {
      for (let row = 0; row < input.rowCount; row++) {
        const [answers] = await runOnnx(exported(bundle), oneRow(repeatRows(input), row));
        const expected = Object.entries(probabilities).map(([task, p]) => [task, [p[row]]] as const);
        expectClose(answers, new Map(expected), tolerance);
      }
    },
  );

  it.each(architectures.map(({ name }) => name))('agrees with the reference engine on %s', async (architecture) => {
    const bundle = randomBundle({ random: createRandom(7), architecture, fields });
    const inputs = [0, 1, 33].map((rows) => randomInput(bundle, rows, createRandom(rows), 'request'));
    const answers = await runOnnx(exported(bundle), ...inputs);
    inputs.forEach((input, i) => {
      expectClose(answers[i], reference(bundle, input).probabilities, tolerance);
    });
  });

  it('agrees with it on random models: any step over any values', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(12), async (seed, stepCount) => {
        const random = createRandom(seed);
        const bundle = randomBundle({
          random,
          model: (schema) => randomModel(schema, random, stepCount),
          rowCount: 40,
          fields,
        });
        const input = randomInput(bundle, 9, random, 'request');
        const { probabilities, largest } = reference(bundle, input);
        const [answers] = await runOnnx(exported(bundle), input);
        expectClose(answers, probabilities, tolerance * Math.max(1, largest));
      }),
      { numRuns: 50 },
    );
  });
});

/** The reference engine's answers, and the largest number on the way to them. */
function reference({ typed, weights }: Bundle, input: ScoringInput) {
  const values = runSteps(typed, weights, input);
  let largest = 0;
  for (const { values: numbers } of values.values()) for (const x of numbers) largest = Math.max(largest, Math.abs(x));
  return { probabilities: probabilitiesOf(typed, values, input), largest };
}
