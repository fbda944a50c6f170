import { sigmoid } from '../../../core/numerics.ts';
import type { EncodedLists } from '../../../schema/encoded.ts';
import { rowsIn } from '../../input.ts';
import type { Table } from './embed.ts';
import { dense, softmax } from './layers.ts';
import { joinedRows, type Matrix, matrix, rowStart } from './matrix.ts';

/** Each event's embeddings and a 1 side by side, latest first; zeros where there is none: [length · size]. */
export function embedSequence(lists: readonly EncodedLists[], tables: readonly Table[], length: number): Matrix {
  const size = tables.reduce((sum, table) => sum + table.size, 1);
  const out = matrix(joinedRows(lists.map((list) => ({ rows: rowsIn(list) }))), length * size);
  let offset = 0;
  lists.forEach(({ offsets, ids }, i) => {
    const { values, size: width } = tables[i];
    for (let row = 0; row < out.rows; row++) {
      const count = offsets[row + 1] - offsets[row];
      for (let event = 0; event < Math.min(count, length); event++) {
        const to = row * out.width + event * size;
        const id = ids[offsets[row] + event];
        for (let d = 0; d < width; d++) out.values[to + offset + d] = values[id * width + d];
        out.values[to + size - 1] = 1;
      }
    }
    offset += width;
  });
  return out;
}

/** κ_i = Wᵀ·k_i for each event: [length · units]. @param w [size, units] */
export function projectSequence(events: Matrix, length: number, w: Float32Array): Matrix {
  const { rows, values, width } = events;
  const projected = dense({ rows: rows * length, width: width / length, values }, w, undefined, 'linear');
  return { rows, width: length * projected.width, values: projected.values };
}

/**
 * y = Σ_i a_i·k_i over the events that are there, a_i = softmax or σ of ⟨q, κ_i⟩ / √units; 0 without any.
 *
 * @param query [units] @param keys κ, [length · units] @param events k, [length · size], whose last number is 1 where there is one
 */
export function attend(
  query: Matrix,
  keys: Matrix,
  events: Matrix,
  length: number,
  weights: 'softmax' | 'sigmoid',
): Matrix {
  const units = query.width;
  const size = events.width / length;
  const out = matrix(joinedRows([query, keys, events]), size);
  for (let row = 0; row < out.rows; row++) {
    const from = rowStart(events, row);
    const there = eventsThere(events, row, length);
    const scores = there.map((i) => {
      let score = 0;
      for (let u = 0; u < units; u++)
        score += query.values[rowStart(query, row) + u] * keys.values[rowStart(keys, row) + i * units + u];
      return score / Math.sqrt(units);
    });
    const shares =
      weights === 'sigmoid'
        ? scores.map(sigmoid)
        : softmax({ rows: 1, width: scores.length, values: Float64Array.from(scores) }).values;
    there.forEach((i, n) => {
      for (let d = 0; d < size; d++) out.values[row * size + d] += shares[n] * events.values[from + i * size + d];
    });
  }
  return out;
}

/** mean: y = Σ_i k_i / n over the n events that are there; last: y = k_0. 0 without any. */
export function pool(events: Matrix, length: number, mode: 'mean' | 'last'): Matrix {
  const size = events.width / length;
  const out = matrix(events.rows, size);
  for (let row = 0; row < events.rows; row++) {
    const there = eventsThere(events, row, length);
    const taken = mode === 'mean' ? there : there.filter((i) => i === 0);
    for (const i of taken)
      for (let d = 0; d < size; d++)
        out.values[row * size + d] += events.values[rowStart(events, row) + i * size + d] / taken.length;
  }
  return out;
}

/** Positions whose last number says that there is an event. */
function eventsThere(events: Matrix, row: number, length: number): number[] {
  const size = events.width / length;
  const last = rowStart(events, row) + size - 1;
  return Array.from({ length }, (_, i) => i).filter((i) => events.values[last + i * size] > 0);
}
