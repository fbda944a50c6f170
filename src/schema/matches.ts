import { assert } from '../core/errors.ts';
import type { EncodedColumn, EncodedDense } from './encoded.ts';
import { firstId } from './fields.ts';

/**
 * Which row of a column each output row reads, [rows]: its own row where absent, or the one row there is.
 */
export interface MatchRows {
  readonly first?: Int32Array;
  readonly second?: Int32Array;
}

/** ln(1 + n) of the counts that most rows have. */
const smallLogs = Float32Array.from({ length: 64 }, (_, n) => Math.log1p(n));

/** Counts how often one column's ids are among another's; what it marks ids in is kept from call to call. */
export class MatchCounter {
  /** By id, of the row at hand. */
  private counts = new Int32Array(0);

  /**
   * y = ln(1 + Σ_i Σ_j [a_i = b_j]) over the known ids a_i of the first column's row and b_j of the second's.
   *
   * @param rowCount of the answer
   * @param out      [rowCount], made where absent
   * @throws RangeError if `out` is too short
   */
  count(
    first: EncodedColumn,
    second: EncodedColumn,
    rowCount: number,
    rows: MatchRows = {},
    out: Float32Array = new Float32Array(rowCount),
  ): EncodedDense {
    if (out.length < rowCount) throw new RangeError(`matches: ${out.length} numbers for ${rowCount} rows`);
    const a = itemsOf(first);
    const b = itemsOf(second);
    // Marked anew only where the row changes: a request's interests once for all its creatives.
    const [marked, counted] = a.rowCount <= b.rowCount ? [a, b] : [b, a];
    const [markedAt, countedAt] = marked === a ? [rows.first, rows.second] : [rows.second, rows.first];
    let held = -1;
    for (let row = 0; row < rowCount; row++) {
      const at = marked.rowCount === 1 ? 0 : (markedAt?.[row] ?? row);
      if (at !== held) {
        if (held >= 0) this.mark(marked, held, 0);
        this.mark(marked, at, 1);
        held = at;
      }
      const sum = sumOf(this.counts, counted, counted.rowCount === 1 ? 0 : (countedAt?.[row] ?? row));
      out[row] = sum < smallLogs.length ? smallLogs[sum] : Math.log1p(sum);
    }
    if (held >= 0) this.mark(marked, held, 0);
    return { kind: 'dense', width: 1, values: out.length === rowCount ? out : out.subarray(0, rowCount) };
  }

  /** Adds 1 for each item of a row, or clears them. */
  private mark({ ids, offsets }: Items, row: number, by: 0 | 1): void {
    const end = offsets === undefined ? row + 1 : offsets[row + 1];
    for (let i = offsets === undefined ? row : offsets[row]; i < end; i++) {
      const id = ids[i];
      // What is no value, or unknown, is like nothing.
      if (id < firstId) continue;
      if (id >= this.counts.length) this.grow(id);
      this.counts[id] = by === 0 ? 0 : this.counts[id] + 1;
    }
  }

  private grow(id: number): void {
    const grown = new Int32Array(2 * id + 2);
    grown.set(this.counts);
    this.counts = grown;
  }
}

function sumOf(counts: Int32Array, { ids, offsets }: Items, row: number): number {
  const end = offsets === undefined ? row + 1 : offsets[row + 1];
  let sum = 0;
  for (let i = offsets === undefined ? row : offsets[row]; i < end; i++)
    if (ids[i] < counts.length) sum += counts[ids[i]];
  return sum;
}

interface Items {
  readonly rowCount: number;
  readonly ids: Int32Array;
  readonly offsets?: Int32Array;
}

function itemsOf(column: EncodedColumn): Items {
  assert(column.kind !== 'dense', 'matches: numbers in place of ids');
  if (column.kind === 'id') return { rowCount: column.ids.length, ids: column.ids };
  return { rowCount: column.offsets.length - 1, ids: column.ids, offsets: column.offsets };
}
