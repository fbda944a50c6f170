import type { Command } from 'commander';
import { addEngineAndBackendOptions, type EngineFlags } from './engineOptions.ts';
import { addHistoryOptions } from './historyOptions.ts';
import { fixed, print, printJson, several, textTable, timeMs, wholeNumber } from './output.ts';

interface CompareFlags extends EngineFlags {
  model: string[];
  data: string[];
  dataFrom?: number;
  history?: string;
  seed: number;
  json?: boolean;
}

export function addCompare(program: Command): void {
  const command = program
    .command('compare')
    .description('say which of two bundles is better, task by task, with paired bootstrap intervals over users')
    .requiredOption('--model <bundle>', 'given twice: A, then B', several)
    .requiredOption('--data <glob...>', 'Parquet files, folders or globs with labels')
    .option('--data-from <time>', 'compare only on rows served from this time on; history sees all', timeMs);
  addHistoryOptions(command);
  addEngineAndBackendOptions(command)
    .option('--seed <number>', 'of the bootstrap', wholeNumber(0, 2 ** 31), 1)
    .option('--json', 'print one JSON object on standard output')
    .action(runCompare);
}

async function runCompare(flags: CompareFlags): Promise<void> {
  const { UserError } = await import('../core/errors.ts');
  if (flags.model.length !== 2) {
    throw new UserError(
      `compare needs --model twice, got it ${flags.model.length === 1 ? 'once' : `${flags.model.length} times`}; name bundle A, then B`,
    );
  }
  const { compare, comparedMetrics } = await import('../../training/compare.ts');
  const { createReporter } = await import('../../training/reporter.ts');
  const { createRandom } = await import('../core/random.ts');
  const { loadModel } = await import('./loadModel.ts');
  const [a, b] = [await loadModel(flags.model[0], flags), await loadModel(flags.model[1], flags)];
  const { data, dataFrom: fromMs, history } = flags;
  const reporter = createReporter(process.stderr, Date.now);
  const compared = await compare(a, b, data, createRandom(flags.seed), reporter, { fromMs, history });
  if (flags.json) return printJson(compared);
  const rows: string[][] = [];
  for (const [task, metrics] of Object.entries(compared.tasks)) {
    for (const metric of comparedMetrics) {
      const { metricA, metricB, difference, low, high } = metrics[metric];
      rows.push([
        `${task} ${metric}`,
        fixed(metricA),
        fixed(metricB),
        fixed(difference, 5),
        `${fixed(low, 5)} … ${fixed(high, 5)}`,
        verdict(metric, low, high),
      ]);
    }
  }
  print(`A ${flags.model[0]}\nB ${flags.model[1]}\n${compared.rows} rows`);
  print(textTable(['', 'A', 'B', 'A − B', '95 % interval', 'better'], rows));
}

/** The better model where the interval excludes no difference; log loss is better when lower. */
function verdict(metric: string, low: number | null, high: number | null): string {
  if (low === null || high === null || (low <= 0 && high >= 0)) return 'neither, surely';
  return low > 0 === (metric !== 'logLoss') ? 'A' : 'B';
}
