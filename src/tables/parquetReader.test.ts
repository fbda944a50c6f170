import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '../core/errors.ts';
import { columnFromValues, columnValue, type Value } from './columnBuilder.ts';
import { openTable } from './parquetReader.ts';
import { createTableWriter } from './parquetWriter.ts';

const FIXTURES = fileURLToPath(new URL('fixtures/', import.meta.url));
/** Values as Python gave them, by fixtures/generate.py. */
const expected = JSON.parse(await readFile(join(FIXTURES, 'golden/expected.json'), 'utf8'));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reader-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** As in the golden file: bigints as `123n`. */
function plain(value: Value): unknown {
  if (typeof value === 'bigint') return `${value}n`;
  return Array.isArray(value) ? value.map(plain) : value;
}

async function read(patterns: string | string[], columns?: string[], batchRows?: number) {
  const table = await openTable(patterns);
  const values: Record<string, unknown[]> = {};
  const sizes: number[] = [];
  for await (const batch of table.scan({ columns, batchRows })) {
    sizes.push(batch.rowCount);
    for (const [name, column] of batch.columns) {
      expect(column.rowCount).toBe(batch.rowCount);
      values[name] ??= [];
      for (let row = 0; row < batch.rowCount; row++) values[name].push(plain(columnValue(column, row)));
    }
  }
  return { table, values, sizes };
}

describe('reading what other writers wrote', () => {
  it.each(expected.matrix.files as string[])('%s', async (file) => {
    const { values, table } = await read(join(FIXTURES, file));
    expect(values).toEqual(expected.matrix.columns);
    expect(table.rowCount).toBe(60);
    expect((await read(join(FIXTURES, file), undefined, 7)).values).toEqual(expected.matrix.columns);
  });

  it('every type that a log may hold, with nulls', async () => {
    const { values, table } = await read(join(FIXTURES, 'types.parquet'));
    const readable = Object.entries(expected.types).filter(([, want]) => want !== 'unsupported');
    expect(values).toEqual(Object.fromEntries(readable));
    const types = Object.fromEntries(table.columns.map((c) => [c.name, c]));
    expect(types.u64).toMatchObject({ type: 'integer', fileType: 'UINT64' });
    expect(types.bool).toMatchObject({ type: 'integer', fileType: 'BOOLEAN', meaning: 'boolean' });
    expect(types.ts_us).toMatchObject({ type: 'integer', fileType: 'TIMESTAMP (µs)', meaning: 'timestamp' });
    expect(types.list_f32).toMatchObject({ type: 'list of number', fileType: 'LIST of FLOAT' });
    expect(types.struct).toMatchObject({ type: 'unsupported', fileType: 'STRUCT' });
  });

  it('refuses a struct, a map and a list of lists only when asked for them', async () => {
    const file = join(FIXTURES, 'types.parquet');
    await expect(read(file, ['struct'])).rejects.toThrow(/column 'struct' is STRUCT, which is not read; /);
    await expect(read(file, ['map'])).rejects.toMatchObject({ kind: 'unsupported' });
    await expect(read(file, ['lists'])).rejects.toThrow(/is LIST of LIST of INT32/);
    expect((await read(file, ['last', 'i8'])).values).toEqual({ last: [1, 2, 3], i8: [-128, null, 127] });
  });

  it('the INT96 timestamps of Spark', async () => {
    const { ts_ns, ts_us } = expected.types;
    expect((await read(join(FIXTURES, 'int96.parquet'))).values).toEqual({ ts_ns, ts_us });
  });

  it('nanoseconds, rounded down to milliseconds without error', async () => {
    expect((await read(join(FIXTURES, 'nanoseconds.parquet'))).values.ns).toEqual(expected.nanoseconds);
  });

  it('columns that may not be null, and a name with a dot', async () => {
    const { values } = await read(join(FIXTURES, 'required.parquet'), ['a.b', 'id']);
    expect(values).toEqual({ 'a.b': ['x', 'y'], id: [1, `${2n ** 60n}n`] });
    expect(Object.keys(values)).toEqual(['a.b', 'id']);
  });

  it('row groups of no rows, as pyarrow writes an empty table, count as no rows', async () => {
    const empty = join(FIXTURES, 'empty.parquet');
    const { table, values } = await read(empty);
    expect(table).toMatchObject({ rowCount: 0, columns: [{ name: 'id' }, { name: 'a.b' }] });
    expect(values).toEqual({});
    const both = { id: [1, `${2n ** 60n}n`], 'a.b': ['x', 'y'] };
    expect((await read([empty, join(FIXTURES, 'required.parquet')])).values).toEqual(both);
    expect((await read(join(FIXTURES, 'empty-between.parquet'))).values).toEqual(both);
  });

  it('a file of parquetjs-lite, which itself misreads the files of others', async () => {
    const rows = Array.from({ length: 100 }, (_, i) => i);
    expect((await read(join(FIXTURES, 'parquetjs.parquet'))).values).toEqual({
      id: rows.map((i) => i * 1000),
      price: rows.map((i) => i / 8),
      word: rows.map((i) => `w${i % 7}`),
      clicked: rows.map((i) => i % 3 === 0),
      at: rows.map((i) => 1650812741436 + i),
      maybe: rows.map((i) => (i % 4 ? -i : null)),
      tags: rows.map((i) => ['a', 'b', 'c'].slice(0, i % 3)),
    });
  });
});

