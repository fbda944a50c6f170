import type { Column } from '../schema/columns.ts';
import { writeTypeOf } from './arrowBatches.ts';
import { columnFromValues } from './columnBuilder.ts';
import { createTableWriter } from './parquetWriter.ts';

/** For tests: writes a Parquet file of these columns, of values or as they are. @returns its path */
export async function writeTestTable(
  path: string,
  columns: Readonly<Record<string, readonly unknown[] | Column>>,
): Promise<string> {
  const built = new Map(
    Object.entries(columns).map(([name, values]) => [
      name,
      'rowCount' in values ? values : columnFromValues(values as readonly unknown[]),
    ]),
  );
  const specs = [...built].map(([name, column]) => ({ name, type: writeTypeOf(column) }));
  const writer = await createTableWriter(path, { columns: specs });
  await writer.append({ rowCount: [...built.values()][0].rowCount, columns: built });
  await writer.close();
  return path;
}
