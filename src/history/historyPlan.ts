import type { CounterField, IdField, SequenceField } from '../schema/schema.ts';

/** What a schema asks of history, with all names resolved. `createHistoryPlan(schema)` makes it; undefined for a schema without history. */
export interface HistoryPlan {
  /** The fields whose values an event carries: every key, prior, place and item, each once. */
  readonly keyFields: readonly IdField[];
  /** What comes of an impression, in the order of `EventRows.values`: the labels that are used, then the numbers. */
  readonly values: readonly HistoryValue[];
  readonly counters: readonly CounterField[];
  readonly sequences: readonly SequenceField[];
  /** Of all that shapes the state: a state serves any schema whose plan has the same. */
  readonly hash: string;
}

export interface HistoryValue {
  readonly name: string;
  readonly kind: 'label' | 'number';
  readonly column: string;
  readonly delayMs: number;
}
