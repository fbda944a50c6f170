import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/core/errors.ts';
import { newTestFolder, rowsOf } from '../testFolder.ts';
import { importUpworthy } from './importUpworthy.ts';

const source = newTestFolder();
const { write } = source;

const HEAD = 'clickability_test_id,headline,lede,impressions,clicks,winner,test_week,eyecatcher_id';

describe('importing Upworthy', () => {
  it('writes a row an arm, numbered within its test over all files', async () => {
    await write('packages_b.csv', `${HEAD}\nt2,Four,,40,4,True,201502,\n`);
    await write(
      'packages_a.csv.gz',
      `${HEAD}\nt1,One,"<p>a ""b""\nc</p>",10,1,True,201446,e1\nt2,Two,,20,0,False,201446,12\n`,
    );
    await write('other.csv', 'not,read\n1,2\n');
    expect(await importUpworthy(source.path, source.out)).toEqual({
      rowCount: 3,
      files: [join(source.out, 'part-0.parquet')],
      days: [],
      warnings: [],
    });
    const [one, two, four] = await rowsOf(source.out);
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
    const { rowCount, warnings } = await importUpworthy(source.path, source.out);
    expect(rowCount).toBe(2);
    expect(warnings).toEqual(['1 rows repeat another in every column; they are left out']);
    expect((await rowsOf(source.out)).map(({ headline, arm }) => [headline, arm])).toEqual([
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
    const failure = importUpworthy(source.path, source.out);
    await expect(failure).rejects.toThrow(UserError);
    await expect(failure).rejects.toThrow(message);
    expect(await readdir(source.out).catch(() => [])).toEqual([]);
  });

  it('refuses a folder without files, a file without a column or rows, files that differ, an output that exists', async () => {
    const refuses = (message: RegExp) => expect(importUpworthy(source.path, source.out)).rejects.toThrow(message);
    await expect(importUpworthy(join(source.path, 'none'), source.out)).rejects.toThrow(/no such folder/);
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
    await rm(join(source.path, 'packages_b.csv'));
    await importUpworthy(source.path, join(source.path, 'again'));
    await expect(importUpworthy(source.path, join(source.path, 'again'))).rejects.toThrow(/not empty/);
  });

  it('takes any bytes, or says what is wrong with them', async () => {
    const good = `${HEAD}\nt1,One,"<p>a ""b""</p>",10,1,True,201446,e1\nt2,Two,,20,0,False,201446,12\n`;
    const change = fc.tuple(fc.nat(good.length), fc.nat(8), fc.string({ maxLength: 6 }));
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 3 }), fc.boolean(), async (changes, zipped) => {
        const text = changes.reduce((t, [at, drop, put]) => t.slice(0, at) + put + t.slice(at + drop), good);
        const bytes = zipped ? gzipSync(text).subarray(0, changes.length === 2 ? -9 : undefined) : Buffer.from(text);
        await writeFile(join(source.path, 'packages_a.csv'), bytes);
        const to = join(source.path, `fuzz${runs++}`);
        try {
          await importUpworthy(source.path, to);
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
