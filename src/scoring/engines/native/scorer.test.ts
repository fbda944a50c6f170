import { describe, it } from 'vitest';
import { describeScorer } from '../../conformance/describeScorer.ts';
import { nativeAddon } from '../../conformance/nativeAddon.ts';
import type { MachineRates } from '../../planner/planSteps.ts';
import { createNativeScorer } from './scorer.ts';

/** Fast products and slow memory, and the reverse: other rewrites are taken. */
const rates: readonly MachineRates[] = [
  { matrixMultiplyAddsPerNs: 700, vectorMultiplyAddsPerNs: 10, cacheBytesPerNs: 40, memoryBytesPerNs: 5 },
  { matrixMultiplyAddsPerNs: 5, vectorMultiplyAddsPerNs: 5, cacheBytesPerNs: 100, memoryBytesPerNs: 100 },
];

const loaded = nativeAddon();
if (typeof loaded === 'string') it.skip(`engine native: ${loaded}`, () => {});
else {
  const { addon } = loaded;
  describe.each(addon.kernelNames())('kernels %s', (kernels) => {
    const load = (cacheBytes: number, rate: MachineRates) => (bundle: Parameters<typeof createNativeScorer>[0]) =>
      createNativeScorer(bundle, addon, { kernels, precision: 'fp32', rates: rate, cacheBytes, blockRows: 32 });
    const tolerance = addon.supports(kernels, 'split') ? 1e-4 : 1e-5;
    describeScorer('native, all ads kept', load(2 ** 24, rates[0]), tolerance);
    describeScorer('native, two ads kept', load(2000, rates[1]), tolerance);
    describeScorer('native, no ad kept', load(0, rates[0]), tolerance);
  });
}
