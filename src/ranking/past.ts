import { UserError } from '../core/errors.ts';
import { createHistory } from '../history/createHistory.ts';
import type { EventRows, History } from '../history/history.ts';
import { createHistoryPlan, type HistoryPlan } from '../history/historyPlan.ts';
import type { Bundle } from '../model/bundle.ts';
import type { Encoder } from '../schema/encoder.ts';
import type { RankBody } from './body.ts';
import { EventReader } from './eventRows.ts';
import type { FieldPlan } from './fieldPlan.ts';
import { type CatalogKeys, HistoryFields } from './historyFields.ts';
import type { RankerOptions } from './ranker.ts';

/** What ranking needs of history, where the model's schema has any. */
export interface Past {
  /** What is held. */
  readonly history: History;
  readonly fields: HistoryFields;
  readonly events: EventReader;
  /** What a request tells of its user, if it does. @throws UserError that names what is wrong with each event */
  told(body: RankBody): EventRows | undefined;
  /** What is held, at a time; of the request's user what was told by then, where anything was. */
  at(nowMs: number, told?: EventRows): History;
}

/** @param catalog raw keys of its fields */
export function createPast(
  { typed, fitted }: Bundle,
  fields: FieldPlan,
  encoder: Encoder,
  options: RankerOptions,
  catalog?: CatalogKeys,
): Past | undefined {
  const plan = createHistoryPlan(typed.schema);
  if (plan === undefined) return undefined;
  const history = options.history ?? createHistory(plan);
  checkPlan(history.plan, plan);
  const events = new EventReader(plan, fields, typed.schema, fitted, options);
  return {
    history,
    fields: new HistoryFields(history, encoder, fields.direct, catalog),
    events,
    told: ({ history: given, user, context }) => given && events.readHistory(given, user, context),
    at(nowMs, told) {
      // Of none's own: it is nobody else's to advance.
      if (options.history === undefined && nowMs > history.watermarkMs) history.advance(nowMs);
      if (told === undefined) return history;
      const overlay = history.overlay();
      // In order of arrival: what comes later has not been seen yet.
      for (let row = 0; row < told.rowCount && arrivalOf(told, row) < nowMs; row++) overlay.add(told, row);
      overlay.advance(nowMs);
      return overlay;
    },
  };
}

const arrivalOf = ({ eventMs, arrivedMs = eventMs }: EventRows, row: number) => arrivedMs[row];

/** A plan's hash is of how its state is laid out; names, priors, strengths and limits are read from the history's own plan. */
function checkPlan(held: HistoryPlan, needed: HistoryPlan): void {
  const asked = ({ hash, counters, sequences, limits }: HistoryPlan) =>
    JSON.stringify([hash, counters, sequences, limits]);
  if (asked(held) === asked(needed)) return;
  const next =
    held.hash === needed.hash
      ? "bind its state to the model's schema: loadHistory(createHistoryPlan(bundle.typed.schema), saveHistory(history))"
      : "make one with the model's schema";
  throw new UserError(`history: is of a schema whose sequences and counters are not those of the model; ${next}`);
}