describe('a file that no reader accepts', () => {
  it('is refused saying why, where its INT32 deltas exceed 32 bits', async () => {
    await expect(read(join(FIXTURES, 'duckdb-wide-delta.parquet'))).rejects.toThrow(/use V1 or INT64/);
  });
});

describe('a scan', () => {
  it('gives one batch a row group, in parts where it is larger than asked, and may be repeated', async () => {
    const file = join(FIXTURES, 'pyarrow-v2-delta.parquet');
    expect((await read(file)).sizes).toEqual([25, 25, 10]);
    const parts = await read(file, undefined, 10);
    expect(parts.sizes).toEqual([9, 9, 7, 9, 9, 7, 10]);
    expect(parts.values).toEqual(expected.matrix.columns);
    expect((await read([file, file], ['id'])).values.id).toEqual(expected.matrix.columns.id);
  });

  it('says where in its file each batch begins, across row groups and their parts', async () => {
    const path = join(folder, 'origin.parquet');
    const writer = await createTableWriter(path, { columns: [{ name: 'n', type: 'int32' }], rowGroupRows: 10 });
    const n = columnFromValues(Array.from({ length: 25 }, (_, i) => i));
    await writer.append({ rowCount: 25, columns: new Map([['n', n]]) });
    await writer.close();
    let seen = 0;
    for await (const { columns, origin, rowCount } of (await openTable(path)).scan({ batchRows: 4 })) {
      expect(origin?.file).toBe(path);
      expect(columnValue(columns.get('n')!, 0)).toBe(origin?.firstRow);
      seen += rowCount;
    }
    expect(seen).toBe(25);
  });

  it('may be left early', async () => {
    const table = await openTable(FIXTURES.concat('pyarrow-*.parquet'));
    for await (const batch of table.scan({ columns: ['id'] })) {
      expect(batch.rowCount).toBe(25);
      break;
    }
  });
});

async function write(path: string, columns: Record<string, unknown[]>): Promise<string> {
  const batch = new Map(Object.entries(columns).map(([name, values]) => [name, columnFromValues(values)]));
  const specs = [...batch].map(([name, column]) => ({
    name,
    type:
      column.type === 'text' ? ('text' as const) : column.type === 'number' ? ('double' as const) : ('int64' as const),
  }));
  const writer = await createTableWriter(join(folder, path), { columns: specs });
  await writer.append({ rowCount: Object.values(columns)[0].length, columns: batch });
  await writer.close();
  return join(folder, path);
}

