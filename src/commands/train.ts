import type { Command } from 'commander';
import { train, UserError } from '../index.ts';
import { addHistoryOptions } from './historyOptions.ts';
import { fixed, print, printJson, several, textTable, timeMs, wholeNumber } from './output.ts';

interface TrainFlags {
  schema: string;
  train: string[];
  valid?: string[];
  validFrom?: number;
  arch?: string;
  out: string;
  config?: string;
  aux?: string[];
  distil?: string;
  history?: string;
  from?: string;
  backend: string;
  seed: number;
  json?: boolean;
}

export function addTrain(program: Command): void {
  const command = program
    .command('train')
    .description('train a model on Parquet logs and write it as a bundle')
    .requiredOption('--schema <file>', 'which columns are features and labels (limelight schema drafts one)')
    .requiredOption('--train <glob...>', 'Parquet files, folders or globs to train on')
    .option('--valid <glob...>', 'rows to validate on')
    .option('--valid-from <time>', 'or: validate on the rows of --train from this time on', timeMs)
    .requiredOption('--out <folder>', 'the bundle to write; must not exist yet')
    .option(
      '--arch <name>',
      'senet-dnn, lr, fm, deep-fm, dcn-v2, din or dual-tower (default: the configuration’s, else senet-dnn)',
    )
    .option('--config <file>', 'hyper-parameters')
    .option(
      '--aux <task>',
      'a label learned but not served, such as long=play_time_ms>=7000:0.1; several times',
      several,
    );
  command.option('--distil <bundle>', 'a trained model whose order within each request is learned beside the labels');
  addHistoryOptions(command)
    .option('--from <bundle>', 'start from a bundle’s weights and vocabularies, or resume a checkpoint')
    .option('--backend <name>', 'auto, tensorflow, wasm or cpu', 'auto')
    .option('--seed <number>', 'same seed, data and backend: the same weights', wholeNumber(0, 2 ** 31), 1)
    .option('--json', 'print one JSON object on standard output')
    .action(runTrain);
}

async function runTrain(flags: TrainFlags): Promise<void> {
  if ((flags.valid === undefined) === (flags.validFrom === undefined)) {
    throw new UserError('train needs either --valid or --valid-from, to know what to validate on; give one of them');
  }
  const { readJson } = await import('../../training/config.ts');
  const { createReporter } = await import('../../training/reporter.ts');
  let interrupted = false;
  const stop = () => {
    // A second Ctrl-C does what it always does.
    unlisten();
    interrupted = true;
    process.stderr.write('\nfinishing this step and keeping a checkpoint; Ctrl-C again to stop at once\n');
  };
  const signals = ['SIGINT', 'SIGTERM'] as const;
  const unlisten = () => {
    for (const signal of signals) process.removeListener(signal, stop);
  };
  for (const signal of signals) process.on(signal, stop);
  const summary = await train({
    schema: readJson(flags.schema, 'schema'),
    config: flags.config === undefined ? undefined : readJson(flags.config, 'configuration'),
    sources: { schema: flags.schema, config: flags.config },
    architecture: flags.arch,
    auxiliary: flags.aux,
    distil: flags.distil,
    history: flags.history,
    train: flags.train,
    valid: flags.valid !== undefined ? { data: flags.valid } : { fromMs: flags.validFrom as number },
    out: flags.out,
    from: flags.from,
    seed: flags.seed,
    backend: flags.backend,
    reporter: createReporter(process.stderr, Date.now),
    isInterrupted: () => interrupted,
  });
  unlisten();
  if (summary.interrupted) {
    process.exitCode = 130;
    return;
  }
  if (flags.json) return printJson(summary);
  print(metricsTable(summary.metrics));
  print(
    `\nwrote ${summary.out} (report: ${summary.out}/report.html), ${Math.round(summary.examplesPerSecond)} examples/s`,
  );
}

interface ShownMetrics {
  auc: number | null;
  gauc: number | null;
  logLoss: number | null;
  normalizedEntropy: number | null;
  pcoc: number | null;
  ece: number | null;
}

/** Raw beside calibrated, by task, on the users that calibration has not seen. */
function metricsTable(metrics: Record<string, unknown>): string {
  const rows: string[][] = [];
  for (const kind of ['raw', 'calibrated']) {
    for (const [task, m] of Object.entries((metrics[kind] ?? {}) as Record<string, ShownMetrics>)) {
      rows.push([
        `${task}, ${kind}`,
        ...[m.auc, m.gauc, m.logLoss, m.normalizedEntropy, m.pcoc, m.ece].map((value) => fixed(value)),
      ]);
    }
  }
  return textTable(
    ['task', 'AUC', 'GAUC', 'log loss', 'NE', 'PCOC', 'ECE'],
    rows.sort((a, b) => a[0].localeCompare(b[0])),
  );
}
