import { counterWidth } from '../schema/derivedFields.ts';
import type { HistoryRows } from './history.ts';
import type { HistoryPlan } from './historyPlan.ts';

/** Room for what a model sees of so many rows. */
export function createHistoryRows(plan: HistoryPlan, rowCount: number): HistoryRows {
  return {
    rowCount,
    counters: plan.counters.map((field) => new Float32Array(rowCount * counterWidth(field))),
    sequences: plan.sequences.map(({ length, items }) => ({
      counts: new Int32Array(rowCount),
      items: items.map(() => new Int32Array(rowCount * length * 2)),
      valid: items.map(() => new Uint8Array(rowCount * length)),
      actions: new Uint8Array(rowCount * length),
      gaps: new Uint8Array(rowCount * length),
    })),
  };
}
