import { createHistoryRows, historyTable } from '../../src/history/assemble.ts';
import type { HistoryRows } from '../../src/history/history.ts';
import type { HistoryPlan } from '../../src/history/historyPlan.ts';
import type { Column } from '../../src/schema/columns.ts';

/** Rows of a block: no array grows with the table. */
const blockRows = 65_536;

/**
 * What a plan computes for every row of a table, in memory: of a row 4 bytes a counter's number, and of each sequence 2 bytes and 9 a carried
 * field an event of its length.
 */
export class HistoryBlocks {
  private readonly plan: HistoryPlan;
  private readonly rowCount: number;
  private readonly blocks: HistoryRows[] = [];

  constructor(plan: HistoryPlan, rowCount: number) {
    this.plan = plan;
    this.rowCount = rowCount;
  }

  /** The block that holds a row, in which it is row `rowIn(row)`. */
  blockOf(row: number): HistoryRows {
    const index = Math.floor(row / blockRows);
    this.blocks[index] ??= createHistoryRows(this.plan, Math.min(blockRows, this.rowCount - index * blockRows));
    return this.blocks[index];
  }

  rowIn(row: number): number {
    return row % blockRows;
  }

  /** Rows from `from` on as columns, by name. */
  columns(from: number, rowCount: number): Map<string, Column> {
    const joined = createHistoryRows(this.plan, rowCount);
    const to = arraysOf(joined);
    for (let row = 0; row < rowCount; ) {
      const block = this.blockOf(from + row);
      const first = this.rowIn(from + row);
      const count = Math.min(rowCount - row, block.rowCount - first);
      arraysOf(block).forEach((source, i) => {
        const width = source.length / block.rowCount;
        to[i].set(source.subarray(first * width, (first + count) * width), row * width);
      });
      row += count;
    }
    return historyTable(this.plan, joined);
  }
}

function arraysOf({ counters, sequences }: HistoryRows): (Float32Array | Int32Array | Uint8Array)[] {
  return [
    ...counters,
    ...sequences.flatMap(({ counts, items, valid, actions, gaps }) => [counts, ...items, ...valid, actions, gaps]),
  ];
}
