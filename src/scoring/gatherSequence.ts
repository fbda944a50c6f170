import { assert } from '../core/errors.ts';
import { touchRows } from '../core/touch.ts';
import { tableWeight } from '../model/bundle.ts';
import type { TypedModel } from '../model/checkModel.ts';
import type { Tensor } from '../model/safetensors.ts';
import type { StepOf } from '../model/steps.ts';
import type { EncodedColumn, EncodedLists } from '../schema/encoded.ts';
import type { GatheredField } from './gather.ts';
import { rowsIn } from './input.ts';

/** The lists of a sequence, event by event. */
export interface SequencePlan {
  /** One each list; `offset` is where in an event it begins. */
  readonly fields: readonly GatheredField[];
  /** Events at most. */
  readonly length: number;
  /** Numbers of an event: the sum of the sizes, and the 1. */
  readonly size: number;
  /** Numbers in an output row: length · size. */
  readonly width: number;
}

/** Binds an embedSequence step to its tables. */
export function planSequence(
  step: StepOf<'embedSequence'>,
  typed: TypedModel,
  weights: ReadonlyMap<string, Tensor<Float32Array>>,
): SequencePlan {
  let offset = 0;
  const fields = step.inputs.map((field, i) => {
    const table = step.tables[i];
    const spec = typed.tables.get(table);
    const tensor = weights.get(tableWeight(table));
    assert(spec !== undefined && tensor !== undefined, `no table '${table}'`);
    const part = { field, table, values: tensor.values, size: spec.size, offset };
    offset += spec.size;
    return part;
  });
  return { fields, length: step.length, size: offset + 1, width: step.length * (offset + 1) };
}

/**
 * Looks a sequence's lists up and lays each event's embeddings and a 1 side by side, zeros where there is no event.
 *
 * @param fields lists alike in their numbers of events, of `rows` rows, whose ids are known to lie inside their tables (see `createInputCheck`)
 * @param out [rows, plan.width], written in full
 */
export function gatherSequence(
  plan: SequencePlan,
  fields: ReadonlyMap<string, EncodedColumn>,
  rows: number,
  out: Float32Array,
): void {
  const { size, width, length } = plan;
  assert(out.length >= rows * width, `gatherSequence: ${out.length} numbers for ${rows} × ${width}`);
  for (const part of plan.fields) gatherEvents(part, listOf(fields, part.field, rows), rows, plan, out);
  const { offsets } = listOf(fields, plan.fields[0].field, rows);
  for (let row = 0; row < rows; row++) {
    const end = row * width + Math.min(offsets[row + 1] - offsets[row], length) * size;
    for (let at = row * width + size - 1; at < end; at += size) out[at] = 1;
    out.fill(0, end, (row + 1) * width);
  }
}

export function listOf(fields: ReadonlyMap<string, EncodedColumn>, name: string, rows: number): EncodedLists {
  const column = fields.get(name);
  assert(column?.kind === 'ids' && rowsIn(column) === rows, `no lists of '${name}' for ${rows} rows`);
  return column;
}

function gatherEvents(
  { values, size, offset }: GatheredField,
  { offsets, ids }: EncodedLists,
  rows: number,
  { size: stride, width, length }: SequencePlan,
  out: Float32Array,
): void {
  for (let row = 0; row < rows; row++) {
    const begin = offsets[row];
    const end = Math.min(offsets[row + 1], begin + length);
    touchRows(values, size, ids, begin, end);
    for (let i = begin, to = row * width + offset; i < end; i++, to += stride) {
      const from = ids[i] * size;
      for (let d = 0; d < size; d++) out[to + d] = values[from + d];
    }
  }
}
