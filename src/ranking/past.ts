import { assert } from '../core/errors.ts';
import { createHistory } from '../history/createHistory.ts';
import { createHistoryPlan, type HistoryPlan } from '../history/historyPlan.ts';
import type { Bundle } from '../model/bundle.ts';
import type { Encoder } from '../schema/encoder.ts';
import { fieldNames } from '../scoring/input.ts';
import { EventReader } from './eventRows.ts';
import type { FieldPlan } from './fieldPlan.ts';
import { HistoryFields, type HistoryView } from './historyFields.ts';
import type { RankerOptions } from './ranker.ts';

/** What ranking needs of history, where the model's schema has any. */
export interface Past {
  /** What is held. */
  readonly history: HistoryView;
  readonly fields: HistoryFields;
  readonly events: EventReader;
  /** What a request tells of its user, over what is held of ads. @throws UserError that names what is wrong with each event */
  told(
    events: readonly unknown[],
    user: Record<string, unknown>,
    context: Record<string, unknown>,
    nowMs: number,
  ): HistoryView;
}

export function createPast(
  { typed, fitted }: Bundle,
  fields: FieldPlan,
  encoder: Encoder,
  options: RankerOptions,
): Past | undefined {
  const plan = createHistoryPlan(typed.schema);
  if (plan === undefined) return undefined;
  const { history = emptyHistory(plan), catalog } = options;
  assert(history.plan.hash === plan.hash, 'the history is of another plan than the model');
  const reader = new EventReader(plan, fields, typed.schema, fitted, catalog);
  return {
    history,
    fields: new HistoryFields(plan, encoder, new Set(fieldNames(typed))),
    events: reader,
    told(events, user, context, nowMs) {
      const rows = reader.readHistory(events, user, context, nowMs);
      const told = history.overlay();
      for (let row = 0; row < rows.rowCount; row++) told.add(rows, row);
      told.advance(nowMs);
      return told;
    },
  };
}

/** That of the beginning of time: nothing has happened whenever it is read. */
function emptyHistory(plan: HistoryPlan): HistoryView {
  const history = createHistory(plan);
  const readRow: HistoryView['readRow'] = (keys, row, nowMs, out, to) => {
    if (nowMs > history.watermarkMs) history.advance(nowMs);
    history.readRow(keys, row, nowMs, out, to);
  };
  return { plan, watermarkMs: 0, readRow, overlay: () => createHistory(plan) };
}
