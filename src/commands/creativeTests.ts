import { listOf, UserError } from '../core/errors.ts';
import type { RandomizedTests } from '../creative/replay.ts';
import { openTable } from '../tables/parquetReader.ts';
import { creativeRows, type TestColumns } from './creativeRows.ts';

export interface TestsRead {
  readonly tests: RandomizedTests;
  readonly warnings: readonly string[];
}

/** A test while it is read: its arms' counts by their key. */
type ArmsRead = Map<string, { impressions: number; clicks: number }>;

/**
 * Reads randomised tests from Parquet: a row an arm, or several of an arm, which add up; without a column of impressions each row is
 * one. Tests of one arm have nothing to choose and are left out, with a warning.
 *
 * @throws UserError for a missing column, a row without a value, more clicks than impressions, an arm without impressions, and
 *   where no test has two arms
 */
export async function readTests(data: string | readonly string[], columns: TestColumns = {}): Promise<TestsRead> {
  const table = await openTable(data);
  const read = new Map<string, ArmsRead>();
  for await (const { tests, arms, impressions, clicks } of creativeRows(table, columns)) {
    for (let row = 0; row < tests.length; row++) {
      let ofTest = read.get(tests[row]);
      if (!ofTest) read.set(tests[row], (ofTest = new Map()));
      let counts = ofTest.get(arms[row]);
      if (!counts) ofTest.set(arms[row], (counts = { impressions: 0, clicks: 0 }));
      counts.impressions += impressions[row];
      counts.clicks += clicks[row];
    }
  }
  return testsOf(read, table.files);
}

function testsOf(read: ReadonlyMap<string, ArmsRead>, files: readonly string[]): TestsRead {
  const all = [...read];
  if (all.length === 0) throw new UserError(`${listOf(files)}: has no rows; a row for each arm of a test was expected`);
  const chosen = all.filter(([, arms]) => arms.size > 1);
  if (chosen.length === 0)
    throw new UserError(
      `${listOf(files)}: no test has two arms, so that there is nothing to choose; check the columns`,
    );
  const alone = all.length - chosen.length;
  const offsets = new Int32Array(chosen.length + 1);
  const creativeKeys: string[] = [];
  const counts: { impressions: number; clicks: number }[] = [];
  for (const [ad, [test, arms]] of chosen.entries()) {
    for (const [arm, count] of arms) {
      if (count.impressions === 0)
        throw new UserError(
          `test '${test}': arm '${arm}' has no impressions, so that its click rate is unknown; drop it`,
        );
      creativeKeys.push(arm);
      counts.push(count);
    }
    offsets[ad + 1] = counts.length;
  }
  return {
    tests: {
      arms: { offsets, adKeys: chosen.map(([test]) => test), creativeKeys },
      impressions: Float64Array.from(counts, ({ impressions }) => impressions),
      clicks: Float64Array.from(counts, ({ clicks }) => clicks),
    },
    warnings:
      alone > 0 ? [`${alone} of ${all.length} tests have one arm, so that there is nothing to choose; left out`] : [],
  };
}
