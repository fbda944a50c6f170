import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import { assert } from '../../../core/errors.ts';
import { sigmoid } from '../../../core/numerics.ts';
import type { Bundle } from '../../../model/bundle.ts';
import { type FieldStep, readsFields } from '../../../model/steps.ts';
import { type ValueType, widthOf } from '../../../model/values.ts';
import type { EncodedDense } from '../../../schema/encoded.ts';
import { gather, gatherDense, planEmbed, rowsOfFields } from '../../gather.ts';
import { gatherSequence, planSequence } from '../../gatherSequence.ts';
import { createInputCheck } from '../../input.ts';
import type { Scorer, ScoringInput } from '../../scorer.ts';
import { type LoadedBackend, useBackend } from './backend.ts';
import { runGraph } from './graph.ts';
import { createOps } from './ops.ts';

/**
 * Scores on a TensorFlow.js backend: embeddings are gathered here, the rest runs there. A value made of the request
 * alone is computed for one row.
 */
export function createTfjsScorer(bundle: Pick<Bundle, 'typed' | 'weights' | 'fitted'>, loaded: LoadedBackend): Scorer {
  const { typed, fitted } = bundle;
  const { tf, backend } = loaded;
  useBackend(loaded);
  const ops = createOps(tf);
  const check = createInputCheck(typed, (vocabulary) => fitted.vocabularies.get(vocabulary)?.rows ?? 0);
  const leaves = typed.model.steps.filter(readsFields).map((step) => createLeaf(step, bundle));
  const parameters = uploadParameters(tf, bundle);
  const logitNames = [...new Set(typed.model.tasks.flatMap((task) => task.logits))];

  /** The logits of all rows, [rows or 1] each. */
  const logitsOf = (input: ScoringInput): Map<string, Float32Array> => {
    const tensors = tf.tidy(() => {
      const inputs = new Map(leaves.map((leaf) => [leaf.output, leaf.upload(tf, input)]));
      const values = runGraph({ ops }, typed, inputs, (name) => parameters.get(name) as Tensor);
      return logitNames.map((name) => values.get(name) as Tensor2D);
    });
    const logits = new Map(logitNames.map((name, i) => [name, tensors[i].dataSync<'float32'>().slice()]));
    tf.dispose(tensors);
    return logits;
  };

  return {
    engine: `tfjs (${backend})`,
    score(input) {
      check(input);
      const { rowCount } = input;
      useBackend(loaded);
      const logits = rowCount === 0 ? undefined : logitsOf(input);
      return new Map(
        typed.model.tasks.map((task) => {
          const p = new Float32Array(rowCount).fill(1);
          if (logits !== undefined)
            for (const name of task.logits) multiplySigmoid(p, logits.get(name) as Float32Array);
          return [task.name, p];
        }),
      );
    },
    dispose() {
      tf.dispose([...parameters.values()]);
      parameters.clear();
    },
  };
}

function uploadParameters(tf: LoadedBackend['tf'], { typed, weights }: Pick<Bundle, 'typed' | 'weights'>) {
  const parameters = new Map<string, Tensor>();
  for (const [output, specs] of typed.parameters) {
    for (const { name, shape } of specs) {
      const full = `${output}.${name}`;
      const tensor = weights.get(full);
      assert(tensor !== undefined, `no weights '${full}'`);
      // A copy: the backend may keep the array it is given.
      parameters.set(full, tf.tensor(tensor.values.slice(), [...shape], 'float32'));
    }
  }
  return parameters;
}

/** A step that reads fields: gathers its rows and hands them to the backend. */
interface Leaf {
  readonly output: string;
  upload(tf: LoadedBackend['tf'], input: ScoringInput): Tensor2D;
}

type Gather = (fields: ScoringInput['fields'], rows: number, out: Float32Array) => void;

function createLeaf(step: FieldStep, bundle: Pick<Bundle, 'typed' | 'weights'>): Leaf {
  const width = widthOf(bundle.typed.values.get(step.output)?.type as ValueType);
  const gatherStep = gatherOf(step, bundle);
  return {
    output: step.output,
    upload(tf, { fields }) {
      const rows = rowsOfFields(fields, step.inputs);
      // A new array each time, since a backend may keep it.
      const values = new Float32Array(rows * width);
      gatherStep(fields, rows, values);
      return tf.tensor2d(values, [rows, width], 'float32');
    },
  };
}

function gatherOf(step: FieldStep, { typed, weights }: Pick<Bundle, 'typed' | 'weights'>): Gather {
  switch (step.op) {
    case 'embed': {
      const plan = planEmbed(step, typed, weights);
      return (fields, rows, out) => gather(plan, fields, rows, out);
    }
    case 'embedSequence': {
      const plan = planSequence(step, typed, weights);
      return (fields, rows, out) => gatherSequence(plan, fields, rows, out);
    }
    case 'input':
      return (fields, rows, out) => {
        const columns = step.inputs.map((name) => fields.get(name) as EncodedDense);
        gatherDense(columns, rows, out);
      };
  }
}

function multiplySigmoid(p: Float32Array, logits: Float32Array): void {
  const single = logits.length === 1;
  for (let row = 0; row < p.length; row++) p[row] *= sigmoid(logits[single ? 0 : row]);
}
