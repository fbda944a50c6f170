import type { PendingEvents } from './pendingEvents.ts';
import type { SequenceStore } from './sequenceStore.ts';

/**
 * Takes a stage of an event into a sequence. An impression is listed once all that decides is known, with the actions known by then; later
 * ones are added to it. An outcome that comes after its impression's last stage lists it too, by what its own row says, or takes it
 * out where the sequence is of events without that label.
 */
export function listEvent(store: SequenceStore, slot: number, events: PendingEvents, at: number, stage: number): void {
  const { where, without, actions, listStage, stages } = store.plan;
  const first = at * events.valueCount;
  const { values } = events;
  const isOutcome = events.isOutcome[at] !== 0;
  let bits = 0;
  let isNew = false;
  for (let i = 0; i < actions.length; i++) {
    if (stages[actions[i]] > stage || values[first + actions[i]] !== 1) continue;
    bits |= 1 << i;
    if (stages[actions[i]] === stage) isNew = true;
  }
  const isExcluded = without >= 0 && values[first + without] === 1;
  if (stage === listStage && !isExcluded && (where < 0 ? !isOutcome : values[first + where] === 1)) {
    const entry = isOutcome ? store.find(slot, events, at) : -1;
    if (entry < 0) store.insert(slot, events, at, bits);
    else store.addActions(entry, bits);
    return;
  }
  if (isOutcome && isExcluded && stages[without] < stage) return;
  const isTakenOut = isOutcome && isExcluded && stages[without] === stage;
  if (!isTakenOut && (isOutcome ? bits === 0 : !isNew || stage < listStage)) return;
  const entry = store.find(slot, events, at);
  if (entry < 0) return;
  if (isTakenOut) store.takeOut(slot, entry);
  else store.addActions(entry, bits);
}
