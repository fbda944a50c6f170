import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/core/errors.ts';
import { newTestFolder, rowsOf } from '../testFolder.ts';
import { importObd } from './importObd.ts';

const source = newTestFolder();
const { write } = source;

const HEAD =
  ',timestamp,item_id,position,click,propensity_score,user_feature_0,user_feature_1,user_feature_2,user_feature_3,user-item_affinity_0,user-item_affinity_1';
const ROW = '0,2019-11-24 00:03:13.442536+00:00,1,3,0,0.25,a,b,c,d,0.0,2.0';
const LOG = `${HEAD}\n${ROW}\n1,2019-11-24 00:03:14+00:00,0,1,1,1.0,a,,c,d,1.5,0.0\n`;
const ITEMS = ',item_id,item_feature_0,item_feature_1,item_feature_2,item_feature_3\n0,0,-0.5,x,y,z\n1,1,2,p,q,r\n';

describe('importing Open Bandit logs', () => {
  it('writes a file a log, each row with the affinity and the features of its item', async () => {
    await write('random_men.csv.gz', LOG);
    await write('random_men_item_context.csv', ITEMS);
    await write('bts_men.csv', `${HEAD}\n${ROW}\n`);
    await write('bts_men_item_context.csv.gz', ITEMS.replace('p,q,r', 'P,Q,R'));
    await write('README.csv', 'not,read\n1,2\n');
    const files = ['bts_men', 'random_men'].map((name) => join(source.out, `${name}.parquet`));
    expect(await importObd(source.path, source.out)).toEqual({ rowCount: 3, files, days: [], warnings: [] });
    expect(await rowsOf(files[1])).toEqual([
      {
        ...{ policy: 'random', campaign: 'men', time_ms: Date.UTC(2019, 10, 24, 0, 3, 13, 442) },
        ...{ item_id: 1, position: 3, click: 0, propensity: 0.25 },
        ...{ user_feature_0: 'a', user_feature_1: 'b', user_feature_2: 'c', user_feature_3: 'd', affinity: 2 },
        ...{ item_feature_0: 2, item_feature_1: 'p', item_feature_2: 'q', item_feature_3: 'r' },
      },
      {
        ...{ policy: 'random', campaign: 'men', time_ms: Date.UTC(2019, 10, 24, 0, 3, 14) },
        ...{ item_id: 0, position: 1, click: 1, propensity: 1 },
        ...{ user_feature_0: 'a', user_feature_1: null, user_feature_2: 'c', user_feature_3: 'd', affinity: 1.5 },
        ...{ item_feature_0: -0.5, item_feature_1: 'x', item_feature_2: 'y', item_feature_3: 'z' },
      },
    ]);
    expect((await rowsOf(files[0]))[0]).toMatchObject({ policy: 'bts', item_feature_1: 'P' });
  });

  it('reads the folders as published, and of a folder the logs only', async () => {
    await mkdir(join(source.path, 'bts', 'men'), { recursive: true });
    await mkdir(join(source.path, 'random', 'men', 'old'), { recursive: true });
    await write('bts/men/men.csv', `${HEAD}\n${ROW}\n`);
    await write('bts/men/item_context.csv', ITEMS.replace('p,q,r', 'P,Q,R'));
    await write('random/men/men.csv.gz', LOG);
    await write('random/men/item_context.csv.gz', ITEMS);
    await write('random/men/women.csv', 'not,read\n1,2\n');
    await write('my_notes.csv', 'not,read\n1,2\n');
    await write('more_notes.csv', '"');
    const { rowCount, files } = await importObd(source.path, source.out);
    expect(rowCount).toBe(3);
    expect(files).toEqual(['bts_men', 'random_men'].map((name) => join(source.out, `${name}.parquet`)));
    expect(await rowsOf(files[0])).toMatchObject([{ policy: 'bts', campaign: 'men', item_feature_1: 'P' }]);
    expect((await rowsOf(files[1])).map(({ item_id }) => item_id)).toEqual([1, 0]);
    await rm(source.out, { recursive: true });
    await write('bts_men.csv', LOG);
    await write('bts_men_item_context.csv', ITEMS);
    await expect(importObd(source.path, source.out)).rejects.toThrow(/bts_men\.csv too; keep one of them/);
    await rm(join(source.path, 'bts_men.csv'));
    await rm(join(source.path, 'bts/men/item_context.csv'));
    await expect(importObd(source.path, source.out)).rejects.toThrow(
      /men\.csv: .* expected item_context\.csv beside it/,
    );
  });

  it.each([
    ['2019-11-24 00:00:00,1,3,2,0.25', /line 4 has the click 2, where 0 or 1 was expected/],
    ['2019-11-24 00:00:00,1,0,0,0.25', /line 4 has the position 0/],
    ['2019-11-24 00:00:00,1,3,0,0', /line 4 has the propensity 0, where a probability above 0/],
    ['2019-11-24 00:00:00,1,3,0,1.01', /line 4 has the propensity 1.01/],
    ['2019-11-24 00:00:00,1,3,0,inf', /line 4 has the propensity Infinity/],
    ['2019-11-24 00:00:00,1,3,0,', /line 4 has no propensity_score/],
    ['2019-11-24 00:00:00,,3,,0.25', /line 4 has no item_id and click/],
    ['2019-11-24 00:00:00,7,3,0,0.25', /line 4 has the item 7, which .*random_men_item_context.csv lacks/],
    ['2019-11-31 00:00:00,1,3,0,0.25', /line 4, column 'timestamp': '2019-11-31 00:00:00' is no timestamp/],
    ['2019-11-24 00:00:00,one,3,0,0.25', /line 4, column 'item_id': 'one' is no integer/],
  ])('refuses %s with its line, and leaves no file', async (start, message) => {
    await write('bts_men.csv', LOG);
    await write('bts_men_item_context.csv', ITEMS);
    await write('random_men.csv', `${LOG}2,${start},a,b,c,d,0.0,1.0\n`);
    await write('random_men_item_context.csv', ITEMS);
    const failure = importObd(source.path, source.out);
    await expect(failure).rejects.toThrow(UserError);
    await expect(failure).rejects.toThrow(message);
    expect(await readdir(source.out).catch(() => [])).toEqual([]);
  });

  it('refuses a folder without logs, a log without its items or columns, items twice, an output that exists', async () => {
    const refuses = (message: RegExp) => expect(importObd(source.path, source.out)).rejects.toThrow(message);
    await expect(importObd(join(source.path, 'none'), source.out)).rejects.toThrow(/no such folder/);
    await refuses(/has no log such as random_men\.csv\.gz/);
    await write('random_men.csv', LOG);
    await refuses(/expected random_men_item_context\.csv beside it/);
    await write('random_men_item_context.csv', `${ITEMS}2,1,2,p,q,r\n`);
    await refuses(/random_men_item_context\.csv: line 4 has item_id 1 once more/);
    await write('random_men_item_context.csv', `${ITEMS}2,,2,p,q,r\n`);
    await refuses(/random_men_item_context\.csv: line 4 has no item_id/);
    await write('random_men_item_context.csv', ITEMS.replace('\n1,1', '\n1,7').replace('\n0,0', '\n0,1'));
    await refuses(/random_men\.csv: line 3 has the item 0/);
    await write('random_men_item_context.csv', `${ITEMS}2,2,2,p,q,r\n`);
    await write('random_men.csv', LOG.replace(',1,3,0,0.25', ',2,3,0,0.25'));
    await refuses(/line 2 has no user-item_affinity_2 of its item/);
    await write('random_men.csv', 'timestamp,item_id\n2019-11-24,1\n');
    await refuses(/has no column 'position', 'click', 'propensity_score'/);
    await write('random_men.csv', LOG);
    await write('random_men.csv.gz', LOG);
    await refuses(/random_men\.csv\.gz: is there as .*random_men\.csv too/);
    await rm(join(source.path, 'random_men.csv.gz'));
    await importObd(source.path, source.out);
    await refuses(/not empty/);
    expect(await readdir(source.out)).toEqual(['random_men.parquet']);
  });

  it('takes any bytes, or says what is wrong with them', async () => {
    const change = fc.tuple(fc.nat(LOG.length), fc.nat(8), fc.string({ maxLength: 6 }));
    await write('random_men_item_context.csv', ITEMS);
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 3 }), fc.boolean(), async (changes, zipped) => {
        const text = changes.reduce((t, [at, drop, put]) => t.slice(0, at) + put + t.slice(at + drop), LOG);
        const bytes = zipped ? gzipSync(text).subarray(0, changes.length === 2 ? -9 : undefined) : Buffer.from(text);
        await writeFile(join(source.path, 'random_men.csv'), bytes);
        const to = join(source.path, `fuzz${runs++}`);
        try {
          await importObd(source.path, to);
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
          return;
        }
        for (const { click, propensity, position } of await rowsOf(to)) {
          expect([0, 1]).toContain(click);
          expect(propensity).toBeGreaterThan(0);
          expect(propensity).toBeLessThanOrEqual(1);
          expect(position).toBeGreaterThanOrEqual(1);
        }
      }),
      { numRuns: 60 },
    );
  });
});
