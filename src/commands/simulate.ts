import type { Command } from 'commander';
import { print, printJson, wholeNumber } from './output.ts';

interface SimulateFlags {
  out: string;
  impressions: number;
  seed: number;
  preset: string;
  json?: boolean;
}

export function addSimulate(program: Command): void {
  program
    .command('simulate')
    .description('write the impression logs of a synthetic ad market, with the true probabilities beside them')
    .requiredOption('--out <folder>', 'where to write log/ and catalog/; must be new or empty')
    .option('--impressions <number>', 'rows of the log', wholeNumber(1, 1_000_000_000), 200_000)
    .option('--seed <number>', 'same seed: same bytes', wholeNumber(0, 2 ** 31), 1)
    .option(
      '--preset <name>',
      'the market: static, drift, where history matters, or creatives, where the choice of creative does',
      'static',
    )
    .option('--json', 'print one JSON object on standard output')
    .action(runSimulate);
}

async function runSimulate(flags: SimulateFlags): Promise<void> {
  const { simulate } = await import('../../data/simulator/simulate.ts');
  const { createReporter } = await import('../../training/reporter.ts');
  const reporter = createReporter(process.stderr, Date.now);
  const summary = await simulate({
    outDir: flags.out,
    impressionCount: flags.impressions,
    seed: flags.seed,
    preset: flags.preset,
    onProgress: (rows: number) => reporter.progress('simulating', rows, flags.impressions),
  });
  if (flags.json) return printJson(summary);
  const { impressionCount, clickRate, conversionRate, days, userCount, adCount } = summary;
  print(
    `wrote ${impressionCount} impressions (${percent(clickRate)} clicked, ${percent(conversionRate)} of those converted) of ${adCount} ads to ${userCount} users, ${days[0]} to ${days[days.length - 1]}, to ${flags.out}`,
  );
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
