import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/core/errors.ts';
import { newTestFolder, rowsOf } from '../testFolder.ts';
import { importYandex } from './importYandex.ts';

const source = newTestFolder();
const { write } = source;

const HEAD = 'session\tquery_region\tresults\tclicked_sequence';

describe('importing Yandex pages', () => {
  it('writes a row a result shown, with what was clicked and in which order, over all files', async () => {
    await write('b.tsv.gz', `${HEAD}\n7\t9_0\t9223372036854775807,5\t\n`);
    await write('a.tsv', `${HEAD}\r\n0\t98435_1\t11,12,13\t13,13,11,99,13\r\n`);
    await write('other.csv', 'not,read\n1,2\n');
    expect(await importYandex(source.path, source.out)).toEqual({
      rowCount: 5,
      files: [join(source.out, 'part-0.parquet')],
      days: [],
      warnings: ['1 of 5 clicks are on results that their page does not list; they are left out'],
    });
    expect(await rowsOf(source.out)).toEqual([
      { session: 0, query_region: '98435_1', position: 1, result: 11, click: 1, click_order: 2 },
      { session: 0, query_region: '98435_1', position: 2, result: 12, click: 0, click_order: null },
      { session: 0, query_region: '98435_1', position: 3, result: 13, click: 1, click_order: 1 },
      { session: 7, query_region: '9_0', position: 1, result: 9223372036854775807n, click: 0, click_order: null },
      { session: 7, query_region: '9_0', position: 2, result: 5, click: 0, click_order: null },
    ]);
  });

  it.each([
    ['x\tq\t1,2\t', /a\.tsv: line 4: has the session 'x'; expected a whole number/],
    ['\tq\t1,2\t', /line 4: has the session ''/],
    ['1\tq\t1,,2\t', /line 4: has the result ''/],
    ['1\tq\t\t', /line 4: has the result ''/],
    ['1\tq\t1,-2\t', /line 4: has the result '-2'/],
    ['1\tq\t1,2.5\t', /line 4: has the result '2.5'/],
    ['1\tq\t9223372036854775808\t', /line 4: has the result '9223372036854775808'; expected .* to 2\^63 − 1/],
    ['1\tq\t1,2,1\t', /line 4: lists a result twice/],
    ['1\tq\t1,2\t1,', /line 4: has the clicked result ''/],
    ['1\t\t1,2\t1', /line 4: has no query_region/],
    [`1\tq\t${Array.from({ length: 101 }, (_, i) => i)}\t`, /line 4: has 101 results; expected 100 at most/],
    ['1\tq\t1,2', /line 4 has 3 cells, 4 were expected/],
  ])('refuses %s with its line, and leaves no file', async (row, message) => {
    await write('a.tsv', `${HEAD}\n\n0\tq\t1,2\t1\n${row}\n`);
    const failure = importYandex(source.path, source.out);
    await expect(failure).rejects.toThrow(UserError);
    await expect(failure).rejects.toThrow(message);
    expect(await readdir(source.out).catch(() => [])).toEqual([]);
  });

  it('refuses a folder without pages, a file without a column or rows, damaged gzip, an output that exists', async () => {
    const refuses = (message: RegExp) => expect(importYandex(source.path, source.out)).rejects.toThrow(message);
    await expect(importYandex(join(source.path, 'none'), source.out)).rejects.toThrow(/no such folder/);
    await refuses(/has no \*\.tsv\.gz/);
    await write('a.tsv', '');
    await refuses(/a\.tsv: is empty/);
    await write('a.tsv', `${HEAD}\n`);
    await refuses(/no rows/);
    await write('a.tsv', 'session\tresults\tclicked_sequence\n1\t2\t\n');
    await refuses(/has no column 'query_region'/);
    await writeFile(join(source.path, 'a.tsv'), gzipSync(`${HEAD}\n0\tq\t1,2\t1\n`).subarray(0, -9));
    await refuses(/damaged or cut-short gzip/);
    await write('a.tsv', `${HEAD}\n0\tq\t1,2\t1\n`);
    await importYandex(source.path, source.out);
    await refuses(/not empty/);
  });

  it('takes any bytes, or says what is wrong with them', async () => {
    const good = `${HEAD}\n0\t98435_1\t11,12,13\t13,13,11\n7\t9_0\t9223372036854775807,5\t\n`;
    const piece = fc.oneof(fc.string({ maxLength: 6 }), fc.constantFrom('\t', '\n', ',', '"', '1', '\0'));
    const change = fc.tuple(fc.nat(good.length), fc.nat(8), piece);
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 3 }), fc.boolean(), async (changes, zipped) => {
        const text = changes.reduce((t, [at, drop, put]) => t.slice(0, at) + put + t.slice(at + drop), good);
        const bytes = zipped ? gzipSync(text).subarray(0, changes.length === 2 ? -9 : undefined) : Buffer.from(text);
        await writeFile(join(source.path, 'a.tsv'), bytes);
        const to = join(source.path, `fuzz${runs++}`);
        try {
          await importYandex(source.path, to);
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
          return;
        }
        for (const { query_region, position, click, click_order } of await rowsOf(to)) {
          expect(query_region).toBeTypeOf('string');
          expect(position).toBeGreaterThan(0);
          expect(click_order === null).toBe(click === 0);
        }
      }),
      { numRuns: 150 },
    );
  });
});
