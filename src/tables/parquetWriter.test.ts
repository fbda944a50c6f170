import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '../core/errors.ts';
import type { Column, ColumnBatch } from '../schema/columns.ts';
import { type ColumnSpec, writeTypeOf } from './arrowBatches.ts';
import { columnFromValues, columnValue, type Value } from './columnBuilder.ts';
import { createOutputFolder, outputError } from './outputFolder.ts';
import { openTable } from './parquetReader.ts';
import { createTableWriter, type TableWriterOptions } from './parquetWriter.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tables-'));
});
afterAll(() => rm(folder, { recursive: true }));

let files = 0;
const newPath = () => join(folder, `t${files++}.parquet`);

function batchOf(columns: Record<string, Column>): ColumnBatch {
  return { rowCount: Object.values(columns)[0].rowCount, columns: new Map(Object.entries(columns)) };
}

function specsOf(batch: ColumnBatch): ColumnSpec[] {
  return [...batch.columns].map(([name, column]) => ({ name, type: writeTypeOf(column) }));
}

async function write(batches: ColumnBatch[], options?: Partial<TableWriterOptions>): Promise<string> {
  const path = newPath();
  const writer = await createTableWriter(path, { columns: specsOf(batches[0]), ...options });
  for (const batch of batches) await writer.append(batch);
  await writer.close();
  return path;
}

async function readAll(path: string): Promise<{ batchRows: number[]; rows: Record<string, Value[]> }> {
  const table = await openTable(path);
  const rows: Record<string, Value[]> = Object.fromEntries(table.columns.map((c) => [c.name, []]));
  const batchRows: number[] = [];
  for await (const batch of table.scan()) {
    batchRows.push(batch.rowCount);
    for (const [name, column] of batch.columns) {
      for (let row = 0; row < batch.rowCount; row++) rows[name].push(columnValue(column, row));
    }
  }
  return { batchRows, rows };
}

