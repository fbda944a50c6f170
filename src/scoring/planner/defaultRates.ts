import type { MachineRates } from './planSteps.ts';

/** Number formats plans are made for. */
export const planPrecisions = ['fp32', 'bf16', 'int8'] as const;
export type PlanPrecision = (typeof planPrecisions)[number];

/** Bytes of an activation in each; an int8 product's inputs are kept as bf16. */
export const numberBytesOf: Readonly<Record<PlanPrecision, number>> = { fp32: 4, bf16: 2, int8: 2 };

/** Rates of one core with matrix tiles (Sapphire Rapids and later), rounded: for plans where nothing is measured. */
export function defaultRates(precision: PlanPrecision): MachineRates {
  const matrixMultiplyAddsPerNs = { fp32: 250, bf16: 700, int8: 1200 }[precision];
  return { matrixMultiplyAddsPerNs, vectorMultiplyAddsPerNs: 12, cacheBytesPerNs: 50, memoryBytesPerNs: 10 };
}
