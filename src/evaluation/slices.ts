import { evaluateTask, type TaskMetrics, type TaskRows } from './metrics.ts';
import { checkLengths } from './rows.ts';

/** The metrics of the rows that share a value of the slice column. */
export interface SliceMetrics {
  /** The value's name, `(missing)` for rows without one, or `other` for the rest. */
  name: string;
  /** How many values this slice gathers: 1, or more for the rest. */
  values: number;
  metrics: TaskMetrics;
}

/**
 * Metrics by value of a column, the value with most rows first. Beyond `most` slices the rest is one slice, `other`; a rest
 * of one value keeps its name.
 *
 * @param slice an index into `names` for each row; negative: the row has no value
 * @param names each value's name; an index beyond them is shown as its number
 * @param most  how many slices at most, `other` included
 */
export function sliceMetrics(
  task: TaskRows,
  slice: Int32Array,
  names: readonly string[],
  { most = 20 }: { most?: number } = {},
): SliceMetrics[] {
  const { probabilities, labels, groups, weights } = task;
  checkLengths(probabilities.length, { slice, labels, groups, weights });
  const counts = new Map<number, number>();
  for (let i = 0; i < slice.length; i++) {
    const value = slice[i] < 0 ? -1 : slice[i];
    counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  const values = [...counts.keys()].sort((a, b) => counts.get(b)! - counts.get(a)! || a - b);
  const named = values.length <= most ? values : values.slice(0, Math.max(0, most - 1));
  const rest = values.length - named.length;

  const placeOf = new Map(named.map((value, place) => [value, place]));
  const rowsOf: Uint32Array[] = named.map((value) => new Uint32Array(counts.get(value)!));
  if (rest > 0) {
    const namedRows = rowsOf.reduce((sum, rows) => sum + rows.length, 0);
    rowsOf.push(new Uint32Array(slice.length - namedRows));
  }
  const filled = new Uint32Array(rowsOf.length);
  for (let i = 0; i < slice.length; i++) {
    const place = placeOf.get(slice[i] < 0 ? -1 : slice[i]) ?? named.length;
    rowsOf[place][filled[place]++] = i;
  }
  return rowsOf.map((rows, place) => ({
    name: place === named.length ? 'other' : nameOf(named[place], names),
    values: place === named.length ? rest : 1,
    metrics: evaluateTask({
      probabilities: gather(probabilities, rows),
      labels: gather(labels, rows),
      groups: groups && gather(groups, rows),
      weights: weights && gather(weights, rows),
    }),
  }));
}

function nameOf(value: number, names: readonly string[]): string {
  return value < 0 ? '(missing)' : (names[value] ?? String(value));
}

/** The values of some rows, as a column of the same type. */
function gather<T extends Float32Array | Float64Array | Int32Array | Uint8Array | Int8Array>(
  column: T,
  rows: Uint32Array,
): T {
  const out = new (column.constructor as new (length: number) => T)(rows.length);
  for (let i = 0; i < rows.length; i++) out[i] = column[rows[i]];
  return out;
}

/**
 * Field-level relative calibration error: how far off predictions are within each value of a field, relative to the
 * value's own rate, averaged by rows.
 *
 *   Field-RCE = Σ_v n_v · |Σ_{i∈v} (y_i − p_i)| / Σ_{i∈v} y_i  /  Σ_v n_v      over the values v with a positive
 *
 * @returns null where no value has a positive
 * @see Pan et al. 2020, "Field-aware Calibration", WWW
 */
export function fieldRelativeCalibrationError(task: TaskRows, slice: Int32Array): number | null {
  const { probabilities, labels, weights } = task;
  checkLengths(probabilities.length, { slice, labels, weights });
  const sums = new Map<number, { gap: number; positives: number; weight: number }>();
  for (let i = 0; i < slice.length; i++) {
    const value = slice[i] < 0 ? -1 : slice[i];
    let sum = sums.get(value);
    if (!sum) sums.set(value, (sum = { gap: 0, positives: 0, weight: 0 }));
    const weight = weights ? weights[i] : 1;
    sum.gap += weight * (labels[i] - probabilities[i]);
    sum.positives += weight * labels[i];
    sum.weight += weight;
  }
  let error = 0;
  let total = 0;
  for (const { gap, positives, weight } of sums.values()) {
    if (positives <= 0) continue;
    error += (weight * Math.abs(gap)) / positives;
    total += weight;
  }
  return total > 0 ? error / total : null;
}
