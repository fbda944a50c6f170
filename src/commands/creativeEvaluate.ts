import { type Command, InvalidArgumentError } from 'commander';
import { counted } from '../core/errors.ts';
import { type EstimatorName, estimatorNames } from '../evaluation/estimatorNames.ts';
import type { OffPolicyEvaluation } from '../evaluation/ope.ts';
import type { LogColumns } from './creativeLog.ts';
import { fixed, print, printJson, textTable, wholeNumber } from './output.ts';
import { grouped } from './textTable.ts';

interface EvaluateFlags extends LogColumns {
  readonly data: string[];
  readonly target: string;
  readonly estimator?: EstimatorName[];
  readonly resamples: number;
  readonly seed: number;
  readonly json?: boolean;
}

export function addCreativeEvaluate(command: Command): void {
  command
    .command('evaluate')
    .description('estimate from a log with propensities what another policy would have earned')
    .requiredOption('--data <glob...>', 'Parquet files, folders or globs: a row an impression')
    .option(
      '--target <policy>',
      'uniform, or another policy’s log, whose shares by ad and position are the target',
      'uniform',
    )
    .option('--estimator <names>', `of ${estimatorNames.join(', ')}; all if absent`, estimatorList)
    .option('--action <column>', 'what was shown; creative_id or item_id if absent')
    .option('--reward <column>', 'what came of it; click if absent')
    .option('--propensity <column>', 'how likely that choice was; propensity if absent')
    .option('--position <column>', 'where; position if absent, where the log has one')
    .option('--ad <column>', 'whose actions they are; ad_id if absent, where the log has one')
    .option('--unit <column>', 'what the bootstrap draws, such as a user; impressions if absent')
    .option('--resamples <number>', 'of the bootstrap', wholeNumber(20, 1e6), 1000)
    .option('--seed <number>', 'of the bootstrap', wholeNumber(0, 2 ** 32 - 1), 1)
    .option('--json', 'print one JSON object on standard output')
    .action(runEvaluate);
}

function estimatorList(text: string): EstimatorName[] {
  const names = text.split(',').map((name) => name.trim()) as EstimatorName[];
  const unknown = names.find((name) => !estimatorNames.includes(name));
  if (unknown !== undefined)
    throw new InvalidArgumentError(`'${unknown}' is none; expected ${estimatorNames.join(', ')}, with commas between.`);
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) throw new InvalidArgumentError(`'${twice}' is named twice; name each once.`);
  return names;
}

async function runEvaluate(flags: EvaluateFlags): Promise<void> {
  const { evaluateCreativePolicy } = await import('./creativeEvaluation.ts');
  const result = await evaluateCreativePolicy(flags);
  for (const warning of result.warnings) process.stderr.write(`warning: ${warning}\n`);
  if (flags.json) return printJson(result);
  const { rows, effectiveSampleSize, weightMax, weightMean, observed, estimates } = result;
  print(
    `${counted(rows, 'impression')}, worth ${grouped(Math.round(effectiveSampleSize))} of the target’s own; weights: mean ${fixed(weightMean, 3)}, largest ${fixed(weightMax, 2)}\n`,
  );
  const line = (
    name: string,
    { value, low, high }: { value: number | null; low: number | null; high: number | null },
  ) => [name, fixed(value, 5), fixed(low, 5), fixed(high, 5)];
  const lines = estimates.map((estimate) => line(nameOf(estimate), estimate));
  lines.push(line('observed in this log', observed.log));
  if (observed.target) lines.push(line('observed in the target’s log', observed.target));
  print(textTable(['', 'mean reward', 'from', 'to'], lines));
  print('\nintervals of 95 %; dm is as biased as its model of rewards, which no interval tells');
  if (result.target !== 'uniform')
    print('the target is taken to be the shares in its log, whose own error no interval tells either');
}

function nameOf({ estimator, switchAbove, accepted }: OffPolicyEvaluation['estimates'][number]): string {
  if (switchAbove !== undefined) return `${estimator}, τ = ${fixed(switchAbove, 2)}`;
  return accepted === undefined ? estimator : `${estimator}, ${grouped(accepted)} accepted`;
}
