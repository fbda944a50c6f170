/**
 * What a value depends on, and so how often it must be computed:
 * `request` once a request, `ad` once an ad, `creative` once a creative, `candidate` once a request × ad,
 * `variant` once a request × creative. A creative implies its ad.
 */
export type Scope = 'request' | 'ad' | 'creative' | 'candidate' | 'variant';

export const scopes: readonly Scope[] = ['request', 'ad', 'creative', 'candidate', 'variant'];

// As sets of {request, ad, creative}: one bit each; the join is their union.
const bits: Record<Scope, number> = { request: 1, ad: 2, creative: 6, candidate: 3, variant: 7 };

/** The narrowest scope that knows everything both do: `join(ad, request) = candidate`. */
export function joinScopes(a: Scope, b: Scope): Scope {
  const union = bits[a] | bits[b];
  for (const scope of scopes) if (bits[scope] === union) return scope;
  throw new Error(`internal error: no scope for ${a} and ${b}`);
}

/** The join of several; a value that depends on nothing is as cheap as a request's. */
export function joinAll(all: readonly Scope[]): Scope {
  return all.length === 0 ? 'request' : all.reduce(joinScopes);
}

/** Whether everything `inner` depends on is known at `outer`: an ad's value can be used for a candidate. */
export function scopeIncludes(outer: Scope, inner: Scope): boolean {
  return (bits[outer] | bits[inner]) === bits[outer];
}
