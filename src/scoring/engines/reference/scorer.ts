import { sigmoid } from '../../../core/numerics.ts';
import type { Bundle } from '../../../model/bundle.ts';
import type { TypedModel } from '../../../model/checkModel.ts';
import { createInputCheck } from '../../input.ts';
import type { Scorer, ScoringInput } from '../../scorer.ts';
import { alignRows, type Matrix, rowStart } from './matrix.ts';
import { runSteps } from './runSteps.ts';

/** The oracle: plain TypeScript in float64, slow and simple. Every other engine is compared with it. */
export function createReferenceScorer(bundle: Pick<Bundle, 'typed' | 'weights' | 'fitted'>): Scorer {
  const { typed, weights, fitted } = bundle;
  const check = createInputCheck(typed, (vocabulary) => fitted.vocabularies.get(vocabulary)?.rows ?? 0);
  return {
    engine: 'reference',
    score(input) {
      check(input);
      const probabilities = probabilitiesOf(typed, runSteps(typed, weights, input), input);
      return new Map([...probabilities].map(([task, p]) => [task, Float32Array.from(p)]));
    },
    dispose() {},
  };
}

/** p(task) = Π σ(logit) of each row, by task, in float64. */
export function probabilitiesOf(
  typed: TypedModel,
  values: ReadonlyMap<string, Matrix>,
  { rowCount, candidates }: Pick<ScoringInput, 'rowCount' | 'candidates'>,
): Map<string, Float64Array> {
  return new Map(
    typed.model.tasks.map((task) => {
      const p = new Float64Array(rowCount).fill(1);
      for (const name of task.logits) {
        const [logits] = alignRows([values.get(name) as Matrix], candidates, rowCount);
        for (let row = 0; row < rowCount; row++) p[row] *= sigmoid(logits.values[rowStart(logits, row)]);
      }
      return [task.name, p];
    }),
  );
}
