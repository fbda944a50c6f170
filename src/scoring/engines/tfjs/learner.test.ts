import { describe, expect, it } from 'vitest';
import { messageOf } from '../../../core/errors.ts';
import { logSigmoid } from '../../../core/numerics.ts';
import { createRandom } from '../../../core/random.ts';
import { type Bundle, tableWeight } from '../../../model/bundle.ts';
import { checkModel } from '../../../model/checkModel.ts';
import type { Tensor } from '../../../model/safetensors.ts';
import type { StepOf } from '../../../model/steps.ts';
import { widthOf } from '../../../model/values.ts';
import type { EncodedDense } from '../../../schema/encoded.ts';
import { missingId } from '../../../schema/fields.ts';
import { parseSchema } from '../../../schema/parseSchema.ts';
import { historyFields, randomBundle, randomInput, sampleFields } from '../../conformance/randomBundle.ts';
import { gather, gatherDense, planEmbed } from '../../gather.ts';
import { gatherSequence, listOf, planSequence } from '../../gatherSequence.ts';
import type { LearnerBatch } from '../../learner.ts';
import type { ScoringInput } from '../../scorer.ts';
import { runSteps } from '../reference/runSteps.ts';
import type { LoadedBackend } from './backend.ts';
import { createTfjsLearner } from './learner.ts';
import { loadBackend } from './load.ts';

const architectures: [name: string, options: object, remembers?: 'remembering'][] = [
  ['senet-dnn', { hidden: [7, 5] }],
  ['senet-dnn', { hidden: [6], crossLayers: 2, crossRank: 3, innerUnits: 4, gateActivation: 'sigmoid' }],
  ['senet-dnn', { hidden: [], crossLayers: 1, crossRank: null, gateActivation: 'relu' }],
  ['lr', {}],
  ['fm', { embeddingSize: 5 }],
  ['deep-fm', { hidden: [6], embeddingSize: 4 }],
  ['dcn-v2', { hidden: [6], crossLayers: 2, crossRank: 3 }],
  ['senet-dnn', { hidden: [6], crossLayers: 1, crossRank: 3, attention: { units: 5 } }, 'remembering'],
  ['din', { hidden: [6], attention: { units: 5, weights: 'sigmoid' } }, 'remembering'],
  ['din', { hidden: [6], pooling: 'last' }, 'remembering'],
  ['deep-fm', { hidden: [6], embeddingSize: 4 }, 'remembering'],
];

interface Problem {
  readonly bundle: Bundle;
  readonly input: ScoringInput;
  readonly batch: LearnerBatch;
}

/** A small model, random rows, labels and weights; conversions only after clicks, and one against the order. */
function problemOf(
  architecture: string,
  options: object,
  rowCount: number,
  seed: number,
  remembers?: unknown,
): Problem {
  const random = createRandom(seed);
  const fields = remembers === undefined ? sampleFields : [...sampleFields, ...historyFields];
  const bundle = withLossWeights(randomBundle({ random, architecture, options, fields }), [1.5, 0.3]);
  const input = randomInput(bundle, rowCount, random);
  const click = Float32Array.from({ length: rowCount }, () => (random.next() < 0.4 ? 1 : 0));
  const conversion = click.map((clicked) => (clicked === 1 && random.next() < 0.5 ? 1 : 0));
  conversion[0] = 1;
  click[0] = 0;
  const weights = Float32Array.from({ length: rowCount }, () => random.below(4));
  return { bundle, input, batch: { rowCount, inputs: inputsOf(bundle, input), labels: [click, conversion], weights } };
}

function withLossWeights(bundle: Bundle, weights: readonly number[]): Bundle {
  const { model } = bundle.typed;
  const losses = model.losses.map((loss, i) => ({ ...loss, weight: weights[i] }));
  return { ...bundle, typed: { ...bundle.typed, model: { ...model, losses } } };
}

