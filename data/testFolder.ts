import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach } from 'vitest';
import { columnValue, type Value } from '../src/tables/columnBuilder.ts';
import { openTable } from '../src/tables/parquetReader.ts';

/** A folder that is new for each test of a file, to import from. */
export function newTestFolder() {
  const source = {
    path: '',
    /** Where to import to; not there yet. */
    out: '',
    /** Writes a file, gzipped where its name says so. */
    write: (name: string, content: string): Promise<void> =>
      writeFile(join(source.path, name), name.endsWith('.gz') ? gzipSync(content) : content),
  };
  beforeEach(async () => {
    source.path = await mkdtemp(join(tmpdir(), 'import-'));
    source.out = join(source.path, 'out');
  });
  afterEach(() => rm(source.path, { recursive: true }));
  return source;
}

/** All rows of Parquet files, as objects. */
export async function rowsOf(path: string): Promise<Record<string, Value>[]> {
  const rows: Record<string, Value>[] = [];
  for await (const batch of (await openTable(path)).scan()) {
    for (let row = 0; row < batch.rowCount; row++)
      rows.push(Object.fromEntries([...batch.columns].map(([name, column]) => [name, columnValue(column, row)])));
  }
  return rows;
}
