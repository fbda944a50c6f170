import { assert } from '../src/core/errors.ts';
import type { EncodedColumn } from '../src/schema/encoded.ts';
import { listOf, type SequencePlan } from '../src/scoring/gatherSequence.ts';
import type { TrainedTable } from './embeddings.ts';

/**
 * Hands the gradient of a gathered sequence back to the rows it was gathered from.
 *
 * @param gradient [rows, plan.width]
 */
export function scatterSequence(
  plan: SequencePlan,
  fields: ReadonlyMap<string, EncodedColumn>,
  rows: number,
  gradient: Float32Array,
  tables: ReadonlyMap<string, TrainedTable>,
): void {
  for (const { field, table: name, offset } of plan.fields) {
    const table = tables.get(name);
    assert(table !== undefined, `scatterSequence: table '${name}'`);
    const { offsets, ids } = listOf(fields, field, rows);
    for (let row = 0, from = offset; row < rows; row++, from += plan.width) {
      const begin = offsets[row];
      table.addAll(ids, gradient, from, plan.size, begin, Math.min(offsets[row + 1], begin + plan.length));
    }
  }
}