/** Gathered rows and dense fields, as the trainer feeds them. */
function inputsOf({ typed, weights }: Bundle, { rowCount, fields }: ScoringInput): Map<string, Float32Array> {
  const inputs = new Map<string, Float32Array>();
  for (const step of typed.model.steps) {
    const width = widthOf(typed.values.get(step.output)?.type as never);
    const out = new Float32Array(rowCount * width);
    if (step.op === 'embed') gather(planEmbed(step, typed, weights), fields, rowCount, out);
    else if (step.op === 'embedSequence') gatherSequence(planSequence(step, typed, weights), fields, rowCount, out);
    else if (step.op === 'input')
      gatherDense(
        step.inputs.map((name) => fields.get(name) as EncodedDense),
        rowCount,
        out,
      );
    else continue;
    inputs.set(step.output, out);
  }
  return inputs;
}

const parametersOf = ({ weights }: Bundle) => new Map([...weights].filter(([name]) => !name.startsWith('tables/')));

/** Σ_loss weight · Σ_r w_r·BCE(Π σ(logit)) / Σ_r w_r, in float64 by the reference engine; a loss each too. */
function lossOf({ bundle, input, batch }: Problem, weights: ReadonlyMap<string, Tensor<Float32Array>>) {
  const values = runSteps(bundle.typed, weights, input);
  const rowWeights = batch.weights ?? new Float32Array(batch.rowCount).fill(1);
  const weightSum = rowWeights.reduce((a, b) => a + b);
  const losses = bundle.typed.model.losses.map((loss, i) => {
    const logits = bundle.typed.model.tasks.find((task) => task.name === loss.task)?.logits ?? [];
    let sum = 0;
    for (let row = 0; row < batch.rowCount; row++) {
      const logP = logits.reduce((total, name) => total + logSigmoid(values.get(name)?.values[row] as number), 0);
      sum -= rowWeights[row] * (batch.labels[i][row] === 1 ? logP : Math.log(-Math.expm1(logP)));
    }
    return sum / weightSum;
  });
  const total = bundle.typed.model.losses.reduce((sum, { weight }, i) => sum + weight * losses[i], 0);
  return { total, losses };
}

/** The weights in float64, which the reference engine takes as well: a step of 1e-6 would be lost in float32. */
function doubles(weights: Bundle['weights']): Map<string, Tensor<Float32Array>> {
  return new Map(
    [...weights].map(([name, { shape, values }]) => [
      name,
      { shape, values: Float64Array.from(values) as unknown as Float32Array },
    ]),
  );
}

/** dLoss/dw of some of a tensor's numbers by central differences. */
function differences(problem: Problem, weights: Map<string, Tensor<Float32Array>>, name: string, places: number[]) {
  const values = weights.get(name)?.values as Float32Array;
  const step = 1e-6;
  return places.map((i) => {
    const kept = values[i];
    values[i] = kept + step;
    const above = lossOf(problem, weights).total;
    values[i] = kept - step;
    const below = lossOf(problem, weights).total;
    values[i] = kept;
    return (above - below) / (2 * step);
  });
}

/** The gradient of each table: each row's share of the gathered gradients, added up in float64. */
function tableGradients({ bundle, input }: Problem, gradients: ReadonlyMap<string, Float32Array>) {
  const sums = new Map<string, Float64Array>();
  const sumOf = (table: string, length: number) =>
    sums.get(table) ?? sums.set(table, new Float64Array(length)).get(table)!;
  const addEvents = (step: StepOf<'embedSequence'>) => {
    const plan = planSequence(step, bundle.typed, bundle.weights);
    const gradient = gradients.get(step.output) as Float32Array;
    for (const { field, table, values, size, offset } of plan.fields) {
      const { offsets, ids } = listOf(input.fields, field, input.rowCount);
      offsets.slice(1).forEach((end, row) => {
        for (let i = offsets[row]; i < end; i++) {
          const from = row * plan.width + (i - offsets[row]) * plan.size + offset;
          for (let d = 0; d < size; d++) sumOf(table, values.length)[ids[i] * size + d] += gradient[from + d];
        }
      });
    }
  };
  for (const step of bundle.typed.model.steps) {
    if (step.op === 'embedSequence') addEvents(step);
    if (step.op !== 'embed') continue;
    const plan = planEmbed(step as StepOf<'embed'>, bundle.typed, bundle.weights);
    const gradient = gradients.get(step.output) as Float32Array;
    for (const { field, table, values, size, offset } of plan.fields) {
      const sum = sumOf(table, values.length);
      const column = input.fields.get(field);
      for (let row = 0; row < input.rowCount; row++) {
        if (column === undefined || column.kind === 'dense') throw new Error('an embedded field');
        const ids =
          column.kind === 'id'
            ? [column.ids[row]]
            : [...column.ids.subarray(column.offsets[row], column.offsets[row + 1])];
        const share = column.kind === 'ids' && column.pooling === 'mean' && ids.length > 0 ? 1 / ids.length : 1;
        for (const id of ids.length === 0 ? [missingId] : ids)
          for (let d = 0; d < size; d++) sum[id * size + d] += share * gradient[row * plan.width + offset + d];
      }
    }
  }
  return sums;
}

