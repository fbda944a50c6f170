import { type Scope, scopeIncludes } from '../../schema/scopes.ts';
import { floatBytes } from './costs.ts';
import type { MachineRates, PlanOptions } from './planSteps.ts';

/** Products are done in whole tiles. */
const tiled = (n: number) => Math.ceil(n / 16) * 16;

/**
 * What a request costs, in nanoseconds: multiply-adds / rate + bytes / rate, of what two ways of computing the same value
 * do not have in common. What is kept of ads is taken to be there; what is narrow enough to lie in the first cache is free.
 */
export class CostModel {
  private readonly rates: MachineRates;
  private readonly candidates: number;
  private readonly embeddingBytes: number;
  private readonly keeps: boolean;
  private readonly recordBytesMax: number;

  constructor(options: PlanOptions) {
    const { rates, candidates = 500, numberBytes = floatBytes } = options;
    this.rates = rates;
    this.candidates = candidates;
    this.embeddingBytes = numberBytes;
    this.keeps = options.keeps ?? true;
    this.recordBytesMax = options.recordBytesMax ?? Number.POSITIVE_INFINITY;
  }

  /** Whether values of a scope are computed less often than once a row. */
  isNarrow(scope: Scope): boolean {
    return scope === 'request' || (this.keeps && !scopeIncludes(scope, 'request'));
  }

  /** x · W for every candidate, W [k, units]. */
  product(k: number, units: number): number {
    return (this.candidates * tiled(k) * tiled(units)) / this.rates.matrixMultiplyAddsPerNs;
  }

  /** x · W once. */
  productOnce(k: number, units: number): number {
    return (k * units) / this.rates.vectorMultiplyAddsPerNs;
  }

  /** Numbers of what is kept, for every candidate, when `readers` steps share the cost. */
  readKept(numbers: number, readers = 1, isEmbedding = false): number {
    const bytes = isEmbedding ? this.embeddingBytes : floatBytes;
    return (this.candidates * numbers * bytes) / this.rates.memoryBytesPerNs / readers;
  }

  /** Gating that many numbers for every candidate. */
  gate(numbers: number): number {
    return (this.candidates * numbers * floatBytes) / this.rates.cacheBytesPerNs;
  }

  /** Σ_f g_f · P_f for every candidate, of a request's projections, made first. */
  gatedSumOfRequest(width: number, fields: number, units: number): number {
    const packing = (fields * units * floatBytes) / this.rates.cacheBytesPerNs;
    return this.productOnce(width, units) + packing + this.product(fields, units);
  }

  /** The same of kept projections. */
  gatedSumOfKept(fields: number, units: number): number {
    if (fields * units * floatBytes > this.recordBytesMax) return Number.POSITIVE_INFINITY;
    return this.readKept(fields * units) + this.candidates * this.productOnce(fields, units);
  }
}
