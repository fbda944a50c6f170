import { denseGroups, halfOf } from '../src/evaluation/groups.ts';
import { evaluateTask, type TaskMetrics, type TaskRows } from '../src/evaluation/metrics.ts';
import { type SliceMetrics, sliceMetrics } from '../src/evaluation/slices.ts';
import type { TypedModel } from '../src/model/checkModel.ts';
import type { ColumnBatch } from '../src/schema/columns.ts';
import type { EncodedIds } from '../src/schema/encoded.ts';
import { columnOf } from '../src/schema/fields.ts';
import { columnToJson } from '../src/schema/jsonColumns.ts';
import type { Schema } from '../src/schema/schema.ts';
import type { EncodedChunk } from './dataset/encodedStore.ts';

/** Predictions and what they are judged by; one array a column, in the order of the rows. */
export interface EvaluationRows {
  readonly rowCount: number;
  /** By task. */
  readonly probabilities: ReadonlyMap<string, Float64Array>;
  readonly labels: ReadonlyMap<string, Float32Array>;
  readonly truths: ReadonlyMap<string, Float32Array>;
  readonly weights?: Float32Array;
  /** The user's 64-bit key, two halves a row; the row's number where the schema names no user. */
  readonly users: Int32Array;
  readonly hasUsers: boolean;
  /** By field: an id a row. */
  readonly slices: ReadonlyMap<string, Int32Array>;
}

/** The label a task is judged by. */
export function labelOfTask(typed: TypedModel, task: string): string {
  return typed.model.losses.find((loss) => loss.task === task)?.label ?? task;
}

/** Gathers chunks and their predictions into columns. */
export class RowCollector {
  private readonly typed: TypedModel;
  private readonly chunks: EncodedChunk[] = [];
  private readonly predictions: ReadonlyMap<string, Float64Array>[] = [];
  private rowCount = 0;

  constructor(typed: TypedModel) {
    this.typed = typed;
  }

  /** @param predictions by task; kept, so they must not change */
  add(chunk: EncodedChunk, predictions: ReadonlyMap<string, Float64Array>): void {
    // Of the fields only those to slice by are kept.
    const kept = new Set(this.typed.schema.slices ?? []);
    this.chunks.push({ ...chunk, fields: new Map([...chunk.fields].filter(([name]) => kept.has(name))) });
    this.predictions.push(predictions);
    this.rowCount += chunk.rowCount;
  }

  finish(): EvaluationRows {
    const { rowCount, chunks } = this;
    const join = <T extends Float32Array | Float64Array | Int32Array>(
      out: T,
      part: (chunk: EncodedChunk, i: number) => T,
    ): T => {
      let at = 0;
      chunks.forEach((chunk, i) => {
        const values = part(chunk, i);
        out.set(values, at);
        at += values.length;
      });
      return out;
    };
    const { tasks } = this.typed.model;
    const labels = new Map<string, Float32Array>();
    const truths = new Map<string, Float32Array>();
    for (const { name } of tasks) {
      const label = labelOfTask(this.typed, name);
      if (chunks.every((chunk) => chunk.labels.has(label))) {
        labels.set(
          name,
          join(new Float32Array(rowCount), (chunk) => chunk.labels.get(label) as Float32Array),
        );
      }
      if (chunks.every((chunk) => chunk.truths.has(label))) {
        truths.set(
          name,
          join(new Float32Array(rowCount), (chunk) => chunk.truths.get(label) as Float32Array),
        );
      }
    }
    const hasUsers = chunks.every((chunk) => chunk.users !== undefined);
    const users = hasUsers
      ? join(new Int32Array(rowCount * 2), (chunk) => chunk.users as Int32Array)
      : Int32Array.from({ length: rowCount * 2 }, (_, i) => (i % 2 === 0 ? i / 2 : 0));
    return {
      rowCount,
      probabilities: new Map(
        tasks.map(({ name }) => [
          name,
          join(new Float64Array(rowCount), (_, i) => this.predictions[i].get(name) as Float64Array),
        ]),
      ),
      labels,
      truths,
      weights: chunks.some((chunk) => chunk.weights === undefined)
        ? undefined
        : join(new Float32Array(rowCount), (chunk) => chunk.weights as Float32Array),
      users,
      hasUsers,
      slices: new Map(
        (this.typed.schema.slices ?? []).map((name) => [
          name,
          join(new Int32Array(rowCount), (chunk) => (chunk.fields.get(name) as EncodedIds).ids),
        ]),
      ),
    };
  }
}

