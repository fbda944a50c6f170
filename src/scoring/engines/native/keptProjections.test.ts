import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../core/random.ts';
import type { Field } from '../../../schema/schema.ts';
import { nativeAddon } from '../../conformance/nativeAddon.ts';
import { randomBundle, randomInput } from '../../conformance/randomBundle.ts';
import { tolerances } from '../../precision.ts';
import { createReferenceScorer } from '../reference/scorer.ts';
import { createNativeScorer, formatsOf, lowerFor } from './scorer.ts';

/** A request's fields of small tables, of one too large to be kept, of lists and of numbers. */
const fields: readonly Field[] = [
  { name: 'city', kind: 'id', scope: 'request', size: 16, buckets: 7 },
  { name: 'userId', kind: 'id', scope: 'request', size: 3, buckets: 600_000 },
  { name: 'hour', kind: 'id', scope: 'request', size: 5, buckets: 24 },
  { name: 'interests', kind: 'ids', scope: 'request', size: 8, buckets: 30 },
  { name: 'age', kind: 'number', scope: 'request', quantiles: 6, size: 4 },
  { name: 'visits', kind: 'number', scope: 'request', transform: 'log1p' },
  { name: 'adId', kind: 'id', scope: 'ad', size: 16, buckets: 50 },
  { name: 'keywords', kind: 'ids', scope: 'ad', size: 8, buckets: 20 },
];

const loaded = nativeAddon();
if (typeof loaded === 'string') it.skip(`engine native: ${loaded}`, () => {});
else {
  const { addon } = loaded;
  const rates = { matrixMultiplyAddsPerNs: 700, vectorMultiplyAddsPerNs: 10, cacheBytesPerNs: 40, memoryBytesPerNs: 5 };
  const bundle = randomBundle({
    random: createRandom(1),
    architecture: 'senet-dnn',
    options: { hidden: [33, 16] },
    fields,
  });
  const reference = createReferenceScorer(bundle);
  const cases = addon
    .kernelNames()
    .flatMap((kernels) => (['fp32', 'bf16'] as const).map((precision) => [kernels, precision] as const))
    .filter(([kernels, precision]) => formatsOf(addon, kernels, precision) !== undefined);
  describe.each(cases)('projections that kernels %s keep in %s', (kernels, precision) => {
    it('are right when first asked for and the same ever after, whatever was asked for between', () => {
      const options = { kernels, precision, rates, cacheBytes: 2 ** 22, blockRows: 32 };
      const { steps } = lowerFor(bundle, addon, options).spec;
      expect(steps.map(({ op }) => op)).toContain('projectField');
      const scorer = createNativeScorer(bundle, addon, options);
      const random = createRandom(2);
      const requests = Array.from({ length: 30 }, () => randomInput(bundle, 33, random, 'request'));
      const tolerance = precision === 'fp32' && !addon.supports(kernels, 'split') ? 1e-5 : tolerances[precision];
      const answers = () =>
        requests.map((request) => new Map([...scorer.score(request)].map(([task, p]) => [task, p.slice()])));
      const first = answers();
      for (const [i, request] of requests.entries())
        for (const [task, p] of reference.score(request))
          for (const [row, expected] of p.entries())
            expect(Math.abs((first[i].get(task)?.[row] ?? Number.NaN) - expected)).toBeLessThanOrEqual(tolerance);
      expect(answers()).toEqual(first);
      scorer.dispose();
    });
  });
}
