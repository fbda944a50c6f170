import { describe, expect, it } from 'vitest';
import { joinAll, joinScopes, scopeIncludes, scopes } from './scopes.ts';

describe('scopes', () => {
  it('join as the design has it', () => {
    expect(joinScopes('ad', 'request')).toBe('candidate');
    expect(joinScopes('candidate', 'creative')).toBe('variant');
    expect(joinScopes('creative', 'ad')).toBe('creative');
    expect(joinScopes('creative', 'request')).toBe('variant');
    expect(joinAll([])).toBe('request');
  });

  it('join in any order and grouping, with themselves to themselves', () => {
    for (const a of scopes) {
      expect(joinScopes(a, a)).toBe(a);
      for (const b of scopes) {
        expect(joinScopes(a, b)).toBe(joinScopes(b, a));
        for (const c of scopes) {
          expect(joinScopes(joinScopes(a, b), c)).toBe(joinScopes(a, joinScopes(b, c)));
          expect(joinAll([a, b, c])).toBe(joinScopes(joinScopes(a, b), c));
        }
      }
    }
  });

  it('include what their join adds nothing to', () => {
    for (const a of scopes) for (const b of scopes) expect(scopeIncludes(a, b)).toBe(joinScopes(a, b) === a);
  });
});
