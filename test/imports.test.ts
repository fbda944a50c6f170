import { describe, expect, it } from 'vitest';
import { importKuairand } from '../data/kuairand/importKuairand.ts';
import { importObd } from '../data/obd/importObd.ts';
import { newTestFolder, rowsOf } from '../data/testFolder.ts';
import { importUpworthy } from '../data/upworthy/importUpworthy.ts';
import { columnValue } from '../src/tables/columnBuilder.ts';
import { openTable } from '../src/tables/parquetReader.ts';
import { realData } from './realData.ts';

const source = newTestFolder();

/** A test on a public data set, skipped with the reason where it is absent. */
function onReal(name: string, sentence: string, check: (folder: string) => Promise<void>): void {
  const real = realData(name);
  if ('missing' in real) it.skip(`${sentence} (${real.missing})`);
  else it(sentence, () => check(real.folder));
}

describe('of the public files', () => {
  onReal('obd', 'Open Bandit’s have 10,000 impressions of 34 items each', async (folder) => {
    const { rowCount, files } = await importObd(folder, source.out);
    expect(rowCount).toBe(20_000);
    const [bts, random] = [await rowsOf(files[0]), await rowsOf(files[1])];
    expect(new Set(random.map((row) => row.item_id)).size).toBe(34);
    // Counted by Python's csv module.
    expect(bts.filter(({ click }) => click === 1)).toHaveLength(69);
    expect(random.filter(({ click }) => click === 1)).toHaveLength(46);
    expect(new Set(random.map(({ propensity }) => propensity))).toEqual(new Set([1 / 34]));
  });

  onReal('upworthy', 'Upworthy’s have 13,615 arms in 2,927 tests', async (folder) => {
    const { rowCount, warnings } = await importUpworthy(folder, source.out);
    expect([rowCount, warnings]).toEqual([13_615, []]);
    const rows = await rowsOf(source.out);
    expect(new Set(rows.map(({ test }) => test)).size).toBe(2_927);
    // Sums by Python's csv module.
    expect(rows.reduce((sum, { impressions }) => sum + Number(impressions), 0)).toBe(48_361_516);
    expect(rows.reduce((sum, { clicks }) => sum + Number(clicks), 0)).toBe(735_031);
  });

  onReal('kuairand', 'KuaiRand’s have 193,583 impressions of 12 days', async (folder) => {
    const result = await importKuairand(folder, source.out);
    expect(result.rowCount).toBe(193_583);
    expect(result.days[0]).toBe('2022-04-25');
    expect(result.days).toHaveLength(12);
    expect(result.warnings).toEqual(['196 rows have a long_view without a click; they are kept as they are']);
    const table = await openTable(source.out);
    expect(table.rowCount).toBe(193_583);
    let clicks = 0;
    let ageNulls = 0;
    for await (const { columns, rowCount } of table.scan({ columns: ['is_click', 'video_upload_age_days'] })) {
      for (let row = 0; row < rowCount; row++) {
        clicks += Number(columnValue(columns.get('is_click')!, row));
        if (columnValue(columns.get('video_upload_age_days')!, row) === null) ageNulls++;
      }
    }
    // Counted by awk over the CSV.
    expect(clicks).toBe(86_968);
    expect(ageNulls).toBe(0);
  });
});
