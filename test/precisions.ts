import { createScorer, loadBundle, UserError } from '../src/index.ts';
import type { Bundle } from '../src/model/bundle.ts';
import { precisions } from '../src/scoring/engines.ts';
import type { NumberPrecision } from '../src/scoring/precision.ts';
import { evaluate } from '../training/evaluate.ts';
import { silentReporter } from '../training/reporter.ts';

/** Each task's AUC of a bundle on data, by the precisions that engine native has here; none where it does not load. */
export async function aucsByPrecision(
  folder: string,
  data: readonly string[],
  fromMs?: number,
): Promise<Map<NumberPrecision, Map<string, number>>> {
  const bundle: Bundle = await loadBundle(folder);
  const aucs = new Map<NumberPrecision, Map<string, number>>();
  for (const precision of precisions) {
    if (precision === 'auto') continue;
    try {
      const { scorer } = await createScorer(bundle, { engine: 'native', precision });
      const { tasks } = await evaluate(bundle, scorer, data, silentReporter, { fromMs });
      scorer.dispose();
      aucs.set(precision, new Map(Object.entries(tasks).map(([task, { raw }]) => [task, raw.auc ?? Number.NaN])));
    } catch (error) {
      // Not built here, or an instruction set without it.
      if (!(error instanceof UserError) || error.kind !== 'unsupported') throw error;
    }
  }
  return aucs;
}

/** By how much a precision's AUC differs from that of float32, in the task where it differs most. */
export function largestDifference(
  aucs: ReadonlyMap<NumberPrecision, ReadonlyMap<string, number>>,
  precision: NumberPrecision,
): number {
  const differences = [...(aucs.get('fp32') ?? [])].map(([task, auc]) =>
    Math.abs((aucs.get(precision)?.get(task) ?? Number.NaN) - auc),
  );
  return Math.max(...differences);
}
