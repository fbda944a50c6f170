import { UserError } from '../core/errors.ts';
import type { SequenceField } from '../schema/schema.ts';
import type { FamilyDraft, FamilyDrafts } from './familyPlan.ts';

/** Which of an event's items have a value is kept as bits beside those of its actions. */
const mostItems = 23;

/** A sequence with its names resolved. */
export interface SequencePlan {
  /** Index of the family of its key. */
  readonly family: number;
  readonly length: number;
  /** Indices of key fields. */
  readonly items: Int32Array;
  /** Indices of labels; -1 for none. */
  readonly where: number;
  readonly without: number;
  readonly actions: Int32Array;
  /** The stage at which an impression is listed, if it is at all. */
  readonly listStage: number;
  /** By value: its stage. */
  readonly stages: Int32Array;
}

/** Collects what a sequence needs; what it returns resolves it once the families are complete. */
export function draftSequence(field: SequenceField, drafts: FamilyDrafts): () => SequencePlan {
  if (field.items.length > mostItems)
    throw new UserError(
      `history: sequence '${field.name}' carries ${field.items.length} items, and ${mostItems} at most are kept; leave some out`,
    );
  const family: FamilyDraft = drafts.of([field.by]);
  const value = (name: string | undefined) => (name === undefined ? -1 : drafts.valueIndex(name));
  const [where, without] = [value(field.where), value(field.without)];
  return () => ({
    family: family.index,
    length: field.length,
    items: Int32Array.from(field.items, (name) => drafts.keyIndex(name)),
    where,
    without,
    actions: Int32Array.from(field.actions ?? [], (name) => value(name)),
    listStage: Math.max(0, where < 0 ? 0 : drafts.stages[where], without < 0 ? 0 : drafts.stages[without]),
    stages: Int32Array.from(drafts.stages),
  });
}
