import type { TaskMetrics } from '../src/evaluation/metrics.ts';
import type { Bundle } from '../src/model/bundle.ts';
import type { Scorer } from '../src/scoring/scorer.ts';
import { openTable } from '../src/tables/parquetReader.ts';
import type { TimeRange } from './dataset/prepare.ts';
import { metricsOf, slicesOf } from './evaluationRows.ts';
import { withHistory } from './history/withHistory.ts';
import type { Reporter } from './reporter.ts';
import { collectTable } from './scoreTable.ts';

export interface Evaluation {
  readonly rows: number;
  /** As served, calibrated; `raw` before calibration; `truth` of the true probabilities, where the data has them. */
  readonly tasks: Readonly<Record<string, TaskMetrics & { raw: TaskMetrics; truth?: TaskMetrics }>>;
  /** By field, then task: a row a value. */
  readonly slices: Readonly<Record<string, Record<string, readonly { name: string; metrics: TaskMetrics }[]>>>;
}

/** Which rows are measured; history sees all the table's. */
export interface EvaluateOptions extends TimeRange {
  /** A state of history to begin with, alone or in a bundle. */
  readonly history?: string;
  /** As if labels and numbers were known no earlier than so long after the impression: `10m`. */
  readonly labelDelay?: string;
}

/** Measures a bundle on a table with labels, of which it replays the history. */
export async function evaluate(
  bundle: Bundle,
  scorer: Scorer,
  data: string | readonly string[],
  reporter: Reporter,
  { history: from, labelDelay, ...range }: EvaluateOptions = {},
): Promise<Evaluation> {
  const { schema } = bundle.typed;
  const { tables } = await withHistory([await openTable(data)], { schema, reporter, from, labelDelay });
  const { rows, raw, sliceNames } = await collectTable(bundle, scorer, tables[0], reporter, range);
  const served = metricsOf(rows);
  const before = metricsOf(rows, raw);
  const truths = new Map([...rows.truths].map(([task, p]) => [task, Float64Array.from(p)]));
  const truth =
    truths.size === 0
      ? undefined
      : metricsOf({ ...rows, labels: new Map([...rows.labels].filter(([task]) => truths.has(task))) }, truths);
  const tasks = Object.fromEntries(
    [...served].map(([task, metrics]) => {
      const best = truth?.get(task);
      return [
        task,
        { ...metrics, raw: before.get(task) as TaskMetrics, ...(best === undefined ? {} : { truth: best }) },
      ];
    }),
  );
  const slices = Object.fromEntries(
    [...slicesOf(rows, sliceNames, rows.probabilities)].map(([field, byTask]) => [field, Object.fromEntries(byTask)]),
  );
  return { rows: rows.rowCount, tasks, slices };
}
