import { existsSync } from 'node:fs';
import { UserError } from '../src/core/errors.ts';
import type { Bundle } from '../src/model/bundle.ts';
import type { Column } from '../src/schema/columns.ts';
import type { Scorer } from '../src/scoring/scorer.ts';
import { type WriteType, writeTypeOf } from '../src/tables/arrowBatches.ts';
import { openTable } from '../src/tables/parquetReader.ts';
import { createTableWriter, type TableWriter } from '../src/tables/parquetWriter.ts';
import { withHistory } from './history/withHistory.ts';
import { calibrateAll } from './judge.ts';
import type { Reporter } from './reporter.ts';
import { scoreTable } from './scoreTable.ts';

/** Other files of the table may hold a column with more bits than the first. */
function wideTypeOf(column: Column): WriteType {
  const type = writeTypeOf(column);
  return type.replace(/int32$/, 'int64').replace(/float$/, 'double') as WriteType;
}

/** The name of a task's column in a table of predictions. */
export const predictionColumn = (task: string) => `p_${task}`;

/**
 * Writes a table's key columns and labels beside one calibrated probability a task.
 *
 * The key columns are the schema's `keys`, or its user, request and time columns where it names none; labels and keys the
 * table lacks are left out. History is that of the table's own rows, and of what a state given knew before.
 */
export async function predict(
  bundle: Bundle,
  scorer: Scorer,
  data: string | readonly string[],
  out: string,
  reporter: Reporter,
  { history: from }: { readonly history?: string } = {},
): Promise<{ rows: number; columns: string[] }> {
  if (existsSync(out)) throw new UserError(`output file '${out}' exists; name another, or remove it`, 'conflict');
  const { schema } = bundle.typed;
  const [table] = (await withHistory([await openTable(data)], { schema, reporter, from })).tables;
  const has = new Set(table.columns.map((column) => column.name));
  const keys = schema.keys ?? [schema.user, schema.request, schema.time].filter((name) => name !== undefined);
  const copied = [...new Set([...keys, ...schema.labels.map((label) => label.column)])].filter((name) => has.has(name));
  let writer: TableWriter | undefined;
  let rows = 0;
  let columns: string[] = [];
  try {
    for await (const { batch, raw } of scoreTable(bundle, scorer, table, 'optional', reporter, {
      extraColumns: copied,
    })) {
      const output = new Map<string, Column>(copied.map((name) => [name, batch.columns.get(name) as Column]));
      for (const [task, values] of calibrateAll(raw, bundle.manifest.calibration)) {
        output.set(predictionColumn(task), { type: 'number', rowCount: batch.rowCount, values });
      }
      columns = [...output.keys()];
      writer ??= await createTableWriter(out, {
        columns: [...output].map(([name, column]) => ({ name, type: wideTypeOf(column) })),
      });
      await writer.append({ rowCount: batch.rowCount, columns: output });
      rows += batch.rowCount;
    }
    if (writer === undefined)
      throw new UserError(`${table.files[0]}: the table has no rows; name files that have some`);
    await writer.close();
    return { rows, columns };
  } catch (error) {
    await writer?.abort();
    throw error;
  }
}
