import type { EncodedColumn } from '../schema/encoded.ts';
import { rowsIn } from './input.ts';
import type { Scorer, Scores, ScoringInput } from './scorer.ts';

/**
 * Rows an engine is given at a time where it does not say. Whatever it holds for a row, it holds for no more than these: in TensorFlow.js 100,000
 * candidates at once took 1.2 GB, in blocks a quarter of that and less time.
 */
export const blockRows = 2048;

/** Scores a request of any size; up to a block is passed on as it is. Creatives of a candidate stay together where a block has room for them. */
export function scoreInBlocks(scorer: Scorer, input: ScoringInput, block = scorer.rowsAtOnce ?? blockRows): Scores {
  const { rowCount } = input;
  if (rowCount <= block) return scorer.score(input);
  const all = new Map<string, Float32Array>();
  for (let from = 0, to: number; from < rowCount; from = to) {
    to = endOfBlock(input, from, block);
    for (const [task, p] of scorer.score(rowRange(input, from, to))) {
      let joined = all.get(task);
      if (joined === undefined) all.set(task, (joined = new Float32Array(rowCount)));
      joined.set(p.subarray(0, to - from), from);
    }
  }
  return all;
}

function endOfBlock({ rowCount, candidates }: ScoringInput, from: number, block: number): number {
  const most = Math.min(from + block, rowCount);
  if (candidates === undefined || most === rowCount) return most;
  const { of } = candidates;
  let to = most;
  while (to > from && of[to] === of[to - 1]) to--;
  return to > from ? to : most;
}

/** Rows `from` to `to`, as views; a column of one row counts for all. */
export function rowRange(input: ScoringInput, from: number, to: number): ScoringInput {
  const { rowCount, fields, candidates } = input;
  const isOfRows = (column: EncodedColumn) => candidates === undefined || rowsIn(column) === rowCount;
  const [first, last] = candidates && from < to ? [candidates.of[from], candidates.of[to - 1] + 1] : [0, 0];
  const cut = (column: EncodedColumn) => (isOfRows(column) ? rowsOf(column, from, to) : rowsOf(column, first, last));
  return {
    rowCount: to - from,
    fields: new Map([...fields].map(([name, column]) => [name, cut(column)])),
    ...(candidates && {
      candidates: { count: last - first, of: candidates.of.subarray(from, to).map((of) => of - first) },
    }),
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
