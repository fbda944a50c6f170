import { type Scope, scopeIncludes } from '../../schema/scopes.ts';

/** Bytes of a number as tables and values hold it. */
export const floatBytes = 4;

/**
 * What is done for one row. Multiply-adds: one for each product that is added to a sum, and one for each product or
 * addition that stands alone; copies, gathers and activations count nothing. Bytes: of tables' rows, and of the inputs
 * that each row has its own of; what all rows share, the request's values and weights, lies in the caches and counts
 * for the request's own steps alone.
 */
export interface Cost {
  readonly multiplyAdds: number;
  readonly bytes: number;
}

/** What a step costs, once a row of its scope: once a request, an ad, a candidate, … . */
export interface StepCost extends Cost {
  readonly output: string;
  readonly scope: Scope;
}

/** What all steps of each scope cost, for one row of it. */
export function costsByScope(costs: readonly StepCost[]): Map<Scope, Cost> {
  const sums = new Map<Scope, Cost>();
  for (const { scope, multiplyAdds, bytes } of costs) {
    const sum = sums.get(scope) ?? { multiplyAdds: 0, bytes: 0 };
    sums.set(scope, { multiplyAdds: sum.multiplyAdds + multiplyAdds, bytes: sum.bytes + bytes });
  }
  return sums;
}

/** What a request asks for. */
export interface RequestSize {
  /** Ads, or creatives of ads where `variantsPerCandidate` is absent. */
  readonly candidates: number;
  /** Creatives of each. */
  readonly variantsPerCandidate?: number;
  /** Whether what depends on an ad or a creative alone is there from earlier requests. */
  readonly adsKept: boolean;
}

/** What a request costs. */
export function costOfRequest(costs: readonly StepCost[], size: RequestSize): Cost {
  const { candidates, variantsPerCandidate = 1, adsKept } = size;
  let multiplyAdds = 0;
  let bytes = 0;
  for (const step of costs) {
    const isKept = adsKept && !scopeIncludes(step.scope, 'request');
    const perCandidate = scopeIncludes(step.scope, 'creative') ? variantsPerCandidate : 1;
    const rows = step.scope === 'request' ? 1 : isKept ? 0 : candidates * perCandidate;
    multiplyAdds += rows * step.multiplyAdds;
    bytes += rows * step.bytes;
  }
  return { multiplyAdds, bytes };
}
