import type { Command } from 'commander';
import { counted, UserError } from '../core/errors.ts';
import { estimateExamination } from '../creative/examination.ts';
import { examinationOf, type PositionCounts, slotCtrs, totals } from '../creative/positions.ts';
import type { PositionColumns, PositionsRead } from './creativePositions.ts';
import { fixed, print, printJson, several, textTable } from './output.ts';
import { grouped } from './textTable.ts';

interface ExaminationFlags extends PositionColumns {
  readonly data: string[];
  readonly randomised?: boolean;
  readonly json?: boolean;
}

/** What is printed of a log's positions, the first at the top. */
export interface ExaminationFound {
  readonly method: 'estimated' | 'randomised';
  readonly impressions: number;
  readonly clicks: number;
  readonly creatives: number;
  /** As a bandit's settings take it. */
  readonly examination: readonly number[];
  readonly positions: readonly {
    readonly position: number;
    readonly impressions: number;
    readonly clicks: number;
    readonly ctr: number;
    readonly examination: number;
    /** 95 %; null of the best, which is 1 by definition. */
    readonly low: number | null;
    readonly high: number | null;
  }[];
}

export function addCreativeExamination(command: Command): void {
  command
    .command('examination')
    .description('find how much each position is looked at, for the setting `examination` of a policy')
    .requiredOption('--data <glob...>', 'Parquet files, folders or globs: impressions of creatives in positions')
    .option('--randomised', 'the order was random in all these rows, so that CTRs tell; else it is estimated')
    .option('--where <column=value>', 'count only rows that have this value; again for another column', several)
    .option('--position <column>', 'where they were shown, 1 the top; position if absent')
    .option('--test <column>', 'which test, or ad, a row is of; test or ad_id if absent')
    .option('--arm <column>', 'which creative; arm or creative_id if absent')
    .option('--impressions <column>', 'how many; impressions if absent, and without that a row is one')
    .option('--clicks <column>', 'how many of them were clicked; clicks or click if absent')
    .option('--json', 'print one JSON object on standard output')
    .action(runExamination);
}

async function runExamination({ data, randomised, json, ...columns }: ExaminationFlags): Promise<void> {
  const { readPositions } = await import('./creativePositions.ts');
  const found = findExamination(await readPositions(data, columns), randomised);
  if (json) return printJson(found);
  const { method, impressions, clicks, creatives, examination, positions } = found;
  print(`${counted(impressions, 'impression')} of ${counted(creatives, 'creative')}, ${counted(clicks, 'click')}\n`);
  const rows = positions.map((one) => [
    `${one.position}`,
    grouped(one.impressions),
    grouped(one.clicks),
    fixed(one.ctr, 5),
    fixed(one.examination),
    fixed(one.low),
    fixed(one.high),
  ]);
  print(textTable(['position', 'impressions', 'clicks', 'CTR', 'examination', 'from', 'to'], rows));
  print(`\n"examination": [${examination.map((value) => Number(value.toPrecision(4))).join(', ')}]\n`);
  print(
    method === 'estimated'
      ? 'each creative was compared with itself in other positions; where placement follows the user, this falls too steeply'
      : 'CTRs over that of the best position, which holds only where the order was random',
  );
  print('intervals of 95 %, against the best position');
}

/**
 * Examination by position: from what the same creatives draw in several positions, or, where their order was random, from CTRs, whose
 * ratio has the standard error √(1/c_s − 1/n_s + 1/c_best − 1/n_best) on a logarithmic scale.
 *
 * @throws UserError where the rows cannot tell
 */
export function findExamination({ creatives, counts }: PositionsRead, isRandomised = false): ExaminationFound {
  const count = counts.positions.reduce((most, position) => Math.max(most, position), 0);
  if (count === 1)
    throw new UserError(
      `positions: all impressions are in position 1, so that there is nothing to compare; name another column with --position, or leave examination out of the settings`,
    );
  const shown = totals(counts, counts.positions, 1, count);
  const { examination, standardErrors } = isRandomised ? ratiosOf(counts, shown) : estimateExamination(counts);
  const best = examination.indexOf(1);
  const positions = Array.from(examination, (value, s) => {
    const [impressions, clicks] = [shown.impressions[s], shown.clicks[s]];
    const width = Math.exp(1.96 * standardErrors[s]);
    const [low, high] = s === best ? [null, null] : [value / width, value * width];
    return { position: s + 1, impressions, clicks, ctr: clicks / impressions, examination: value, low, high };
  });
  const sum = (values: Float64Array) => values.reduce((all, value) => all + value, 0);
  return {
    method: isRandomised ? 'randomised' : 'estimated',
    impressions: sum(shown.impressions),
    clicks: sum(shown.clicks),
    creatives,
    examination: [...examination],
    positions,
  };
}

function ratiosOf(counts: PositionCounts, { impressions, clicks }: ReturnType<typeof totals>) {
  const examination = examinationOf(slotCtrs(counts));
  const unclicked = clicks.indexOf(0);
  if (unclicked >= 0)
    throw new UserError(
      `positions: position ${unclicked + 1} has no click in ${counted(impressions[unclicked], 'impression')}, so that it cannot be compared; gather more, or leave its rows out`,
    );
  const best = examination.indexOf(1);
  const errors = impressions.map((shown, s) => 1 / clicks[s] - 1 / shown);
  return { examination, standardErrors: errors.map((error) => Math.sqrt(error + errors[best])) };
}
