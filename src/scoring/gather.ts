import { assert } from '../core/errors.ts';
import { touchedRows, touchRows } from '../core/touch.ts';
import { tableWeight } from '../model/bundle.ts';
import type { TypedModel } from '../model/checkModel.ts';
import type { Tensor } from '../model/safetensors.ts';
import type { StepOf } from '../model/steps.ts';
import type { EncodedColumn, EncodedDense } from '../schema/encoded.ts';
import { missingId } from '../schema/fields.ts';
import { rowsIn } from './input.ts';

/** Where one field of an embed step comes from and goes to. */
export interface GatheredField {
  readonly field: string;
  readonly table: string;
  /** The table, [rows, size], row-major. */
  readonly values: Float32Array;
  readonly size: number;
  /** Where in an output row the field begins. */
  readonly offset: number;
}

export interface EmbedPlan {
  readonly fields: readonly GatheredField[];
  /** Numbers in an output row: the sum of the sizes. */
  readonly width: number;
}

/** Binds an embed step to its tables, or several steps to one output in which they lie side by side. */
export function planEmbed(
  steps: StepOf<'embed'> | readonly StepOf<'embed'>[],
  typed: TypedModel,
  weights: ReadonlyMap<string, Tensor<Float32Array>>,
): EmbedPlan {
  let width = 0;
  const fields = [steps].flat().flatMap((step) =>
    step.inputs.map((field, i) => {
      const table = step.tables[i];
      const spec = typed.tables.get(table);
      const tensor = weights.get(tableWeight(table));
      assert(spec !== undefined && tensor !== undefined, `no table '${table}'`);
      const offset = width;
      width += spec.size;
      return { field, table, values: tensor.values, size: spec.size, offset };
    }),
  );
  return { fields, width };
}

/**
 * What can be gathered at once where all values have the same rows, as in training: the embed steps of a stack, straight into the
 * stack's value, and each embed step that anything else reads.
 */
export function gatherGroups({ model }: TypedModel): { output: string; steps: StepOf<'embed'>[] }[] {
  const embeds = new Map(model.steps.flatMap((step) => (step.op === 'embed' ? [[step.output, step] as const] : [])));
  const groups: { output: string; steps: StepOf<'embed'>[] }[] = [];
  const stacked = new Set<string>();
  const readOtherwise = new Set(model.tasks.flatMap((task) => task.logits));
  for (const { op, inputs, output } of model.steps) {
    const whole = op === 'stack' && inputs.every((name) => embeds.has(name));
    if (whole) groups.push({ output, steps: inputs.map((name) => embeds.get(name) as StepOf<'embed'>) });
    for (const name of inputs) (whole ? stacked : readOtherwise).add(name);
  }
  const alone = [...embeds.values()].filter(({ output }) => !stacked.has(output) || readOtherwise.has(output));
  return [...groups, ...alone.map((step) => ({ output: step.output, steps: [step] }))];
}

/**
 * Looks the fields of an embed step up and lays them side by side; lists are averaged or added, an empty list is the
 * missing row, and a column of one row counts for all.
 *
 * @param fields columns whose ids are known to lie inside their tables (see `createInputCheck`)
 * @param out [rows, plan.width], written in full
 */
export function gather(
  plan: EmbedPlan,
  fields: ReadonlyMap<string, EncodedColumn>,
  rows: number,
  out: Float32Array,
): void {
  assert(out.length >= rows * plan.width, `gather: ${out.length} numbers for ${rows} × ${plan.width}`);
  for (const part of plan.fields) {
    const column = fields.get(part.field);
    assert(column !== undefined && column.kind !== 'dense', `gather: no ids for '${part.field}'`);
    const given = rowsIn(column);
    if (column.kind === 'id') gatherIds(part, column.ids, Math.min(given, rows), out, plan.width);
    else
      gatherLists(part, column.offsets, column.ids, column.pooling === 'mean', Math.min(given, rows), out, plan.width);
    if (given === 1) repeatFirstRow(out, rows, plan.width, part.offset, part.size);
  }
}

/*
 * Field by field, and four numbers a turn: of the ways tried (row by row, `set` of a `subarray`, a plain loop) this was
 * the fastest, and `set` took two and a half times as long.
 */
function gatherIds(part: GatheredField, ids: Int32Array, rows: number, out: Float32Array, width: number): void {
  const { values, size, offset } = part;
  for (let first = 0; first < rows; first += touchedRows) {
    const last = Math.min(first + touchedRows, rows);
    touchRows(values, size, ids, first, last);
    for (let row = first, to = offset + first * width; row < last; row++, to += width) {
      const from = ids[row] * size;
      let d = 0;
      for (; d + 4 <= size; d += 4) {
        out[to + d] = values[from + d];
        out[to + d + 1] = values[from + d + 1];
        out[to + d + 2] = values[from + d + 2];
        out[to + d + 3] = values[from + d + 3];
      }
      for (; d < size; d++) out[to + d] = values[from + d];
    }
  }
}

function gatherLists(
  part: GatheredField,
  offsets: Int32Array,
  ids: Int32Array,
  mean: boolean,
  rows: number,
  out: Float32Array,
  width: number,
): void {
  const { values, size, offset } = part;
  for (let row = 0, to = offset; row < rows; row++, to += width) {
    const begin = offsets[row];
    const end = offsets[row + 1];
    const first = (begin < end ? ids[begin] : missingId) * size;
    for (let d = 0; d < size; d++) out[to + d] = values[first + d];
    if (end - begin < 2) continue;
    for (let i = begin + 1; i < end; i++) {
      const from = ids[i] * size;
      for (let d = 0; d < size; d++) out[to + d] += values[from + d];
    }
    if (!mean) continue;
    const share = 1 / (end - begin);
    for (let d = 0; d < size; d++) out[to + d] *= share;
  }
}

function repeatFirstRow(out: Float32Array, rows: number, width: number, offset: number, size: number): void {
  for (let row = 1, to = offset + width; row < rows; row++, to += width) {
    for (let d = 0; d < size; d++) out[to + d] = out[offset + d];
  }
}

/**
 * Lays dense fields side by side.
 *
 * @param columns of `rows` rows, or one that counts for all
 * @param out [rows, Σ widths], written in full
 */
export function gatherDense(columns: readonly EncodedDense[], rows: number, out: Float32Array): void {
  const width = columns.reduce((sum, column) => sum + column.width, 0);
  let offset = 0;
  for (const { values, width: size } of columns) {
    const stride = values.length === size ? 0 : size;
    for (let row = 0; row < rows; row++) {
      for (let d = 0; d < size; d++) out[row * width + offset + d] = values[row * stride + d];
    }
    offset += size;
  }
}

/** How many rows a value made of these fields has: one where all of them have one. */
export function rowsOfFields(fields: ReadonlyMap<string, EncodedColumn>, names: readonly string[]): number {
  for (const name of names) {
    const column = fields.get(name);
    assert(column !== undefined, `no field '${name}'`);
    const rows = rowsIn(column);
    if (rows !== 1) return rows;
  }
  return 1;
}
