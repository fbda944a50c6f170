import type { Command } from 'commander';
import { addHistoryOptions } from './historyOptions.ts';
import { print, timeMs } from './output.ts';

interface BackfillFlags {
  schema: string;
  data: string[];
  out: string;
  until?: number;
  history?: string;
  state?: string;
}

export function addBackfill(program: Command): void {
  const command = program
    .command('backfill')
    .description(
      'write logs again with the columns of their sequences and counters, and the state of history after them',
    )
    .requiredOption('--schema <file>', 'which columns are features and labels')
    .requiredOption('--data <glob...>', 'Parquet files, folders or globs, of all the time that history is of')
    .requiredOption('--out <folder>', 'the folder to write; new or empty')
    .option('--until <time>', 'stop before the first row of this time', timeMs);
  addHistoryOptions(command)
    .option('--state <file>', 'write the state of history after the last row')
    .action(runBackfill);
}

async function runBackfill({ schema, until, ...flags }: BackfillFlags): Promise<void> {
  const { backfill } = await import('../../training/backfill.ts');
  const { readJson } = await import('../../training/config.ts');
  const { createReporter } = await import('../../training/reporter.ts');
  const { parseSchema } = await import('../schema/parseSchema.ts');
  const { rows, files, columns } = await backfill({
    ...flags,
    schema: parseSchema(readJson(schema, 'schema'), schema),
    untilMs: until,
    reporter: createReporter(process.stderr, Date.now),
  });
  print(`wrote ${rows} rows in ${files} file${files === 1 ? '' : 's'} to ${flags.out}, with ${columns.join(', ')}`);
  if (flags.state !== undefined) print(`wrote the state of history after them to ${flags.state}`);
}
