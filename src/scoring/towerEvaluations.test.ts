import { describe, expect, it } from 'vitest';
import { createRandom } from '../core/random.ts';
import { nativeAddon } from './conformance/nativeAddon.ts';
import { randomBundle } from './conformance/randomBundle.ts';
import { variantFields, variantInput } from './conformance/variantInput.ts';
import { createNativeScorer, lowerFor } from './engines/native/scorer.ts';
import { runPlan } from './engines/reference/runPlan.ts';
import { runSteps } from './engines/reference/runSteps.ts';
import { loadBackend } from './engines/tfjs/load.ts';
import { createTfjsScorer } from './engines/tfjs/scorer.ts';
import { createPlan } from './plan.ts';
import { defaultRates } from './planner/defaultRates.ts';

/*
 * How often each tower of a dual tower runs: the left one once an ad, the right one once a creative, whatever the engine.
 */

const bundle = randomBundle({
  random: createRandom(3),
  architecture: 'dual-tower',
  options: { hidden: [48, 40], right: { hidden: [24, 20] } },
  fields: variantFields,
});
const { typed, weights } = bundle;
const counts = [3, 1, 5, 2, 7, 4, 1];
const input = variantInput(bundle, counts, createRandom(4));
const ads = counts.length;
const creatives = input.rowCount;

describe('of a dual tower', () => {
  it('the reference engine computes the left for each ad, the right for each creative, and users’ values once', () => {
    const values = runSteps(typed, weights, input);
    const rows = (name: string) => values.get(name)?.rows;
    expect([rows('hidden.0'), rows('hidden.1'), rows('click.ad.logit')]).toEqual([ads, ads, ads]);
    expect([rows('right.0'), rows('right.1'), rows('click.logit')]).toEqual([creatives, creatives, creatives]);
    for (const [name, { scope }] of typed.values)
      expect(rows(name), name).toBe(
        { request: 1, ad: ads, candidate: ads, creative: creatives, variant: creatives }[scope],
      );
  });

  it('a plan’s steps have as many rows as their scopes', () => {
    const plan = createPlan(typed, { rates: defaultRates('fp32'), variantsPerCandidate: 5 });
    const values = runPlan(plan, weights, input);
    expect(plan.values.get('right.0.candidate')?.scope).toBe('candidate');
    for (const [name, { scope }] of plan.values)
      expect(values.get(name)?.rows, name).toBe(
        { request: 1, ad: ads, candidate: ads, creative: creatives, variant: creatives }[scope],
      );
  });

  it('TensorFlow.js multiplies ads’ rows with the left layers, creatives’ with the right', async () => {
    const loaded = await loadBackend('cpu');
    const products = new Map<string, number>();
    const scorer = createTfjsScorer(bundle, loaded);
    const { tf } = loaded;
    const engine = tf.engine();
    const runKernel = engine.runKernel.bind(engine);
    engine.runKernel = ((name: string, inputs: Record<string, { shape: number[] }>, attrs: never) => {
      if (name === 'LimelightDense') products.set(String(inputs.weights.shape), inputs.x.shape[0]);
      return runKernel(name, inputs as never, attrs);
    }) as never;
    try {
      scorer.score(input);
    } finally {
      engine.runKernel = runKernel;
      scorer.dispose();
    }
    const rowsOf = (layer: string) => products.get(String(weights.get(`${layer}.w`)?.shape));
    expect([rowsOf('hidden.0'), rowsOf('hidden.1')]).toEqual([ads, ads]);
    expect([rowsOf('right.0'), rowsOf('right.1')]).toEqual([creatives, creatives]);
  });
});

const native = nativeAddon();
if (typeof native === 'string') it.skip(`engine native: ${native}`, () => {});
else {
  const { addon } = native;
  const rates = defaultRates('fp32');

  describe.each(addon.kernelNames())('of a dual tower the native engine on %s', (kernels) => {
    const options = { kernels, precision: 'fp32', rates, cacheBytes: 2 ** 22, blockRows: 32 } as const;

    it('has the left tower’s layers in the stage of candidates, the right’s in that of rows', () => {
      const { spec } = lowerFor(bundle, addon, options, 'creatives');
      const plan = createPlan(typed, { rates, variantsPerCandidate: 5 });
      const stageOf = (name: string) => spec.values[[...plan.values.keys()].indexOf(name)].stage;
      expect(['hidden.0', 'hidden.1', 'click.ad.logit', 'right.0.candidate'].map(stageOf)).toEqual(
        new Array(4).fill('candidate'),
      );
      expect(['right.0', 'right.1', 'click.logit'].map(stageOf)).toEqual(new Array(3).fill('row'));
    });

    it('runs the one for each ad and the other for each creative; of both, what is kept but once', () => {
      const scorer = createNativeScorer(bundle, addon, options);
      scorer.score(input);
      const first = { request: 1, candidate: ads, row: creatives };
      expect(scorer.stageRows()).toMatchObject(first);
      const { ad, creative } = scorer.stageRows();
      expect(ad).toBeGreaterThan(0);
      expect(ad).toBeLessThanOrEqual(ads);
      expect(creative).toBeGreaterThan(0);
      expect(creative).toBeLessThanOrEqual(creatives);
      scorer.score(input);
      expect(scorer.stageRows()).toEqual({ request: 2, candidate: 2 * ads, row: 2 * creatives, ad, creative });
      scorer.dispose();
    });

    it('runs both for each row where no candidates are named', () => {
      const scorer = createNativeScorer(bundle, addon, { ...options, cacheBytes: 0 });
      const { candidates: _, ...rows } = variantInput(bundle, new Array(9).fill(1), createRandom(5));
      scorer.score(rows);
      expect(scorer.stageRows()).toEqual({ request: 1, ad: 0, creative: 0, candidate: 0, row: 9 });
      scorer.score(input);
      expect(scorer.stageRows()).toMatchObject({ request: 2, candidate: ads, row: creatives + 9 });
      // From then on a row is a candidate of one.
      scorer.score(rows);
      expect(scorer.stageRows()).toMatchObject({ request: 3, candidate: ads + 9, row: creatives + 18 });
      scorer.dispose();
    });
  });
}
