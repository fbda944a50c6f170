import { UserError } from '../src/core/errors.ts';
import type { Random } from '../src/core/random.ts';
import { type PairedDifference, pairedBootstrap } from '../src/evaluation/bootstrap.ts';
import type { Bundle } from '../src/model/bundle.ts';
import type { Scorer } from '../src/scoring/scorer.ts';
import { openTable } from '../src/tables/parquetReader.ts';
import type { TimeRange } from './dataset/prepare.ts';
import { groupsOf } from './evaluationRows.ts';
import { withHistory } from './history/withHistory.ts';
import type { Reporter } from './reporter.ts';
import { collectTable } from './scoreTable.ts';

export const comparedMetrics = ['auc', 'logLoss'] as const;

/** By task and metric: the first model's less the second's. */
export type Comparison = Readonly<Record<string, Record<(typeof comparedMetrics)[number], PairedDifference>>>;

/**
 * Compares two bundles on the same rows, task by task, by paired bootstrap over users.
 *
 * History sees all rows, the comparison those of a range.
 *
 * @throws UserError if they have no task in common
 */
export async function compare(
  a: { bundle: Bundle; scorer: Scorer },
  b: { bundle: Bundle; scorer: Scorer },
  data: string | readonly string[],
  random: Random,
  reporter: Reporter,
  { history: from, ...range }: TimeRange & { readonly history?: string } = {},
): Promise<{ rows: number; tasks: Comparison }> {
  const table = await openTable(data);
  const score = async ({ bundle, scorer }: typeof a) => {
    const { tables } = await withHistory([table], { schema: bundle.typed.schema, reporter, from });
    return collectTable(bundle, scorer, tables[0], reporter, range);
  };
  const scoredA = await score(a);
  const scoredB = await score(b);
  const groups = groupsOf(scoredA.rows) ?? Int32Array.from({ length: scoredA.rows.rowCount }, (_, i) => i);
  const shared = [...scoredA.rows.labels.keys()].filter((task) => scoredB.rows.labels.has(task));
  if (shared.length === 0) {
    throw new UserError(
      `the models have no task in common (${names(a.bundle)} and ${names(b.bundle)}); compare models of one label`,
    );
  }
  const tasks = Object.fromEntries(
    shared.map((task) => {
      const given = {
        groups,
        labels: scoredA.rows.labels.get(task) as Float32Array,
        a: scoredA.rows.probabilities.get(task) as Float64Array,
        b: scoredB.rows.probabilities.get(task) as Float64Array,
      };
      return [
        task,
        Object.fromEntries(
          comparedMetrics.map((metric) => [
            metric,
            pairedBootstrap({ ...given, metric, random: random.fork(`${task} ${metric}`) }),
          ]),
        ),
      ];
    }),
  ) as Comparison;
  return { rows: scoredA.rows.rowCount, tasks };
}

const names = (bundle: Bundle) => bundle.typed.model.tasks.map((task) => task.name).join(', ');
