import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { columnValue, type Value } from './columnBuilder.ts';
import { type CsvOptions, openCsv } from './csv.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'csv-'));
});
afterAll(() => rm(folder, { recursive: true }));

let files = 0;
async function csvFile(content: string | Uint8Array): Promise<string> {
  const path = join(folder, `f${files++}.csv`);
  await writeFile(path, content);
  return path;
}

async function read(content: string | Uint8Array, options?: CsvOptions) {
  const csv = await openCsv(await csvFile(content), options);
  const rows: Record<string, Value[]> = Object.fromEntries(csv.columns.map((c) => [c.name, []]));
  const sizes: number[] = [];
  for await (const batch of csv.batches()) {
    sizes.push(batch.rowCount);
    for (const [name, column] of batch.columns) {
      for (let row = 0; row < batch.rowCount; row++) rows[name].push(columnValue(column, row));
    }
  }
  const types = Object.fromEntries(csv.columns.map((c) => [c.name, c.type]));
  return { rows, types, sizes, delimiter: csv.delimiter };
}

describe('a CSV file', () => {
  it('has its types and nulls inferred', async () => {
    const { rows, types } = await read(
      'id,big,x,word,flag,day,at,zip,none\n' +
        '1,9007199254740993,0.5,NA,true,2022-04-25,2022-04-25 08:30:00.250+08:00,01234,\n' +
        ',-9223372036854775808,,,FALSE,,,00001,\n' +
        '-3,NULL,1e3,"a ""b"", c",,1969-12-31,1970-01-01T00:00:01Z,12345,\n',
    );
    expect(types).toEqual({
      id: 'integer',
      big: 'integer',
      x: 'number',
      word: 'text',
      flag: 'boolean',
      day: 'timestamp',
      at: 'timestamp',
      zip: 'text',
      none: 'text',
    });
    expect(rows).toEqual({
      id: [1, null, -3],
      big: [9007199254740993n, -9223372036854775808n, null],
      x: [0.5, null, 1000],
      word: ['NA', null, 'a "b", c'],
      flag: [true, false, null],
      day: [Date.UTC(2022, 3, 25), null, -86_400_000],
      at: [Date.UTC(2022, 3, 25, 0, 30, 0, 250), null, 1000],
      zip: ['01234', '00001', '12345'],
      none: [null, null, null],
    });
  });

  it('keeps unsigned 64-bit ids, and makes text of longer ones', async () => {
    const { rows, types } = await read('hash,uuid\n18446744073709551615,184467440737095516150\n1,2\n');
    expect(types).toEqual({ hash: 'integer', uuid: 'text' });
    expect(rows.hash).toEqual([18446744073709551615n, 1]);
    expect(rows.uuid).toEqual(['184467440737095516150', '2']);
  });

  it('may be gzipped, in several members, with byte order mark, CRLF, blank lines and no last newline', async () => {
    const plain = '\ufeffa,b\r\n1,x\r\n\r\n2,"two\r\nlines"';
    const zipped = Buffer.concat([gzipSync(plain.slice(0, 9)), gzipSync(plain.slice(9))]);
    for (const content of [plain, zipped]) {
      expect((await read(content)).rows).toEqual({ a: [1, 2], b: ['x', 'two\r\nlines'] });
    }
  });

  it.each([[','], ['\t'], [';'], ['|']])('has its delimiter %j told from the first line', async (delimiter) => {
    const { rows, delimiter: found } = await read(`a${delimiter}"b,;|\t"\n1${delimiter}2\n`);
    expect(found).toBe(delimiter);
    expect(Object.values(rows)).toEqual([[1], [2]]);
  });

  it('without a header line has columns by number', async () => {
    expect((await read('1,a\n2,b\n')).rows).toEqual({ column1: [1, 2], column2: ['a', 'b'] });
    expect((await read('x,a\ny,b\n', { header: false })).rows).toEqual({ column1: ['x', 'y'], column2: ['a', 'b'] });
    expect((await read(',b\n0,5\n')).rows).toEqual({ column1: [0], b: [5] });
  });

  it('takes given types, whole floats as integers too', async () => {
    const { rows } = await read('a,b,c\n1.0,1,1\n2.,0,2\n', { types: { a: 'integer', b: 'boolean', c: 'text' } });
    expect(rows).toEqual({ a: [1, 2], b: [true, false], c: ['1', '2'] });
  });

  it('comes in batches of the asked size, whatever the sample', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 70 }),
        async (count, batchRows, sampleRows) => {
          const lines = Array.from({ length: count }, (_, i) => `${i},t${i}`);
          const { rows, sizes } = await read(`n,t\n${lines.join('\n')}\n`, { batchRows, sampleRows });
          expect(rows.n).toEqual(lines.map((_, i) => i));
          expect(rows.t).toEqual(lines.map((_, i) => `t${i}`));
          expect(sizes.slice(0, -1).every((size) => size === batchRows)).toBe(true);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('gives back any text that was quoted by the rules', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string({ unit: 'grapheme' }), { minLength: 1, maxLength: 20 }), async (texts) => {
        const quoted = texts.map((text) => `"x${text.replaceAll('"', '""')}",1`);
        const { rows } = await read(`text,n\n${quoted.join('\n')}\n`, { delimiter: ',', types: { text: 'text' } });
        expect(rows.text).toEqual(texts.map((text) => `x${text}`));
      }),
      { numRuns: 50 },
    );
  });
});