describe('a written table', () => {
  it('reads back as it was, for every type, with nulls', async () => {
    const timestamp = columnFromValues([1650812741436, null, -1]);
    const values: Record<string, Value[]> = {
      small: [1, null, -3],
      big: [9007199254740993n, null, -9223372036854775808n],
      flag: [true, false, null],
      x: [0.5, null, -1e300],
      word: ['a', null, 'Zürich 🎯'],
      tags: [['x', 'y'], null, []],
      vector: [[0.25, 1.5], [], [-2.5]],
      ids: [[1, null, 9007199254740993n], [2], null],
    };
    const columns = Object.fromEntries(Object.entries(values).map(([name, v]) => [name, columnFromValues(v)]));
    const batch = batchOf({ ...columns, when: { ...timestamp, meaning: 'timestamp' } as Column });
    for (const compression of ['none', 'snappy', 'gzip', 'brotli', 'zstd'] as const) {
      const path = await write([batch], { compression });
      expect((await readAll(path)).rows).toEqual({ ...values, when: [1650812741436, null, -1] });
    }
    const types = Object.fromEntries((await openTable(await write([batch]))).columns.map((c) => [c.name, c.fileType]));
    expect(types).toEqual({
      small: 'INT32',
      big: 'INT64',
      flag: 'BOOLEAN',
      x: 'DOUBLE',
      word: 'TEXT',
      tags: 'LIST of TEXT',
      vector: 'LIST of DOUBLE',
      ids: 'LIST of INT64',
      when: 'TIMESTAMP (ms)',
    });
  });

  it('has row groups of the asked size, whatever the batches', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(40), { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 30 }),
        async (sizes, rowGroupRows) => {
          let next = 0;
          const batches = sizes.map((size) =>
            batchOf({
              n: columnFromValues(
                Array.from({ length: size }, () => next++),
                'integer',
              ),
              t: columnFromValues(
                Array.from({ length: size }, (_, i) => (i % 3 ? `t${i}` : null)),
                'text',
              ),
            }),
          );
          const { batchRows, rows } = await readAll(
            await write(batches, {
              rowGroupRows,
              columns: [
                { name: 'n', type: 'int64' },
                { name: 't', type: 'text' },
              ],
            }),
          );
          expect(rows.n).toEqual(Array.from({ length: next }, (_, i) => i));
          expect(rows.t).toEqual(
            sizes.flatMap((size) => Array.from({ length: size }, (_, i) => (i % 3 ? `t${i}` : null))),
          );
          expect(batchRows.slice(0, -1).every((n) => n === rowGroupRows)).toBe(true);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('may have no rows', async () => {
    const path = await write([
      batchOf({ a: columnFromValues([], 'integer'), b: columnFromValues([], 'text'), l: columnFromValues([], 'list') }),
    ]);
    const table = await openTable(path);
    expect(table.rowCount).toBe(0);
    expect(table.columns.map((c) => c.type)).toEqual(['integer', 'text', 'list of text']);
  });

  it('takes dictionary text and slices of columns', async () => {
    const bytes = new TextEncoder().encode('feedsearch');
    const column: Column = {
      type: 'text',
      rowCount: 4,
      offsets: Int32Array.of(0, 4, 10),
      bytes,
      indices: Int32Array.of(1, 0, 0, 1),
      valid: Uint8Array.of(1, 1, 0, 1),
    };
    expect((await readAll(await write([batchOf({ column })], { rowGroupRows: 3 }))).rows.column).toEqual([
      'search',
      'feed',
      null,
      'search',
    ]);
  });
});

describe('writing what cannot be written', () => {
  it('refuses a number that int32 cannot hold, and leaves nothing', async () => {
    const path = newPath();
    const writer = await createTableWriter(path, { columns: [{ name: 'id', type: 'int32' }], rowGroupRows: 1 });
    await expect(writer.append(batchOf({ id: columnFromValues([2 ** 40]) }))).rejects.toThrow(
      /column 'id' holds 1099511627776, which int32 cannot; use int64/,
    );
    expect((await readdir(folder)).filter((name) => name.includes(path.slice(folder.length + 1)))).toEqual([]);
  });

  it('refuses a batch without a column, and text for a number', async () => {
    const columns: ColumnSpec[] = [{ name: 'x', type: 'double' }];
    const first = await createTableWriter(newPath(), { columns });
    await expect(first.append(batchOf({ y: columnFromValues([1]) }))).rejects.toThrow(/lacks column 'x'/);
    const second = await createTableWriter(newPath(), { columns });
    await second.append(batchOf({ x: columnFromValues(['a']) }));
    await expect(second.close()).rejects.toThrow(/column 'x' is to be written as double, but its values are text/);
  });

  it('refuses a file that exists and a folder that is not empty', async () => {
    const path = await write([batchOf({ a: columnFromValues([1]) })]);
    await expect(createTableWriter(path, { columns: [{ name: 'a', type: 'int32' }] })).rejects.toMatchObject({
      kind: 'conflict',
    });
    await expect(createOutputFolder(folder)).rejects.toMatchObject({ kind: 'conflict' });
    await expect(createOutputFolder(path)).rejects.toMatchObject({ kind: 'conflict' });
    await createOutputFolder(join(folder, 'new', 'deep'));
    await createOutputFolder(join(folder, 'new', 'deep'));
  });

  it('is not seen by a reader before it is closed, nor after it is aborted', async () => {
    const inner = join(folder, 'half');
    const writer = await createTableWriter(join(inner, 'a.parquet'), { columns: [{ name: 'a', type: 'int32' }] });
    await writer.append(batchOf({ a: columnFromValues([1]) }));
    await expect(openTable(inner)).rejects.toMatchObject({ kind: 'missing' });
    await writer.abort();
    expect(await readdir(inner)).toEqual([]);
  });

  it('says so when the disk is full', () => {
    const error = outputError('a.parquet', Object.assign(new Error('write'), { code: 'ENOSPC' }));
    expect(error).toBeInstanceOf(UserError);
    expect(error.message).toBe(
      'a.parquet: the disk is full; nothing was kept of this file; free some space and run it again',
    );
  });

  it('says so when a file stands where a folder is needed', async () => {
    const file = join(folder, 'plain');
    await writeFile(file, '');
    await expect(
      createTableWriter(join(file, 'a.parquet'), { columns: [{ name: 'a', type: 'int32' }] }),
    ).rejects.toThrow(/cannot be written/);
  });
});
