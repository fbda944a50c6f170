import type { PrecisionFacts } from '../model/bundle.ts';
import type { TypedModel } from '../model/checkModel.ts';
import type { Tensor } from '../model/safetensors.ts';
import type { Matrix } from './engines/reference/matrix.ts';
import { runSteps } from './engines/reference/runSteps.ts';
import { layerInputs } from './layerInputs.ts';
import { rowRange } from './scoreInBlocks.ts';
import type { ScoringInput } from './scorer.ts';

/** More rows made int8 no better on KuaiRand (512 did a little worse), and the reference engine takes seconds for them. */
const mostRows = 1024;

/** The scale ends so much above what was seen, since other rows go beyond. */
const headroom = 1.1;

/**
 * Measures, with the reference engine, every value of a model that a layer multiplies with its weights, and chooses the scale
 * of each of its columns in int8. With x_c the largest magnitude of a column and X that of the value, the scale ends at
 *
 *   1.1 · X · max(x_c / X, 1/1000)^¾
 *
 * between a scale a column, which makes weights uneven, and one for all, which leaves narrow columns few steps. On KuaiRand
 * (SENet-DNN with two cross layers) the largest error of a probability was 0.001, against 0.006 at x_c and 0.0035 at X.
 *
 * @param input checked rows, of which the first 1,024 are taken
 * @returns by the value's name; none where there are no rows
 * @see Xiao et al. 2023, "SmoothQuant"
 */
export function measureActivations(
  typed: TypedModel,
  weights: ReadonlyMap<string, Tensor<Float32Array>>,
  input: ScoringInput,
): PrecisionFacts['activations'] {
  if (input.rowCount === 0) return {};
  const values = runSteps(typed, weights, rowRange(input, 0, Math.min(input.rowCount, mostRows)));
  const multiplied = typed.model.steps.flatMap(layerInputs);
  return Object.fromEntries([...new Set(multiplied)].map((name) => [name, rangeOf(values.get(name) as Matrix)]));
}

function rangeOf({ rows, width, values }: Matrix): { largest: number[]; negative: boolean } {
  const seen = new Float64Array(width);
  let negative = false;
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < width; column++, at++) {
      seen[column] = Math.max(seen[column], Math.abs(values[at]));
      negative ||= values[at] < 0;
    }
  }
  const most = seen.reduce((a, b) => Math.max(a, b), Number.MIN_VALUE);
  const ends = Array.from(seen, (x) => headroom * most * Math.max(x / most, 0.001) ** 0.75);
  // Four digits keep the manifest short.
  return { largest: ends.map((end) => Number(end.toPrecision(4))), negative };
}
