import type { PrecisionFacts } from '../model/bundle.ts';
import type { TypedModel } from '../model/checkModel.ts';
import type { Tensor } from '../model/safetensors.ts';
import type { Matrix } from './engines/reference/matrix.ts';
import { runSteps } from './engines/reference/runSteps.ts';
import { rowRange } from './scoreInBlocks.ts';
import type { ScoringInput } from './scorer.ts';

/** The reference engine computes so many rows of half a million multiply-adds in a second or two. */
const mostRows = 2048;

/**
 * Measures, with the reference engine, every value of a model that a matrix is multiplied with.
 *
 * @param input checked rows, of which the first 2,048 are taken
 * @returns by the value's name; none where there are no rows
 */
export function measureActivations(
  typed: TypedModel,
  weights: ReadonlyMap<string, Tensor<Float32Array>>,
  input: ScoringInput,
): PrecisionFacts['activations'] {
  if (input.rowCount === 0) return {};
  const values = runSteps(typed, weights, rowRange(input, 0, Math.min(input.rowCount, mostRows)));
  return Object.fromEntries([...productInputs(typed)].map((name) => [name, rangeOf(values.get(name) as Matrix)]));
}

/** The values that dense and cross layers take, and those that such a value only lays side by side or copies. */
function productInputs({ model }: TypedModel): Set<string> {
  const steps = new Map(model.steps.map((step) => [step.output, step]));
  const found = new Set<string>();
  const visit = (name: string): void => {
    const step = steps.get(name);
    if (step === undefined || found.has(name)) return;
    found.add(name);
    const copies = step.op === 'concat' || step.op === 'stack' || step.op === 'dropout' || step.op === 'stopGradient';
    if (copies) step.inputs.forEach(visit);
  };
  for (const step of model.steps) if (step.op === 'dense' || step.op === 'cross') step.inputs.forEach(visit);
  return found;
}

function rangeOf({ rows, width, values }: Matrix): { largest: number[]; negative: boolean } {
  const largest = new Float64Array(width);
  let negative = false;
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < width; column++, at++) {
      largest[column] = Math.max(largest[column], Math.abs(values[at]));
      negative ||= values[at] < 0;
    }
  }
  // Four digits keep the manifest short.
  return { largest: Array.from(largest, (x) => Number(x.toPrecision(4))), negative };
}
