import { rename, rm, rmdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { assert } from '../core/errors.ts';
import type { Column, ColumnBatch } from '../schema/columns.ts';
import { takeRows } from '../schema/selectRows.ts';
import { sliceColumn } from './columnSlices.ts';
import { createOutputFolder, outputError } from './outputFolder.ts';
import { createTableWriter, type TableWriter, type TableWriterOptions } from './parquetWriter.ts';

export interface PartitionedWriterOptions extends TableWriterOptions {
  /** How many files may be open at once; 8 if absent. Each holds up to one row group in memory. */
  readonly openFilesMax?: number;
}

/** Writes a folder of Parquet files, one folder a day. */
export interface PartitionedWriter {
  /** @param days each row's day, as days since 1970 */
  append(batch: ColumnBatch, days: Int32Array): Promise<void>;
  /** Completes the folder and gives it its name. */
  close(): Promise<PartitionedOutput>;
  /** Removes what was written. */
  abort(): Promise<void>;
}

export interface PartitionedOutput {
  readonly rowCount: number;
  /** The files, below the folder's name, by day. */
  readonly files: readonly string[];
  /** The days that have rows, as in `2022-04-25`. */
  readonly days: readonly string[];
}

const DAY_MS = 86_400_000;
const OPEN_FILES_MAX = 8;

/**
 * Starts a folder `<folder>/date=2022-04-25/part-0.parquet`. It is written beside its place, as `<folder>.partial`, and
 * renamed when closed. A day that comes back after its file had to be closed, because too many were open, goes on in
 * `part-1.parquet`: a log in order of time never needs that.
 *
 * @throws UserError kind `conflict` where the folder exists and holds anything
 */
export async function createPartitionedWriter(
  folder: string,
  options: PartitionedWriterOptions,
): Promise<PartitionedWriter> {
  const place = resolve(folder);
  const temporary = `${place}.partial`;
  await createOutputFolder(place);
  await rm(temporary, { recursive: true, force: true });
  /** In order of last use. */
  const open = new Map<number, TableWriter>();
  const parts = new Map<number, number>();
  let rowCount = 0;

  async function writerOf(day: number): Promise<TableWriter> {
    let writer = open.get(day);
    if (!writer) {
      if (open.size >= (options.openFilesMax ?? OPEN_FILES_MAX)) {
        const [[oldest, leaving]] = open;
        open.delete(oldest);
        await leaving.close();
      }
      const part = parts.get(day) ?? 0;
      parts.set(day, part + 1);
      writer = await createTableWriter(join(temporary, partPath(day, part)), options);
    }
    open.delete(day);
    open.set(day, writer);
    return writer;
  }
  async function abort(): Promise<void> {
    for (const writer of open.values()) await writer.abort();
    open.clear();
    await rm(temporary, { recursive: true, force: true });
  }
  return {
    append: async (batch, days) => {
      assert(days.length === batch.rowCount, 'one day a row');
      try {
        for (const [day, part] of splitByDay(batch, days)) await (await writerOf(day)).append(part);
      } catch (error) {
        await abort();
        throw error;
      }
      rowCount += batch.rowCount;
    },
    close: async () => {
      try {
        for (const writer of open.values()) await writer.close();
        open.clear();
        // A rename needs its target gone on some systems; it is empty, or this fails.
        if (parts.size > 0) {
          await rmdir(place);
          await rename(temporary, place);
        }
      } catch (error) {
        await abort();
        throw outputError(folder, error);
      }
      const sorted = [...parts].sort((a, b) => a[0] - b[0]);
      const files = sorted.flatMap(([day, count]) =>
        Array.from({ length: count }, (_, part) => join(folder, partPath(day, part))),
      );
      return { rowCount, files, days: sorted.map(([day]) => dayName(day)) };
    },
    abort,
  };
}

function partPath(day: number, part: number): string {
  return join(`date=${dayName(day)}`, `part-${part}.parquet`);
}

/** `2022-04-25`, of days since 1970. */
export function dayName(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

/** The batch's rows by day, in their order: views where a day's rows lie together, copies where days alternate. */
function splitByDay(batch: ColumnBatch, days: Int32Array): [number, ColumnBatch][] {
  const counts = new Map<number, number>();
  for (const day of days) counts.set(day, (counts.get(day) ?? 0) + 1);
  return [...counts].map(([day, count]) => {
    const first = days.indexOf(day);
    const together = days.lastIndexOf(day) - first + 1 === count;
    const rows = together ? undefined : rowsOf(days, day, count);
    const pick = (column: Column) => (rows ? takeRows(column, rows) : sliceColumn(column, first, first + count));
    return [day, { rowCount: count, columns: new Map([...batch.columns].map(([name, c]) => [name, pick(c)])) }];
  });
}

function rowsOf(days: Int32Array, day: number, count: number): Int32Array {
  const rows = new Int32Array(count);
  for (let row = 0, n = 0; row < days.length; row++) if (days[row] === day) rows[n++] = row;
  return rows;
}
