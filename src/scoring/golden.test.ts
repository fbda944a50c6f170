import { describe, expect, it } from 'vitest';
import { createRandom } from '../core/random.ts';
import { architectures } from '../model/architectures.ts';
import { randomBundle } from './conformance/randomBundle.ts';
import { createReferenceScorer } from './engines/reference/scorer.ts';
import { replayGolden } from './golden.ts';

describe('golden requests', () => {
  it.each(architectures.map(({ name }) => name))(
    'are answered alike by the engine that made them: %s',
    (architecture) => {
      const bundle = randomBundle({ random: createRandom(1), architecture });
      replayGolden(bundle, createReferenceScorer(bundle), 1e-7);
    },
  );

  it('survive a file', () => {
    const bundle = randomBundle({ random: createRandom(2) });
    const golden = JSON.parse(JSON.stringify(bundle.golden));
    replayGolden({ ...bundle, golden }, createReferenceScorer(bundle), 1e-7);
  });

  it('refuse a model whose weights changed, and name the request, the task and both answers', () => {
    const bundle = randomBundle({ random: createRandom(3) });
    const bias = bundle.weights.get('click.logit.b');
    if (bias) bias.values[0] += 1;
    expect(() => replayGolden(bundle, createReferenceScorer(bundle), 1e-6)).toThrow(
      /bundle 'sample' version 1: engine 'reference' answers golden request 0 with click = 0\.\d+, expected 0\.\d+ ± 0\.000001; keep/,
    );
  });

  it('refuse an engine that answers NaN, and answers that are not there', () => {
    const bundle = randomBundle({ random: createRandom(4) });
    const scorer = createReferenceScorer(bundle);
    const broken = { ...scorer, score: () => new Map([['click', new Float32Array(4).fill(Number.NaN)]]) };
    expect(() => replayGolden(bundle, broken, 1)).toThrow(/click = NaN/);
    const golden = { ...bundle.golden, probabilities: {} };
    expect(() => replayGolden({ ...bundle, golden }, scorer, 1)).toThrow(/expected undefined/);
  });
});
