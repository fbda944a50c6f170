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
  private readonly variantsPerCandidate: number;
  private readonly embeddingBytes: number;
  private readonly keeps: boolean;
  private readonly recordBytesMax: number;

  constructor(options: PlanOptions) {
    const { rates, candidates = 500, variantsPerCandidate = 1, numberBytes = floatBytes } = options;
    this.rates = rates;
    this.candidates = candidates;
    this.variantsPerCandidate = variantsPerCandidate;
    this.embeddingBytes = numberBytes;
    this.keeps = options.keeps ?? true;
    this.recordBytesMax = options.recordBytesMax ?? Number.POSITIVE_INFINITY;
  }

  /** How often values of a scope are computed: once a request or with what is kept, once a candidate, once a creative of each. */
  private frequency(scope: Scope): 'seldom' | 'candidates' | 'variants' {
    const isAds = !scopeIncludes(scope, 'request');
    if (scope === 'request' || (this.keeps && isAds)) return 'seldom';
    const isCreatives = scopeIncludes(scope, 'creative');
    return isCreatives && this.variantsPerCandidate > 1 ? 'variants' : 'candidates';
  }

  /** Whether values of a scope are computed less often than once a candidate. */
  isSeldom(scope: Scope): boolean {
    return this.frequency(scope) === 'seldom';
  }

  /** Whether values of a scope are computed less often than those of another, which are computed with each request. */
  isNarrower(scope: Scope, than: Scope): boolean {
    const [inner, outer] = [this.frequency(scope), this.frequency(than)];
    return outer !== 'seldom' && inner !== outer && inner !== 'variants';
  }

  /** Rows of a scope in a request. */
  private rows(scope: Scope): number {
    return this.candidates * (this.frequency(scope) === 'variants' ? this.variantsPerCandidate : 1);
  }

  /** x · W for every row of a scope, W [k, units]. */
  product(k: number, units: number, scope: Scope): number {
    return (this.rows(scope) * tiled(k) * tiled(units)) / this.rates.matrixMultiplyAddsPerNs;
  }

  /** x · W once. */
  productOnce(k: number, units: number): number {
    return (k * units) / this.rates.vectorMultiplyAddsPerNs;
  }

  /**
   * Numbers of what is kept, for every ad or creative of a request, when `readers` steps share the cost.
   *
   * @param scope of what is kept
   */
  readKept(numbers: number, scope: Scope, readers = 1, isEmbedding = false): number {
    const bytes = isEmbedding ? this.embeddingBytes : floatBytes;
    const rows = this.candidates * (scope === 'creative' ? this.variantsPerCandidate : 1);
    return (rows * numbers * bytes) / this.rates.memoryBytesPerNs / readers;
  }

  /** Numbers made for a candidate, for every row of a wider scope. */
  readMade(numbers: number, scope: Scope): number {
    return (this.rows(scope) * numbers * floatBytes) / this.rates.cacheBytesPerNs;
  }

  /** Gating that many numbers for every row of a scope. */
  gate(numbers: number, scope: Scope): number {
    return (this.rows(scope) * numbers * floatBytes) / this.rates.cacheBytesPerNs;
  }

  /** Σ_f g_f · P_f for every row of a scope, of a request's projections, made first. */
  gatedSumOfRequest(width: number, fields: number, units: number, scope: Scope): number {
    const packing = (fields * units * floatBytes) / this.rates.cacheBytesPerNs;
    return this.productOnce(width, units) + packing + this.product(fields, units, scope);
  }

  /** The same of kept projections. @param kept their scope */
  gatedSumOfKept(fields: number, units: number, kept: Scope, scope: Scope): number {
    if (fields * units * floatBytes > this.recordBytesMax) return Number.POSITIVE_INFINITY;
    return this.readKept(fields * units, kept) + this.rows(scope) * this.productOnce(fields, units);
  }
}
