import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseSchema } from '../../src/schema/parseSchema.ts';
import { columnValue } from '../../src/tables/columnBuilder.ts';
import { openTable } from '../../src/tables/parquetReader.ts';
import { importCsv } from './importCsv.ts';
import { typesOfSchema } from './typesOfSchema.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'import-csv-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function file(name: string, content: string): Promise<string> {
  await writeFile(join(folder, name), content);
  return join(folder, name);
}

async function column(path: string, name: string): Promise<unknown[]> {
  const values: unknown[] = [];
  for await (const batch of (await openTable(path)).scan({ columns: [name] })) {
    const read = batch.columns.get(name)!;
    for (let row = 0; row < batch.rowCount; row++) values.push(columnValue(read, row));
  }
  return values;
}

describe('importing CSV', () => {
  it('writes several files as one table', async () => {
    const out = join(folder, 'out');
    const a = await file('a.csv', 'id,word\n9007199254740993,x\n2,\n');
    const b = await file('b.csv', 'word;id\nNA;3\n');
    const seen: number[] = [];
    const options = { onProgress: (rows: number) => seen.push(rows) };
    expect(await importCsv([a, b], out, options)).toEqual({
      rowCount: 3,
      files: [join(out, 'part-0.parquet')],
      days: [],
      warnings: [],
    });
    expect(await column(out, 'id')).toEqual([9007199254740993n, 2, 3]);
    expect(await column(out, 'word')).toEqual(['x', null, 'NA']);
    expect(seen).toEqual([2, 3]);
  });

  it.each([
    ['seconds', 1_650_844_800],
    ['milliseconds', 1_650_844_800_000],
    ['microseconds', 1_650_844_800_000_000],
    ['nanoseconds', '1650844800000000000'],
    ['a date', '2022-04-25'],
    ['a date and time', '2022-04-25 00:00:00'],
    ['a compact date', 20220425],
  ])('makes one folder a day by a time column in %s', async (_, midnight) => {
    const out = join(folder, 'out');
    const csv = await file('a.csv', `t,n\n${midnight},1\n${midnight},2\n`);
    const result = await importCsv([csv], out, { timeColumn: 't' });
    expect(result.days).toEqual(['2022-04-25']);
    expect(result.files).toEqual([join(out, 'date=2022-04-25', 'part-0.parquet')]);
    expect(await column(out, 'n')).toEqual([1, 2]);
    expect(await column(out, 'date')).toEqual(['2022-04-25', '2022-04-25']);
  });

  it('keeps few files open when days alternate, and loses no row', async () => {
    const out = join(folder, 'out');
    const days = Array.from({ length: 20 }, (_, i) => 20220101 + i);
    const rows = [0, 1, 2].flatMap((n) => days.map((day) => `${day},${n}`));
    const half = [rows.slice(0, 35), rows.slice(35)];
    const files = await Promise.all(half.map((part, i) => file(`${i}.csv`, `t,n\n${part.join('\n')}\n`)));
    const result = await importCsv(files, out, { timeColumn: 't' });
    expect(result.rowCount).toBe(60);
    expect(result.days).toHaveLength(20);
    expect(await column(out, 'n')).toHaveLength(60);
    for (const day of result.days) {
      expect((await column(join(out, `date=${day}`), 'n')).sort()).toEqual([0, 1, 2]);
    }
  });

  it('refuses a folder that holds anything, an unknown time column, a time that is none, and leaves nothing', async () => {
    const csv = await file('a.csv', 't,n\n20220425,1\n20221345,2\n');
    await expect(importCsv([csv], folder)).rejects.toMatchObject({ kind: 'conflict' });
    const out = join(folder, 'out');
    await expect(importCsv([csv], out, { timeColumn: 'ts' })).rejects.toThrow(
      /no time column 'ts'; it has 't' and 'n'/,
    );
    await expect(importCsv([csv], out, { timeColumn: 't' })).rejects.toThrow(/holds 20221345, which is no day/);
    expect((await readdir(folder)).sort()).toEqual(['a.csv', 'out']);
    expect(await readdir(out)).toEqual([]);
  });

  it('refuses files whose columns differ', async () => {
    const a = await file('a.csv', 'x,y\n1,2\n');
    const b = await file('b.csv', 'x,y,z\n1,2,3\n');
    const c = await file('c.csv', 'x\n1\n');
    await expect(importCsv([a, b], join(folder, 'out'))).rejects.toThrow(/b.csv: has column 'z', which .*a.csv lacks/);
    await expect(importCsv([a, c], join(folder, 'out'))).rejects.toThrow(/c.csv: has no column 'y'/);
  });

  it('takes the types of numbers from a schema, and leaves ids and labels to their values', async () => {
    const schema = parseSchema({
      name: 'x',
      labels: [{ name: 'click', column: 'clicked', truth: 'p' }],
      weight: 'w',
      fields: [
        { name: 'price', kind: 'number', scope: 'ad' },
        { name: 'level', kind: 'number', scope: 'ad' },
        { name: 'level_id', column: 'level', kind: 'id', scope: 'ad' },
      ],
    });
    const types = typesOfSchema(schema);
    expect(types).toEqual({ price: 'number', p: 'number', w: 'number' });
    const csv = await file('a.csv', 'price,level,clicked,p,w\n1,2,true,0,1\n');
    await importCsv([csv], join(folder, 'out'), { types });
    const { columns } = await openTable(join(folder, 'out'));
    expect(columns.map(({ name, type }) => [name, type])).toEqual([
      ['price', 'number'],
      ['level', 'integer'],
      ['clicked', 'integer'],
      ['p', 'number'],
      ['w', 'number'],
    ]);
  });
});