describe('a table of several files', () => {
  it('takes a folder, a glob or a list, sorted, and the day from folder names', async () => {
    await write('log/date=2022-04-26/part-0.parquet', { n: [3] });
    await write('log/date=2022-04-25/part-1.parquet', { n: [2] });
    await write('log/date=2022-04-25/part-0.parquet', { n: [1] });
    await mkdir(join(folder, 'log/_temporary'));
    await writeFile(join(folder, 'log/_temporary/x.parquet'), '');
    const days = ['2022-04-25', '2022-04-25', '2022-04-26'];
    for (const pattern of [
      'log',
      'log/**',
      'log/*/*.parquet',
      'log/date=2022-04-{25,26}/part-?.parquet',
      'l*/**/*.parquet',
    ]) {
      expect((await read(join(folder, pattern))).values).toEqual({ n: [1, 2, 3], date: days });
    }
    expect((await read(join(folder, 'log/date=2022-04-2[6-9]/*'))).values.n).toEqual([3]);
    expect((await openTable(join(folder, 'log'))).columns[1]).toMatchObject({ type: 'text', fileType: 'FOLDER NAME' });
  });

  it("lets a file's own column count, not its folder's name", async () => {
    const file = await write('own/date=2022-04-25/a.parquet', { date: [20220425] });
    expect((await read(file)).values).toEqual({ date: [20220425] });
  });

  it('names the file that lacks a column or has another type', async () => {
    const a = await write('differ/a.parquet', { n: [1], x: ['a'] });
    const b = await write('differ/b.parquet', { n: [2] });
    const c = await write('differ/c.parquet', { n: ['three'] });
    await expect(read([a, b])).rejects.toThrow(/b\.parquet: has no column 'x', which other files of the table have/);
    expect((await read([a, b], ['n'])).values.n).toEqual([1, 2]);
    await expect(read([a, c])).rejects.toThrow(/column 'n' is INT64 in .*a\.parquet but TEXT in .*c\.parquet/);
    await expect(read(a, ['y'])).rejects.toThrow(/a\.parquet: has no column 'y'; it has 'n' and 'x'/);
  });

  it.each([
    ['a path that is nothing', 'none.parquet', /none\.parquet: no such file or folder/],
    ['a glob without a match', 'none-*.parquet', /no file matches/],
    ['a folder without Parquet', '.', /no \.parquet files in this folder/],
  ])('is missing for %s', async (_, pattern, message) => {
    const empty = await mkdtemp(join(folder, 'empty-'));
    await expect(openTable(join(empty, pattern))).rejects.toThrow(message);
    await expect(openTable(join(empty, pattern))).rejects.toMatchObject({ kind: 'missing' });
  });
});

describe('a damaged file', () => {
  const good = () => readFile(join(FIXTURES, 'pyarrow-v2-dictionary.parquet'));

  async function readBytes(bytes: Uint8Array) {
    const path = join(folder, 'damaged.parquet');
    await writeFile(path, bytes);
    return read(path);
  }

  it('is refused with its name when empty, no Parquet, encrypted, or cut short anywhere', async () => {
    await expect(readBytes(new Uint8Array(0))).rejects.toThrow(/damaged\.parquet: is empty/);
    await expect(readBytes(Buffer.from('a,b\n1,2\n3,4\n'))).rejects.toThrow(/is not Parquet .*'limelight import csv'/);
    await expect(readBytes(Buffer.from('PAR1....PARE'))).rejects.toThrow(/is encrypted/);
    const bytes = await good();
    for (let length = 1; length < bytes.length; length += 97) {
      await expect(readBytes(bytes.subarray(0, length))).rejects.toThrow(UserError);
    }
  });

  it('with any bytes changed gives other values or one error, and never harms the next read', async () => {
    const bytes = await good();
    const footerStart = bytes.length - 8 - bytes.readUInt32LE(bytes.length - 8);
    const anywhere = fc.nat(bytes.length - 1);
    const inFooter = fc.integer({ min: footerStart, max: bytes.length - 1 });
    const change = fc.tuple(fc.oneof(anywhere, inFooter), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const changed = Buffer.from(bytes);
        for (const [at, value] of changes) changed[at] = value;
        await readBytes(changed).catch((error) => {
          expect(error).toBeInstanceOf(UserError);
          expect(error.message).toMatch(/damaged\.parquet/);
          expect(error.message).not.toMatch(/panick|unreachable|wasm|\n/);
        });
      }),
      { numRuns: 300, seed: 1 },
    );
    expect((await readBytes(bytes)).values).toEqual(expected.matrix.columns);
  });
});
