import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../core/random.ts';
import type { Bundle } from '../../../model/bundle.ts';
import { measureActivations } from '../../activations.ts';
import { nativeAddon } from '../../conformance/nativeAddon.ts';
import { historyFields, randomBundle, randomInput, sampleFields } from '../../conformance/randomBundle.ts';
import type { NumberPrecision } from '../../precision.ts';
import { tolerances } from '../../precision.ts';
import { createReferenceScorer } from '../reference/scorer.ts';
import { createNativeScorer, formatsOf } from './scorer.ts';

/*
 * The conformance suite's models are too narrow for the matrix kernels. These are wide enough, in every precision, with widths
 * around those of tiles and of their halves.
 */

const loaded = nativeAddon();
const rates = { matrixMultiplyAddsPerNs: 700, vectorMultiplyAddsPerNs: 10, cacheBytesPerNs: 40, memoryBytesPerNs: 5 };
const slow = { matrixMultiplyAddsPerNs: 2, vectorMultiplyAddsPerNs: 2, cacheBytesPerNs: 90, memoryBytesPerNs: 90 };

const widths = fc.constantFrom(16, 17, 31, 32, 33, 48, 64, 65, 80);
const shapes = fc.record({
  seed: fc.nat(),
  size: fc.constantFrom(4, 16, 24),
  hidden: fc.array(widths, { minLength: 1, maxLength: 3 }),
  architecture: fc.constantFrom('senet-dnn', 'senet-dnn', 'din', 'dcn-v2', 'deep-fm'),
  attention: fc.record({ units: widths, weights: fc.constantFrom('softmax', 'sigmoid') }),
  length: fc.constantFrom(1, 17, 20),
  rows: fc.constantFrom(1, 15, 33, 70),
  request: fc.boolean(),
  slow: fc.boolean(),
  cacheBytes: fc.constantFrom(0, 3000, 2 ** 22),
});

type Shape = typeof shapes extends fc.Arbitrary<infer S> ? S : never;

function wideBundle({ seed, size, hidden, architecture, attention, length }: Shape): Bundle {
  const random = createRandom(seed);
  const fields = [
    ...sampleFields.map((field) => {
      if (field.name === 'imageId') return { ...field, size, buckets: 1500 }; // a table whose rows are asked for ahead
      return 'size' in field ? { ...field, size } : field;
    }),
    ...historyFields.map((field) => (field.kind === 'sequence' ? { ...field, length } : field)),
  ];
  const ofSequences = architecture === 'din' || architecture === 'senet-dnn' ? { attention } : {};
  const ofCrosses = architecture === 'din' ? {} : { crossLayers: 1 };
  const options =
    architecture === 'deep-fm' ? { hidden, embeddingSize: size } : { hidden, ...ofCrosses, ...ofSequences };
  const bundle = randomBundle({ random, architecture, options, fields });
  // Sigmoid weights add up to 20 events, several times what random weights suppose: logits stay near 1 all the same.
  if ('attention' in ofSequences && attention.weights === 'sigmoid')
    for (const [name, { values }] of bundle.weights)
      if (name.endsWith('.logit.w')) for (let i = 0; i < values.length; i++) values[i] /= 2;
  const activations = measureActivations(bundle.typed, bundle.weights, randomInput(bundle, 300, random));
  return { ...bundle, manifest: { ...bundle.manifest, precision: { limits: { auc: 0, logLoss: 0 }, activations } } };
}

if (typeof loaded === 'string') it.skip(`engine native: ${loaded}`, () => {});
else {
  const { addon } = loaded;
  const precisions: NumberPrecision[] = ['fp32', 'bf16', 'int8'];
  const cases = addon
    .kernelNames()
    .flatMap((kernels) => precisions.map((precision) => [kernels, precision] as const))
    .filter(([kernels, precision]) => formatsOf(addon, kernels, precision) !== undefined);
  describe.each(cases)('kernels %s in %s', (kernels, precision) => {
    const exact = precision === 'fp32' && !addon.supports(kernels, 'split');
    // Random inputs go beyond the range that was measured, and are cut there: more than a bundle's sample would allow.
    const tolerance = exact ? 1e-5 : precision === 'int8' ? 0.04 : tolerances[precision];

    it('agree with the reference engine on wide layers, whatever the widths, rows, plan and cache', () => {
      fc.assert(
        fc.property(shapes, (shape) => {
          const bundle = wideBundle(shape);
          const { cacheBytes } = shape;
          const options = { kernels, precision, rates: shape.slow ? slow : rates, cacheBytes, blockRows: 32 };
          const scorer = createNativeScorer(bundle, addon, options);
          const expected = createReferenceScorer(bundle);
          const random = createRandom(shape.seed + 1);
          // Twice, so that what was kept of ads is read again.
          const input = randomInput(bundle, shape.rows, random, shape.request ? 'request' : undefined);
          for (let call = 0; call < 2; call++) {
            const got = scorer.score(input);
            for (const [task, p] of expected.score(input)) {
              for (let row = 0; row < shape.rows; row++) {
                const difference = Math.abs((got.get(task)?.[row] ?? Number.NaN) - p[row]);
                if (!(difference <= tolerance))
                  expect.fail(`${task}, row ${row}: ${got.get(task)?.[row]}, not ${p[row]}`);
              }
            }
          }
          scorer.dispose();
        }),
        { numRuns: 25 },
      );
    });
  });
}
