import type { Command } from 'commander';
import { addEngineAndBackendOptions, type EngineFlags } from './engineOptions.ts';
import { addHistoryOptions } from './historyOptions.ts';
import { print } from './output.ts';

interface PredictFlags extends EngineFlags {
  model: string;
  data: string[];
  out: string;
  history?: string;
}

export function addPredict(program: Command): void {
  const command = program
    .command('predict')
    .description('write a bundle’s probabilities for a table, beside the rows’ keys and labels')
    .requiredOption('--model <bundle>', 'the bundle, or a model’s folder, of which the highest version is taken')
    .requiredOption('--data <glob...>', 'Parquet files, folders or globs')
    .requiredOption('--out <file>', 'the Parquet file to write; must not exist yet');
  addEngineAndBackendOptions(addHistoryOptions(command)).action(runPredict);
}

async function runPredict(flags: PredictFlags): Promise<void> {
  const { predict } = await import('../../training/predict.ts');
  const { createReporter } = await import('../../training/reporter.ts');
  const { loadModel } = await import('./loadModel.ts');
  const { bundle, scorer } = await loadModel(flags.model, flags);
  const { rows, columns } = await predict(
    bundle,
    scorer,
    flags.data,
    flags.out,
    createReporter(process.stderr, Date.now),
    { history: flags.history },
  );
  scorer.dispose();
  print(`wrote ${rows} rows to ${flags.out}: ${columns.join(', ')}`);
}
