import { writeFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { counted } from '../core/errors.ts';
import type { DayColumns } from './creativeDays.ts';
import { addCreativeEvaluate } from './creativeEvaluate.ts';
import { addCreativeExamination } from './creativeExamination.ts';
import type { PolicyReplay } from './creativeReplay.ts';
import type { TestColumns } from './creativeRows.ts';
import { addCreativeState } from './creativeState.ts';
import type { TestsRead } from './creativeTests.ts';
import { print, printJson, textTable, wholeNumber } from './output.ts';

interface ReplayFlags extends TestColumns {
  readonly data: string[];
  readonly policy: string[];
  readonly seed: number;
  readonly batch: number;
  readonly settings?: string;
  readonly json?: boolean;
}

interface ReportFlags extends ReplayFlags, DayColumns {
  readonly out: string;
}

const POLICIES = 'default,default-no-exit,thompson,kl-ucb,ucb1,random';

export function addCreative(program: Command): void {
  const command = program
    .command('creative')
    .description('try and judge the policies that choose creatives, and look into what they know');
  addReplayOptions(
    command.command('replay').description('play policies on randomised tests: a row an arm, or a row an impression'),
  )
    .option('--json', 'print one JSON object on standard output')
    .action(runReplay);
  addCreativeEvaluate(command);
  addCreativeExamination(command);
  addCreativeState(command);
  addReplayOptions(
    command
      .command('report')
      .description('write a self-contained HTML page: exploration curves, exits, creatives that wear out'),
  )
    .requiredOption('--out <file>', 'the page to write')
    .option('--time <column>', 'when the impressions of a row were; time_ms, time, date or day if absent')
    .option('--position <column>', 'where they were shown, 1 the top; position if absent')
    .option('--user <column>', 'whom they were shown to; user_id if absent')
    .action(runReport);
}

function addReplayOptions(command: Command): Command {
  return command
    .requiredOption('--data <glob...>', 'Parquet files, folders or globs')
    .addOption(
      new Option('--policy <names>', 'which to play, the one that others are compared with first')
        .argParser(policyList)
        .default(POLICIES.split(','), POLICIES),
    )
    .option('--seed <number>', 'of clicks and choices', wholeNumber(0, 2 ** 32 - 1), 1)
    .option('--batch <impressions>', 'of a test between two feedbacks', wholeNumber(1, 1e6), 100)
    .option('--settings <file>', 'JSON: settings of the bandits in place of the defaults')
    .option('--test <column>', 'which test, or ad, a row is of; test or ad_id if absent')
    .option('--arm <column>', 'which creative; arm or creative_id if absent')
    .option('--impressions <column>', 'how many; impressions if absent, and without that a row is one')
    .option('--clicks <column>', 'how many of them were clicked; clicks or click if absent');
}

function policyList(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.includes('')) throw new InvalidArgumentError('expected names with commas between, such as default,ucb1.');
  return names;
}

async function playPolicies(flags: ReplayFlags): Promise<{ read: TestsRead; replays: PolicyReplay[] }> {
  const { policiesOf } = await import('./creativePolicies.ts');
  const { replayPolicies } = await import('./creativeReplay.ts');
  const { readTests } = await import('./creativeTests.ts');
  const { readJson } = await import('../../training/config.ts');
  const { createReporter } = await import('../../training/reporter.ts');
  const settings = flags.settings === undefined ? undefined : readJson(flags.settings, 'bandit settings');
  const read = await readTests(flags.data, flags);
  const reporter = createReporter(process.stderr, Date.now);
  for (const warning of read.warnings) reporter.warn(warning);
  const policies = policiesOf(flags.policy, read.tests, settings, flags.settings);
  const replays = replayPolicies(read.tests, policies, {
    seed: flags.seed,
    batch: flags.batch,
    onPolicy: (policy) => reporter.line(`playing ${policy}`),
    onProgress: (policy, played, total) => reporter.progress(`playing ${policy}`, played, total),
  });
  return { read, replays };
}

async function runReplay(flags: ReplayFlags): Promise<void> {
  const { read, replays } = await playPolicies(flags);
  const { adKeys, creativeKeys } = read.tests.arms;
  const about = { tests: adKeys.length, arms: creativeKeys.length, impressions: replays[0].result.impressions };
  const policies = replays.map(({ result }) => result);
  if (flags.json) return printJson({ ...about, seed: flags.seed, batch: flags.batch, policies });
  const head = [
    'policy',
    'clicks',
    'regret',
    `over ${policies[0].policy}’s`,
    'best arm',
    'explored',
    'left',
    'until then',
  ];
  const rows = policies.map(
    ({ policy, clicks, regret, bestArmShare, exploredShare, exitedShare, interval, ...more }) => [
      policy,
      within(clicks, interval.clicks, count),
      within(regret, interval.regret, count),
      more.overFirst.regret === null
        ? '–'
        : within(more.overFirst.regret.value, [more.overFirst.regret.low, more.overFirst.regret.high], (n) =>
            n.toFixed(3),
          ),
      within(bestArmShare, interval.bestArmShare, percent),
      percent(exploredShare),
      exitedShare > 0 ? percent(exitedShare) : '–',
      more.exposuresToExit === null ? '–' : count(more.exposuresToExit),
    ],
  );
  print(
    `${counted(about.tests, 'test')}, ${counted(about.arms, 'arm')}, ${counted(about.impressions, 'impression')}\n`,
  );
  print(textTable(head, rows));
  print(
    '\nregret: clicks forgone against the best arm; explored: impressions of another arm than the one with the highest posterior mean;\n' +
      'left: tests that left exploration, after so many impressions; in brackets 95 % by bootstrap over tests',
  );
}

async function runReport(flags: ReportFlags): Promise<void> {
  const { renderCreativeReport } = await import('../../training/creativeReport/renderCreativeReport.ts');
  const { creativeReport } = await import('./creativeReport.ts');
  const { checkOutputFile, outputError } = await import('../tables/outputFolder.ts');
  const { readDays } = await import('./creativeDays.ts');
  await checkOutputFile(flags.out);
  const days = await readDays(flags.data, flags);
  const { read, replays } = await playPolicies(flags);
  const page = renderCreativeReport(creativeReport(flags.data, read, replays, days, flags, new Date()));
  await writeFile(flags.out, page).catch((error) => {
    throw outputError(flags.out, error);
  });
  print(`wrote ${flags.out}`);
}

const count = (n: number) => Math.round(n).toLocaleString('en-US');
const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

function within(value: number, [low, high]: readonly [number, number], text: (value: number) => string): string {
  return `${text(value)} [${text(low)}, ${text(high)}]`;
}
