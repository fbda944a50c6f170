import type { EncodedColumn } from '../schema/encoded.ts';
import { rowsIn } from './input.ts';
import type { Scorer, Scores, ScoringInput } from './scorer.ts';

/**
 * Rows an engine is given at a time. Whatever it holds for a row, it holds for no more than these: in TensorFlow.js 100,000
 * candidates at once took 1.2 GB, in blocks a quarter of that and less time.
 */
export const blockRows = 2048;

/** Scores a request of any size; up to a block is passed on as it is. */
export function scoreInBlocks(scorer: Scorer, input: ScoringInput, block = blockRows): Scores {
  const { rowCount } = input;
  if (rowCount <= block) return scorer.score(input);
  const all = new Map<string, Float32Array>();
  for (let from = 0; from < rowCount; from += block) {
    const to = Math.min(from + block, rowCount);
    for (const [task, p] of scorer.score(rowRange(input, from, to))) {
      let joined = all.get(task);
      if (joined === undefined) all.set(task, (joined = new Float32Array(rowCount)));
      joined.set(p.subarray(0, to - from), from);
    }
  }
  return all;
}

/** Rows `from` to `to`, as views; a column of one row counts for all. */
export function rowRange({ fields }: ScoringInput, from: number, to: number): ScoringInput {
  return {
    rowCount: to - from,
    fields: new Map([...fields].map(([name, column]) => [name, rowsOf(column, from, to)])),
  };
}

function rowsOf(column: EncodedColumn, from: number, to: number): EncodedColumn {
  if (rowsIn(column) === 1) return column;
  switch (column.kind) {
    case 'id':
      return { ...column, ids: column.ids.subarray(from, to) };
    case 'dense':
      return { ...column, values: column.values.subarray(from * column.width, to * column.width) };
    case 'ids': {
      const { offsets, ids } = column;
      const base = offsets[from];
      return {
        ...column,
        offsets: offsets.subarray(from, to + 1).map((at) => at - base),
        ids: ids.subarray(base, offsets[to]),
      };
    }
  }
}
