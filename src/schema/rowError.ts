import { UserError } from '../core/errors.ts';
import type { ColumnBatch } from './columns.ts';

/** A wrong value in a row of a batch; `placed` says which row of which file that is. */
export class RowError extends UserError {
  private readonly before: string;
  private readonly row: number;
  private readonly after: string;

  /**
   * @param before who, what was expected and what was got
   * @param row    of the batch, from 0
   * @param after  what to do next
   * @param file   where the row is counted in a file
   */
  constructor(before: string, row: number, after: string, file?: string) {
    super(`${before} in row ${row}${file === undefined ? '' : ` of ${file}`}; ${after}`);
    this.before = before;
    this.row = row;
    this.after = after;
  }

  /** The same error, its row counted from the beginning of its file. */
  in({ origin }: ColumnBatch): RowError {
    if (origin === undefined) return this;
    const row = origin.firstRow + (origin.rows?.[this.row] ?? this.row);
    return new RowError(this.before, row, this.after, origin.file);
  }
}

/** Does some work on a batch; a wrong value it finds is told by file and row. */
export function placed<T>(batch: ColumnBatch, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof RowError ? error.in(batch) : error;
  }
}
