import type { Command } from 'commander';
import { addEngineAndBackendOptions, type EngineFlags } from './engineOptions.ts';
import { addHistoryOptions } from './historyOptions.ts';
import { duration, fixed, print, printJson, textTable, timeMs } from './output.ts';

interface EvaluateFlags extends EngineFlags {
  model: string;
  data: string[];
  dataFrom?: number;
  history?: string;
  labelDelay?: string;
  json?: boolean;
}

export function addEvaluate(program: Command): void {
  const command = program
    .command('evaluate')
    .description('measure a bundle on Parquet logs with labels')
    .requiredOption('--model <bundle>', 'the bundle, or a model’s folder, of which the highest version is taken')
    .requiredOption('--data <glob...>', 'Parquet files, folders or globs')
    .option('--data-from <time>', 'measure only rows served from this time on; history sees all', timeMs);
  addHistoryOptions(command).option(
    '--label-delay <time>',
    'as if labels were known no earlier, such as 10m',
    duration,
  );
  addEngineAndBackendOptions(command).option('--json', 'print one JSON object on standard output').action(runEvaluate);
}

async function runEvaluate(flags: EvaluateFlags): Promise<void> {
  const { evaluate } = await import('../../training/evaluate.ts');
  const { createReporter } = await import('../../training/reporter.ts');
  const { loadModel } = await import('./loadModel.ts');
  const { bundle, scorer } = await loadModel(flags.model, flags);
  const reporter = createReporter(process.stderr, Date.now);
  const { dataFrom: fromMs, history, labelDelay } = flags;
  const evaluation = await evaluate(bundle, scorer, flags.data, reporter, { fromMs, history, labelDelay });
  scorer.dispose();
  if (flags.json) return printJson(evaluation);
  const head = ['task', 'AUC', 'GAUC', 'log loss', 'NE', 'PCOC', 'ECE'];
  const rows: string[][] = [];
  for (const [task, { raw, truth, ...served }] of Object.entries(evaluation.tasks)) {
    const shown = {
      [task]: served,
      [`${task}, uncalibrated`]: raw,
      ...(truth && { [`${task}, best possible`]: truth }),
    };
    for (const [name, m] of Object.entries(shown)) {
      rows.push([name, ...[m.auc, m.gauc, m.logLoss, m.normalizedEntropy, m.pcoc, m.ece].map((value) => fixed(value))]);
    }
  }
  print(`${evaluation.rows} rows\n${textTable(head, rows)}`);
  for (const [field, tasks] of Object.entries(evaluation.slices)) {
    for (const [task, slices] of Object.entries(tasks)) {
      const lines = slices.map(({ name, metrics: m }) => [
        name,
        String(m.rows),
        fixed(m.auc),
        fixed(m.logLoss),
        fixed(m.pcoc),
      ]);
      print(`\n${task} by ${field}\n${textTable([field, 'rows', 'AUC', 'log loss', 'PCOC'], lines)}`);
    }
  }
}
