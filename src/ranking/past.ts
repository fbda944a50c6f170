import { assert } from '../core/errors.ts';
import { createHistory } from '../history/createHistory.ts';
import type { History } from '../history/history.ts';
import { createHistoryPlan } from '../history/historyPlan.ts';
import type { Bundle } from '../model/bundle.ts';
import type { Encoder } from '../schema/encoder.ts';
import type { Keys } from '../schema/keys.ts';
import { fieldNames } from '../scoring/input.ts';
import { EventReader } from './eventRows.ts';
import type { FieldPlan } from './fieldPlan.ts';
import { HistoryFields } from './historyFields.ts';
import type { RankerOptions } from './ranker.ts';

/** What ranking needs of history, where the model's schema has any. */
export interface Past {
  /** What is held. */
  readonly history: History;
  readonly fields: HistoryFields;
  readonly events: EventReader;
  /** What is held, at a time. */
  at(nowMs: number): History;
  /** What a request tells of its user, over what is held of ads. @throws UserError that names what is wrong with each event */
  told(
    events: readonly unknown[],
    user: Record<string, unknown>,
    context: Record<string, unknown>,
    nowMs: number,
  ): History;
}

/** @param catalogKeys raw keys of the catalog's fields */
export function createPast(
  { typed, fitted }: Bundle,
  fields: FieldPlan,
  encoder: Encoder,
  options: RankerOptions,
  catalogKeys?: ReadonlyMap<string, Keys>,
): Past | undefined {
  const plan = createHistoryPlan(typed.schema);
  if (plan === undefined) return undefined;
  const history = options.history ?? createHistory(plan);
  assert(history.plan.hash === plan.hash, 'the history is of another plan than the model');
  const events = new EventReader(plan, fields, typed.schema, fitted, options.catalog);
  const at = (nowMs: number) => {
    // Of none's own: it is nobody else's to advance.
    if (options.history === undefined && nowMs > history.watermarkMs) history.advance(nowMs);
    return history;
  };
  return {
    history,
    fields: new HistoryFields(history, encoder, new Set(fieldNames(typed)), catalogKeys),
    events,
    at,
    told(given, user, context, nowMs) {
      const rows = events.readHistory(given, user, context, nowMs);
      const told = at(nowMs).overlay();
      for (let row = 0; row < rows.rowCount; row++) told.add(rows, row);
      told.advance(nowMs);
      return told;
    },
  };
}
