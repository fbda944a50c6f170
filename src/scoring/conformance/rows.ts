import { pickRows } from '../candidates.ts';
import { rowsIn } from '../input.ts';
import type { ScoringInput } from '../scorer.ts';

/** The same rows with no column left of one row alone. */
export function repeatRows({ rowCount, fields }: ScoringInput): ScoringInput {
  const all = Array.from({ length: rowCount }, () => 0);
  const repeated = [...fields].map(([name, column]) => {
    const rows = rowsIn(column);
    return [name, rows === 1 ? pickRows(column, all) : column] as const;
  });
  return { rowCount, fields: new Map(repeated) };
}

/** One row by itself. */
export function oneRow({ fields }: ScoringInput, row: number): ScoringInput {
  return { rowCount: 1, fields: new Map([...fields].map(([name, column]) => [name, pickRows(column, [row])])) };
}