/** One task's rows in the form the metrics take. */
export function taskRows(
  rows: EvaluationRows,
  task: string,
  groups: Int32Array | undefined,
  probabilities = rows.probabilities.get(task),
): TaskRows {
  return {
    probabilities: probabilities as Float64Array,
    labels: rows.labels.get(task) as Float32Array,
    groups,
    weights: rows.weights,
  };
}

/** The rows of a choice, in order. */
export function pickRows(rows: EvaluationRows, chosen: Int32Array): EvaluationRows {
  const pick = <T extends Float32Array | Float64Array | Int32Array>(from: T): T => {
    const out = new (from.constructor as new (length: number) => T)(chosen.length);
    for (let i = 0; i < chosen.length; i++) out[i] = from[chosen[i]];
    return out;
  };
  const each = <T extends Float32Array | Float64Array | Int32Array>(columns: ReadonlyMap<string, T>) =>
    new Map([...columns].map(([name, values]) => [name, pick(values)]));
  const users = new Int32Array(chosen.length * 2);
  for (let i = 0; i < chosen.length; i++) {
    users[2 * i] = rows.users[2 * chosen[i]];
    users[2 * i + 1] = rows.users[2 * chosen[i] + 1];
  }
  return {
    rowCount: chosen.length,
    probabilities: each(rows.probabilities),
    labels: each(rows.labels),
    truths: each(rows.truths),
    weights: rows.weights && pick(rows.weights),
    users,
    hasUsers: rows.hasUsers,
    slices: each(rows.slices),
  };
}

/** Halves of the users: calibration is fitted on the first and reported on the second. */
export function halves(rows: EvaluationRows): [Int32Array, Int32Array] {
  const sides: [number[], number[]] = [[], []];
  for (let row = 0; row < rows.rowCount; row++) sides[halfOf(rows.users[2 * row], rows.users[2 * row + 1])].push(row);
  return [Int32Array.from(sides[0]), Int32Array.from(sides[1])];
}

/** A group a user, for GAUC; none where the schema names no user. */
export function groupsOf(rows: EvaluationRows): Int32Array | undefined {
  if (!rows.hasUsers) return undefined;
  const lo = new Int32Array(rows.rowCount);
  const hi = new Int32Array(rows.rowCount);
  for (let row = 0; row < rows.rowCount; row++) {
    lo[row] = rows.users[2 * row];
    hi[row] = rows.users[2 * row + 1];
  }
  return denseGroups(lo, hi);
}

/** Every task's metrics; tasks whose label the data lacks are left out. */
export function metricsOf(
  rows: EvaluationRows,
  probabilities: ReadonlyMap<string, Float64Array> = rows.probabilities,
): Map<string, TaskMetrics> {
  const groups = groupsOf(rows);
  return new Map(
    [...rows.labels.keys()].map((task) => [task, evaluateTask(taskRows(rows, task, groups, probabilities.get(task)))]),
  );
}

/** By field, then task. */
export function slicesOf(
  rows: EvaluationRows,
  names: SliceNames,
  probabilities: ReadonlyMap<string, Float64Array>,
): Map<string, Map<string, SliceMetrics[]>> {
  const groups = groupsOf(rows);
  return new Map(
    [...rows.slices].map(([field, index]) => [
      field,
      new Map(
        [...rows.labels.keys()].map((task) => [
          task,
          sliceMetrics(taskRows(rows, task, groups, probabilities.get(task)), index, names.of(field)),
        ]),
      ),
    ]),
  );
}

/** The values behind the ids of the sliced fields, as people know them. */
export class SliceNames {
  private readonly names = new Map<string, string[]>();
  private readonly schema: Schema;

  constructor(schema: Schema) {
    this.schema = schema;
    for (const field of schema.slices ?? []) this.names.set(field, ['(missing)', '(other values)']);
  }

  /** Learns the names a batch shows. */
  observe(batch: ColumnBatch, chunk: EncodedChunk): void {
    for (const [name, names] of this.names) {
      const field = this.schema.fields.find((candidate) => candidate.name === name);
      const column = field === undefined ? undefined : batch.columns.get(columnOf(field));
      const encoded = chunk.fields.get(name);
      if (column === undefined || encoded?.kind !== 'id') continue;
      for (let row = 0; row < batch.rowCount; row++) {
        const id = encoded.ids[row];
        if (names[id] === undefined) names[id] = String(columnToJson(column, [row])[0]);
      }
    }
  }

  of(field: string): readonly string[] {
    return this.names.get(field) ?? [];
  }
}
