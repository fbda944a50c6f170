import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../core/random.ts';
import { nativeAddon } from '../../conformance/nativeAddon.ts';
import { historyFields, randomBundle, sampleFields } from '../../conformance/randomBundle.ts';
import { defaultRates } from '../../planner/defaultRates.ts';
import type { StepSpec } from './addon.ts';
import { lowerFor } from './scorer.ts';

const loaded = nativeAddon();
if (typeof loaded === 'string') it.skip(`engine native: ${loaded}`, () => {});
else {
  const { addon } = loaded;
  const fields = [
    ...sampleFields,
    ...historyFields.map((field) => (field.kind === 'sequence' ? { ...field, length: 20 } : field)),
  ];

  describe.each(addon.kernelNames())('a program of sequences for kernels %s', (kernels) => {
    const options = { kernels, precision: 'fp32', rates: defaultRates('fp32'), cacheBytes: 2 ** 20 } as const;
    const bundle = randomBundle({ random: createRandom(3), architecture: 'din', fields });
    const { spec } = lowerFor(bundle, addon, options);
    const packed = addon.pack(kernels, spec);
    const create = (steps: readonly StepSpec[]) => {
      addon.dispose(addon.createProgram(kernels, { ...spec, steps }, packed));
    };

    it('is refused where a step’s events, units or inputs do not fit its numbers', () => {
      expect(() => create(spec.steps)).not.toThrow();
      let tried = 0;
      spec.steps.forEach((step, i) => {
        const withStep = (changed: Partial<StepSpec>) => spec.steps.with(i, { ...step, ...changed });
        if (step.length === undefined) return;
        for (const length of [0, -1, step.length + 1, 2 * step.length, 1025, 2 ** 31 - 1]) {
          tried++;
          expect(() => create(withStep({ length })), `${step.op}, length ${length}`).toThrow();
        }
        if (step.units !== undefined)
          for (const units of [0, -1, step.units + 1]) expect(() => create(withStep({ units })), step.op).toThrow();
        const { inputs = [] } = step;
        inputs.forEach((input, n) => {
          for (const wrong of [{ width: input.width - 1 }, { from: 1 }, { value: 10 ** 6 }, { value: step.output }])
            expect(() => create(withStep({ inputs: inputs.with(n, { ...input, ...wrong }) })), step.op).toThrow();
        });
      });
      expect(tried).toBeGreaterThan(20);
    });
  });
}
