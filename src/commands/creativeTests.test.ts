import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Column } from '../schema/columns.ts';
import { columnFromValues } from '../tables/columnBuilder.ts';
import { writeTestTable } from '../tables/writeTestTable.ts';
import { readTests } from './creativeTests.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'creative-tests-'));
});
afterEach(() => rm(folder, { recursive: true }));

const tableOf = (columns: Record<string, readonly unknown[] | Column>, name = 'tests.parquet') =>
  writeTestTable(join(folder, name), columns);

const good = {
  test: ['b', 'b', 'a', 'a', 'b'],
  arm: [0, 1, 0, 1, 2],
  impressions: [10, 20, 30, 40, 50],
  clicks: [1, 0, 3, 40, 5],
};

describe('reading randomised tests', () => {
  it('takes a row an arm, tests and arms as they come', async () => {
    const { tests, warnings } = await readTests(await tableOf(good));
    expect(tests.arms).toEqual({
      offsets: Int32Array.of(0, 3, 5),
      adKeys: ['b', 'a'],
      creativeKeys: ['0', '1', '2', '0', '1'],
    });
    expect([...tests.impressions]).toEqual([10, 20, 50, 30, 40]);
    expect([...tests.clicks]).toEqual([1, 0, 5, 3, 40]);
    expect(warnings).toEqual([]);
  });

  it('adds up several rows of an arm, also over files, and numbers that pandas wrote as floats', async () => {
    await tableOf(good, 'a.parquet');
    await tableOf({ ...good, impressions: [0, 1, 1, 1, 1], clicks: [0, 1, 1, 1, 1] }, 'b.parquet');
    const { tests } = await readTests(folder);
    expect([...tests.impressions]).toEqual([10, 21, 51, 31, 41]);
    expect([...tests.clicks]).toEqual([1, 1, 6, 4, 41]);
    const floats = columnFromValues(good.impressions, 'number');
    const path = await tableOf({ ...good, impressions: floats }, 'floats.parquet');
    expect([...(await readTests(path)).tests.impressions]).toEqual([10, 20, 50, 30, 40]);
  });

  it('takes an impression log, a row an impression', async () => {
    const path = await tableOf({ ad_id: [7, 7, 7, 7], creative_id: [1, 2, 1, 2], click: [1, 0, 0, 0] });
    const { tests } = await readTests(path);
    expect([tests.arms.adKeys, tests.arms.creativeKeys]).toEqual([['7'], ['1', '2']]);
    expect([[...tests.impressions], [...tests.clicks]]).toEqual([
      [2, 2],
      [1, 0],
    ]);
  });

  it('takes columns of other names', async () => {
    const path = await tableOf({ t: good.test, a: good.arm, i: good.impressions, c: good.clicks });
    const { tests } = await readTests(path, { test: 't', arm: 'a', impressions: 'i', clicks: 'c' });
    expect(tests.arms.creativeKeys).toHaveLength(5);
  });

  it('leaves out tests of one arm with a warning', async () => {
    const path = await tableOf({ test: ['a', 'b', 'b'], arm: [0, 0, 1], impressions: [5, 6, 7], clicks: [1, 1, 1] });
    const { tests, warnings } = await readTests(path);
    expect(tests.arms.adKeys).toEqual(['b']);
    expect(warnings).toEqual(['1 of 2 tests have one arm, so that there is nothing to choose; left out']);
  });

  it.each([
    [
      'a missing column',
      { test: ['a'], arm: [0], impressions: [1] },
      /has no column 'clicks' or 'click'; name it with --clicks; it has 'test', 'arm' and 'impressions'/,
    ],
    [
      'clicks above impressions',
      { ...good, clicks: [1, 0, 3, 41, 5] },
      /tests\.parquet: row 3 has 41 clicks in 40 .*--clicks and --impressions/,
    ],
    [
      'clicks above one impression a row',
      { test: ['a', 'a'], arm: [0, 1], clicks: [1, 2] },
      /row 1 has 2 clicks in 1 impression, as each row is one/,
    ],
    [
      'an arm without impressions',
      { ...good, impressions: [10, 0, 30, 40, 50] },
      /test 'b': arm '1' has no impressions/,
    ],
    [
      'negative clicks',
      { ...good, clicks: [1, 0, -3, 1, 5] },
      /row 2, column 'clicks': -3, where a whole number from 0/,
    ],
    [
      'impressions that a number cannot tell apart',
      { ...good, impressions: [10, 20, 30, 40, 2n ** 53n + 2n] },
      /row 4, column 'impressions': 9007199254740994, where a whole number from 0 to 2\^53 was expected/,
    ],
    ['half an impression', { ...good, impressions: [10, 20.5, 30, 40, 50] }, /row 1, column 'impressions': 20\.5/],
    ['no number', { ...good, clicks: [1, null, 3, 1, 5] }, /row 1, column 'clicks': nothing/],
    ['no test', { ...good, test: ['b', null, 'a', 'a', 'b'] }, /row 1 has no test/],
    [
      'text for numbers',
      { ...good, clicks: ['1', '2', '3', '4', '5'] },
      /tests\.parquet: column 'clicks' is text; .* name another with --clicks/,
    ],
    ['one arm a test', { test: ['a', 'b'], arm: [0, 0], impressions: [5, 6], clicks: [1, 1] }, /no test has two arms/],
    ['no rows', { test: [], arm: [], impressions: [], clicks: [] }, /has no rows; a row for each arm/],
  ])('refuses %s', async (_, columns, message) => {
    await expect(readTests(await tableOf(columns))).rejects.toThrow(message);
  });

  it('refuses a column that was named but is not there', async () => {
    await expect(readTests(await tableOf(good), { impressions: 'views' })).rejects.toThrow(
      /has no column 'views'; name it with --impressions/,
    );
  });
});
