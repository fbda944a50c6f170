import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import { assert } from '../../../core/errors.ts';
import { sigmoid } from '../../../core/numerics.ts';
import type { Bundle } from '../../../model/bundle.ts';
import { type FieldStep, readsFields } from '../../../model/steps.ts';
import { type ValueType, widthOf } from '../../../model/values.ts';
import type { EncodedColumn, EncodedDense } from '../../../schema/encoded.ts';
import { alignColumns, hasRowPerCandidate } from '../../candidates.ts';
import { gather, gatherDense, planEmbed, rowsOfFields } from '../../gather.ts';
import { gatherSequence, planSequence } from '../../gatherSequence.ts';
import { createInputCheck } from '../../input.ts';
import type { CandidateRows, Scorer, ScoringInput } from '../../scorer.ts';
import { type LoadedBackend, useBackend } from './backend.ts';
import { type GraphOptions, runGraph } from './graph.ts';
import { createOps } from './ops.ts';

/**
 * Scores on a TensorFlow.js backend: embeddings are gathered here, the rest runs there. A value made of the request
 * alone is computed for one row, one made of candidates for a row each, whatever their creatives.
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

  /** The logits of all rows, [rows, candidates or 1] each. */
  const logitsOf = (input: ScoringInput): Map<string, Float32Array> => {
    const tensors = tf.tidy(() => {
      const inputs = new Map(leaves.map((leaf) => [leaf.output, leaf.upload(tf, input)]));
      const values = runGraph(
        { ops, align: alignOf(tf, input.candidates) },
        typed,
        inputs,
        (name) => parameters.get(name) as Tensor,
      );
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
      const { rowCount, candidates } = input;
      useBackend(loaded);
      const logits = rowCount === 0 ? undefined : logitsOf(input);
      return new Map(
        typed.model.tasks.map((task) => {
          const p = new Float32Array(rowCount).fill(1);
          if (logits !== undefined)
            for (const name of task.logits) multiplySigmoid(p, logits.get(name) as Float32Array, candidates);
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

/** A step's columns: of creatives, candidates' or of one row, but of creatives and candidates no mixture. */
function fieldsOf({ inputs }: FieldStep, { fields, candidates }: ScoringInput): ScoringInput['fields'] {
  if (candidates === undefined) return fields;
  const columns = inputs.map((name) => fields.get(name) as EncodedColumn);
  return new Map(alignColumns(columns, candidates).map((column, i) => [inputs[i], column]));
}

type Gather = (fields: ScoringInput['fields'], rows: number, out: Float32Array) => void;

function createLeaf(step: FieldStep, bundle: Pick<Bundle, 'typed' | 'weights'>): Leaf {
  const width = widthOf(bundle.typed.values.get(step.output)?.type as ValueType);
  const gatherStep = gatherOf(step, bundle);
  return {
    output: step.output,
    upload(tf, input) {
      const fields = fieldsOf(step, input);
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

function multiplySigmoid(p: Float32Array, logits: Float32Array, candidates: CandidateRows | undefined): void {
  const single = logits.length === 1;
  const of = candidates && hasRowPerCandidate(logits.length, p.length, candidates) ? candidates.of : undefined;
  for (let row = 0; row < p.length; row++) p[row] *= sigmoid(logits[single ? 0 : (of?.[row] ?? row)]);
}

/** Repeats rows of candidates for their creatives, where a step reads both; each value once. */
function alignOf(tf: LoadedBackend['tf'], candidates: CandidateRows | undefined): GraphOptions['align'] {
  if (candidates === undefined) return undefined;
  const of = tf.tensor1d(candidates.of.slice(), 'int32');
  const repeated = new Map<Tensor2D, Tensor2D>();
  return (inputs) => {
    const most = Math.max(...inputs.map(({ shape }) => shape[0]));
    return inputs.map((input) => {
      if (!hasRowPerCandidate(input.shape[0], most, candidates)) return input;
      const known = repeated.get(input) ?? tf.gather(input, of);
      repeated.set(input, known);
      return known;
    });
  };
}
