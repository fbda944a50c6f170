import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UserError } from '../../src/core/errors.ts';
import { columnValue, type Value } from '../../src/tables/columnBuilder.ts';
import { openTable } from '../../src/tables/parquetReader.ts';
import { importUpworthy } from './importUpworthy.ts';

const REAL = new URL('../../../shared/data/upworthy', import.meta.url).pathname;

let folder: string;
let out: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'upworthy-'));
  out = join(folder, 'out');
});
afterEach(() => rm(folder, { recursive: true }));

const HEAD = 'clickability_test_id,headline,lede,impressions,clicks,winner,test_week,eyecatcher_id';

async function write(name: string, content: string): Promise<void> {
  await writeFile(join(folder, name), name.endsWith('.gz') ? gzipSync(content) : content);
}

async function rowsOf(path: string): Promise<Record<string, Value>[]> {
  const rows: Record<string, Value>[] = [];
  for await (const batch of (await openTable(path)).scan()) {
    for (let row = 0; row < batch.rowCount; row++)
      rows.push(Object.fromEntries([...batch.columns].map(([name, column]) => [name, columnValue(column, row)])));
  }
  return rows;
}

describe('importing Upworthy', () => {
  it('writes a row an arm, numbered within its test over all files', async () => {
    await write('packages_b.csv', `${HEAD}\nt2,Four,,40,4,True,201502,\n`);
    await write(
      'packages_a.csv.gz',
      `${HEAD}\nt1,One,"<p>a ""b""\nc</p>",10,1,True,201446,e1\nt2,Two,,20,0,False,201446,12\n`,
    );
    await write('other.csv', 'not,read\n1,2\n');
    expect(await importUpworthy(folder, out)).toEqual({
      rowCount: 3,
      files: [join(out, 'part-0.parquet')],
      days: [],
      warnings: [],
    });
    const [one, two, four] = await rowsOf(out);
    expect(one).toEqual({
      test: 't1',
      arm: 0,
      headline: 'One',
      lede: '<p>a "b"\nc</p>',
      impressions: 10,
      clicks: 1,
      winner: true,
      test_week: 201446,
      eyecatcher_id: 'e1',
    });
    expect(two).toMatchObject({ test: 't2', arm: 0, lede: null, eyecatcher_id: '12' });
    expect(four).toMatchObject({ test: 't2', arm: 1, eyecatcher_id: null });
  });

  it('leaves out rows that repeat another, whatever their number in an unnamed column', async () => {
    const rows = ['t1,One,,10,1,True,201446,', 't1,Two,,10,1,False,201446,', 't1,One,,10,1,True,201446,'];
    await write('packages_a.csv', [`,${HEAD}`, ...rows.map((row, i) => `${i},${row}`)].join('\n'));
    const { rowCount, warnings } = await importUpworthy(folder, out);
    expect(rowCount).toBe(2);
    expect(warnings).toEqual(['1 rows repeat another in every column; they are left out']);
    expect((await rowsOf(out)).map(({ headline, arm }) => [headline, arm])).toEqual([
      ['One', 0],
      ['Two', 1],
    ]);
  });

  it.each([
    ['t1,One,,0,0,True,1,', /line 4: an arm with 0 impressions/],
    ['t1,One,,-5,0,True,1,', /line 4: an arm with -5 impressions/],
    ['t1,One,,5,6,True,1,', /line 4: 6 clicks in 5 impressions/],
    ['t1,One,,5,-1,True,1,', /line 4: -1 clicks in 5 impressions/],
    ['t1,One,,5,,True,1,', /line 4: has no clicks/],
    [',One,,5,1,True,1,', /line 4: has no clickability_test_id/],
    ['t1,One,,many,1,True,1,', /line 4, column 'impressions': 'many' is no integer/],
    ['t1,One,,5.5,1,True,1,', /line 4, column 'impressions': '5.5' is no integer/],
    ['t1,One,,5,1,True', /line 4 has 6 cells, 8 were expected/],
  ])('refuses %s with its line, and leaves no file', async (row, message) => {
    await write('packages_a.csv', `${HEAD}\nt1,"Two\nlines",,10,1,True,201446,\n${row}\n`);
    const failure = importUpworthy(folder, out);
    await expect(failure).rejects.toThrow(UserError);
    await expect(failure).rejects.toThrow(message);
    expect(await readdir(out).catch(() => [])).toEqual([]);
  });

  it('refuses a folder without files, a file without a column or rows, files that differ, an output that exists', async () => {
    const refuses = (message: RegExp) => expect(importUpworthy(folder, out)).rejects.toThrow(message);
    await expect(importUpworthy(join(folder, 'none'), out)).rejects.toThrow(/no such folder/);
    await refuses(/has no packages_\*\.csv\.gz/);
    await write('packages_a.csv', '');
    await refuses(/packages_a\.csv: is empty/);
    await write('packages_a.csv', `${HEAD}\n`);
    await refuses(/no rows/);
    await write('packages_a.csv', 'clickability_test_id,impressions\nt,1\n');
    await refuses(/has no column 'clicks'/);
    await write('packages_a.csv', `${HEAD},arm\nt1,One,,10,1,True,201446,,1\n`);
    await refuses(/has a column 'arm', which is the name of one that this import writes/);
    await write('packages_a.csv', `${HEAD}\nt1,One,,10,1,True,201446,\n`);
    await write('packages_b.csv', 'clickability_test_id,impressions,clicks\nt,1,1\n');
    await refuses(/packages_b\.csv: its columns differ/);
    await rm(join(folder, 'packages_b.csv'));
    await importUpworthy(folder, join(folder, 'again'));
    await expect(importUpworthy(folder, join(folder, 'again'))).rejects.toThrow(/not empty/);
  });

  it('takes any bytes, or says what is wrong with them', async () => {
    const good = `${HEAD}\nt1,One,"<p>a ""b""</p>",10,1,True,201446,e1\nt2,Two,,20,0,False,201446,12\n`;
    const change = fc.tuple(fc.nat(good.length), fc.nat(8), fc.string({ maxLength: 6 }));
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 3 }), fc.boolean(), async (changes, zipped) => {
        const text = changes.reduce((t, [at, drop, put]) => t.slice(0, at) + put + t.slice(at + drop), good);
        const bytes = zipped ? gzipSync(text).subarray(0, changes.length === 2 ? -9 : undefined) : Buffer.from(text);
        await writeFile(join(folder, 'packages_a.csv'), bytes);
        const to = join(folder, `fuzz${runs++}`);
        try {
          await importUpworthy(folder, to);
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
          return;
        }
        for (const { test, arm, impressions, clicks } of await rowsOf(to)) {
          expect(test).toBeTypeOf('string');
          expect(arm).toBeGreaterThanOrEqual(0);
          expect(clicks).toBeLessThanOrEqual(Number(impressions));
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe.skipIf(!existsSync(REAL))('the Upworthy files (skipped without ../shared/data/upworthy)', () => {
  it('have 13,615 arms in 2,927 tests', async () => {
    const { rowCount, warnings } = await importUpworthy(REAL, out);
    expect([rowCount, warnings]).toEqual([13_615, []]);
    const rows = await rowsOf(out);
    expect(new Set(rows.map(({ test }) => test)).size).toBe(2_927);
    // Sums by Python's csv module.
    expect(rows.reduce((sum, { impressions }) => sum + Number(impressions), 0)).toBe(48_361_516);
    expect(rows.reduce((sum, { clicks }) => sum + Number(clicks), 0)).toBe(735_031);
  });
});