const some = (length: number, count: number, seed: number) => {
  const random = createRandom(seed);
  return length <= count
    ? Array.from({ length }, (_, i) => i)
    : Array.from({ length: count }, () => random.below(length));
};

const tensorflow = await loadBackend('tensorflow').catch((error) => messageOf(error));
if (typeof tensorflow === 'string') describe.skip(tensorflow);
else describeLearner(tensorflow);
describeLearner(await loadBackend('wasm'));
describeLearner(await loadBackend('cpu'));

function describeLearner(backend: LoadedBackend): void {
  const coarse = /bfloat16|CUDA/.test(backend.device);

  describe(`the learner on ${backend.device}`, () => {
    it('runs on its own backend, whichever was loaded last', () => {
      const { bundle, batch } = problemOf('lr', {}, 4, 2);
      const learner = createTfjsLearner(bundle.typed, backend, { parameters: parametersOf(bundle), seed: 1 });
      const names = ['cpu', 'wasm'] as const;
      for (const run of [() => learner.step(batch, 0.1), () => learner.logits(batch)]) {
        void backend.tf.setBackend(names.find((name) => name !== backend.backend) ?? 'cpu');
        run();
        expect(backend.tf.getBackend()).toBe(backend.backend);
      }
    });

    it.each(architectures)(
      'has the gradients of %s %j that finite differences of the reference engine have',
      (name, options, remembers) => {
        const problem = problemOf(name, options, 9, 11, remembers);
        const { bundle, batch } = problem;
        const learner = createTfjsLearner(bundle.typed, backend, { parameters: parametersOf(bundle), seed: 1 });
        const { losses, gradients } = learner.step(batch, 0);
        const weights = doubles(bundle.weights);
        const expected = lossOf(problem, weights);
        // float32 against float64, some twenty operations deep.
        const tolerance = coarse ? 2e-2 : 2e-5;
        losses.forEach((loss, i) => {
          expect(Math.abs(loss - expected.losses[i])).toBeLessThan(tolerance * Math.max(1, expected.losses[i]));
        });
        // The first step of Adam leaves (1 − β1)·g as the mean.
        const { means } = learner.state();
        const found = new Map<string, ArrayLike<number>>(
          [...means].map(([key, values]) => [key, Float64Array.from(values, (mean) => mean / 0.1)]),
        );
        for (const [table, sum] of tableGradients(problem, gradients)) found.set(tableWeight(table), sum);
        expect([...found.keys()].sort()).toEqual([...weights.keys()].sort());
        for (const [key, gradient] of found) {
          const places = some(gradient.length, 12, 3);
          differences(problem, weights, key, places).forEach((slope, i) => {
            const difference = Math.abs(gradient[places[i]] - slope);
            expect(difference, `${key}[${places[i]}]: ${gradient[places[i]]} for ${slope}`).toBeLessThan(
              tolerance * Math.max(1, Math.abs(slope)) + 1e-8,
            );
          });
        }
        learner.dispose();
      },
    );

    it('takes Adam’s steps on the dense parameters: a first step of the learning rate against the gradient’s sign', () => {
      const { bundle, batch } = problemOf('senet-dnn', { hidden: [5] }, 8, 4);
      const learner = createTfjsLearner(bundle.typed, backend, { parameters: parametersOf(bundle), seed: 1 });
      const before = learner.state();
      learner.step(batch, 0.01);
      const after = learner.state();
      expect([before.stepCount, after.stepCount]).toEqual([0, 1]);
      for (const [name, { values }] of after.parameters) {
        values.forEach((value, i) => {
          const gradient = (after.means.get(name)?.[i] as number) * 10;
          const step = value - (before.parameters.get(name)?.values[i] as number);
          // g/(|g| + ε): a whole step where g is far above ε = 1e-8.
          if (Math.abs(gradient) > 1e-4) expect(step).toBeCloseTo(-0.01 * Math.sign(gradient), 5);
          if (gradient === 0) expect(step).toBe(0);
        });
      }
    });

    it('counts a row of weight 2 as two rows, and one of weight 0 as none', () => {
      const { bundle, input, batch } = problemOf('dcn-v2', { hidden: [5] }, 6, 8);
      const weights = Float32Array.of(2, 1, 0, 1, 3, 1);
      const rows = [0, 0, 1, 3, 4, 4, 4, 5];
      const repeated: LearnerBatch = {
        rowCount: rows.length,
        inputs: new Map(
          [...batch.inputs].map(([name, values]) => {
            const width = values.length / input.rowCount;
            return [
              name,
              Float32Array.from(rows.flatMap((row) => [...values.subarray(row * width, (row + 1) * width)])),
            ];
          }),
        ),
        labels: batch.labels.map((label) => Float32Array.from(rows, (row) => label[row])),
      };
      const learners = [0, 1].map(() =>
        createTfjsLearner(bundle.typed, backend, { parameters: parametersOf(bundle), seed: 1 }),
      );
      const weighted = learners[0].step({ ...batch, weights }, 0.01);
      const twice = learners[1].step(repeated, 0.01);
      for (const [i, loss] of twice.losses.entries()) expect(weighted.losses[i]).toBeCloseTo(loss, coarse ? 2 : 5);
      const [a, b] = learners.map((learner) => learner.state().means);
      for (const [name, values] of a)
        for (const [i, mean] of values.entries()) expect(mean).toBeCloseTo(b.get(name)?.[i] as number, coarse ? 3 : 6);
      // A row's gradient is the sum of its copies'.
      for (const [name, gradient] of weighted.gradients) {
        const width = gradient.length / input.rowCount;
        const summed = new Float64Array(gradient.length);
        rows.forEach((row, i) => {
          for (let d = 0; d < width; d++)
            summed[row * width + d] += twice.gradients.get(name)?.[i * width + d] as number;
        });
        for (const [i, g] of gradient.entries()) expect(g).toBeCloseTo(summed[i], coarse ? 3 : 6);
      }
    });

    it('learns nothing from a batch whose weights are all 0', () => {
      const { bundle, batch } = problemOf('lr', {}, 4, 2);
      const learner = createTfjsLearner(bundle.typed, backend, { parameters: parametersOf(bundle), seed: 1 });
      const { losses, gradients } = learner.step({ ...batch, weights: new Float32Array(4) }, 0.1);
      expect(losses).toEqual([0, 0]);
      for (const gradient of gradients.values()) expect(gradient.every((g) => g === 0)).toBe(true);
      expect(learner.state().parameters).toEqual(parametersOf(bundle));
    });

    it('drops hidden units by the step’s number alone, and none in its logits', () => {
      const { bundle, batch } = problemOf('senet-dnn', { hidden: [32], dropout: 0.5 }, 16, 5);
      const make = () => createTfjsLearner(bundle.typed, backend, { parameters: parametersOf(bundle), seed: 7 });
      const [one, two] = [make(), make()];
      const lossesOf = (learner: typeof one) => [0, 1, 2].map(() => learner.step(batch, 0).losses[0]);
      const first = lossesOf(one);
      expect(new Set(first).size).toBe(3);
      expect(lossesOf(two)).toEqual(first);
      // A learner that goes on from a state draws what the other would have.
      const resumed = make();
      resumed.restore({ ...one.state(), stepCount: 1 });
      expect(resumed.step(batch, 0).losses[0]).toBe(first[1]);
      expect(one.logits(batch)).toEqual(one.logits(batch));
      const without = createTfjsLearner(bundle.typed, backend, { parameters: parametersOf(bundle), seed: 8 });
      expect(without.logits(batch)).toEqual(one.logits(batch));
    });

    it('scales up what dropout keeps, so that a layer’s expectation stays', () => {
      const schema = parseSchema({
        name: 'x',
        labels: [{ name: 'click', column: 'click' }],
        fields: [{ name: 'v', kind: 'vector', scope: 'request', length: 40 }],
      });
      const steps = [
        { op: 'input', inputs: ['v'], output: 'x' },
        { op: 'dropout', inputs: ['x'], rate: 0.25, output: 'kept' },
        { op: 'sum', inputs: ['kept'], bias: true, output: 'logit' },
      ];
      const tasks = [{ name: 'click', logits: ['logit'] }];
      const losses = [{ task: 'click', label: 'click', weight: 1 }];
      const typed = checkModel({ architecture: 'x', tables: [], steps, tasks, losses }, schema);
      const parameters = new Map([['logit.b', { shape: [1], values: new Float32Array(1) }]]);
      const learner = createTfjsLearner(typed, backend, { parameters, seed: 1 });
      const rowCount = 2000;
      const inputs = new Map([['x', new Float32Array(rowCount * 40).fill(0.1)]]);
      const { losses: found } = learner.step({ rowCount, inputs, labels: [new Float32Array(rowCount)] }, 0);
      // E ln(1 + e^(0.1·k/0.75)), k kept of 40 with probability 0.75 each.
      let expected = 0;
      let probability = 0.25 ** 40;
      for (let k = 0; k <= 40; k++) {
        expected += probability * Math.log1p(Math.exp((0.1 * k) / 0.75));
        probability *= ((40 - k) / (k + 1)) * 3;
      }
      // The logit's deviation is 0.1/0.75·√(40·0.75·0.25) = 0.37; five standard errors.
      expect(Math.abs(found[0] - expected)).toBeLessThan((5 * 0.37) / Math.sqrt(rowCount));
    });

    it('gives bit-identical states for the same batches, also from a state on', () => {
      const { bundle, batch } = problemOf('senet-dnn', { hidden: [8], dropout: 0.2 }, 32, 6);
      const make = () => createTfjsLearner(bundle.typed, backend, { parameters: parametersOf(bundle), seed: 3 });
      const [one, two] = [make(), make()];
      for (let i = 0; i < 6; i++) one.step(batch, 0.01);
      for (let i = 0; i < 3; i++) two.step(batch, 0.01);
      const three = make();
      three.restore(two.state());
      for (let i = 0; i < 3; i++) three.step(batch, 0.01);
      expect(three.state()).toEqual(one.state());
    });

    it('gives copies of its state, which later steps leave alone', () => {
      const { bundle, batch } = problemOf('lr', {}, 8, 6);
      const learner = createTfjsLearner(bundle.typed, backend, { parameters: parametersOf(bundle), seed: 3 });
      learner.step(batch, 0.01);
      const kept = learner.state();
      const copy = structuredClone(kept);
      learner.step(batch, 0.01);
      expect(kept).toEqual(copy);
      expect(learner.state()).not.toEqual(copy);
    });

    it('keeps no tensors, however many steps it takes', () => {
      const { bundle, batch } = problemOf(
        'senet-dnn',
        { hidden: [8], dropout: 0.2, crossLayers: 1, innerUnits: 3 },
        8,
        6,
      );
      const learner = createTfjsLearner(bundle.typed, backend, { parameters: parametersOf(bundle), seed: 3 });
      const before = backend.tf.memory().numTensors;
      for (let i = 0; i < 50; i++) {
        learner.step(batch, 0.01);
        if (i % 10 === 0) learner.logits(batch);
      }
      expect(backend.tf.memory().numTensors).toBe(before);
    });
  });
}