describe('a malformed CSV file', () => {
  it.each([
    ['nothing', '', /is empty; a CSV file with a header line was expected/],
    ['blank lines only', '\n\n', /has no lines but blank ones/],
    ['a header only', 'a,b\n', /has a header line but no rows/],
    ['two columns of one name', 'a,a\n1,2\n', /line 1 names two columns 'a'; rename one/],
    ['a short row', 'a,b\n1,2\n\n3\n', /line 4 has 1 cells, 2 were expected as in line 1/],
    ['a long row after a cell of two lines', 'a,b\n"1\n1",2\n3,4,5\n', /line 4 has 3 cells/],
    ['an open quote', 'a,b\n1,2\n"3,4\n5,6\n', /the quote that opens on line 3 is never closed/],
    ['text after a closing quote', 'a,b\n"1"x,2\n', /line 2 goes on after a closing quote/],
    ['a quote inside a cell', 'a,b\n1x"y,2\n', /line 2 has a quote inside an unquoted cell/],
  ])('is refused for %s', async (_, content, message) => {
    await expect(read(content)).rejects.toThrow(message);
    await expect(read(content)).rejects.toMatchObject({ name: 'UserError' });
  });

  it('is refused for a later value that contradicts its column, naming line, column, value and what to do', async () => {
    const content = `id,x\n${'1,2\n'.repeat(20)}abc,3\n`;
    await expect(read(content, { sampleRows: 10 })).rejects.toThrow(
      /f\d+\.csv: line 22, column 'id': 'abc' is no integer, .* give the column's type \(--type id=(number|text)\)/,
    );
    expect((await read(content, { sampleRows: 10, types: { id: 'text' } })).rows.id[20]).toBe('abc');
    await expect(read('x\n1.5\n', { types: { x: 'integer' } })).rejects.toThrow(/'1.5' is no integer/);
  });

  it('is refused for cut-short gzip, an unknown column in types, and a missing file', async () => {
    const zipped = gzipSync(`a,b\n${'1,2\n'.repeat(50_000)}`);
    await expect(read(zipped.subarray(0, zipped.length - 20))).rejects.toThrow(/damaged or cut-short gzip/);
    await expect(read('a\n1\n', { types: { b: 'text' } })).rejects.toThrow(/has no column 'b'; it has 'a'/);
    await expect(openCsv(join(folder, 'none.csv'))).rejects.toMatchObject({ kind: 'missing' });
  });
});
