import { UserError } from '../core/errors.ts';
import type { Reducer } from './createHistory.ts';

/** Adds another state to one. */
export function mergeReducers(into: Reducer, other: Reducer): void {
  if (into.plan.hash !== other.plan.hash)
    throw new UserError('history: a state of another schema cannot be merged; make both with one schema');
}
