import { createRandom } from '../../src/core/random.ts';
import type { Column } from '../../src/schema/columns.ts';
import type { Schema } from '../../src/schema/schema.ts';
import { writeTypeOf } from '../../src/tables/arrowBatches.ts';
import { createTableWriter } from '../../src/tables/parquetWriter.ts';

const idColumns = Array.from({ length: 12 }, (_, i) => `id_${i}`);
const textColumns = Array.from({ length: 10 }, (_, i) => `text_${i}`);
const numberColumns = Array.from({ length: 6 }, (_, i) => `number_${i}`);

/** Values a column draws from: some columns small, some large, as logs have them. */
const cardinality = (i: number) => [10, 100, 1_000, 10_000, 100_000, 300_000][i % 6];

export const schema: Schema = {
  name: 'bench',
  labels: [
    { name: 'click', column: 'click' },
    { name: 'conversion', column: 'conversion', after: 'click' },
  ],
  fields: [
    ...[...idColumns, ...textColumns].map((name) => ({
      name,
      kind: 'id' as const,
      scope: 'request' as const,
      minCount: 2,
    })),
    ...numberColumns.map((name) => ({
      name,
      kind: 'number' as const,
      scope: 'ad' as const,
      transform: 'log1p' as const,
    })),
  ],
};

/** Writes a log of 30 columns: 12 int64 ids, 10 texts, 6 numbers, 2 labels. */
export async function makeLog(path: string, rows: number): Promise<void> {
  const random = createRandom(1);
  const batchRows = 50_000;
  const batch = (rowCount: number): Map<string, Column> => {
    const skewed = (n: number) => Math.floor(n * random.next() ** 2);
    const columns = new Map<string, Column>();
    idColumns.forEach((name, i) => {
      const values = BigInt64Array.from(
        { length: rowCount },
        () => 9_000_000_000_000_000n + BigInt(skewed(cardinality(i))),
      );
      columns.set(name, { type: 'integer', rowCount, values });
    });
    textColumns.forEach((name, i) => {
      const texts = Array.from({ length: rowCount }, () => `value-${skewed(cardinality(i))}`);
      const offsets = new Int32Array(rowCount + 1);
      for (let row = 0; row < rowCount; row++) offsets[row + 1] = offsets[row] + texts[row].length;
      columns.set(name, { type: 'text', rowCount, offsets, bytes: new TextEncoder().encode(texts.join('')) });
    });
    for (const name of numberColumns) {
      columns.set(name, {
        type: 'number',
        rowCount,
        values: Float64Array.from({ length: rowCount }, () => Math.exp(random.normal())),
      });
    }
    const click = Int32Array.from({ length: rowCount }, () => (random.next() < 0.1 ? 1 : 0));
    columns.set('click', { type: 'integer', rowCount, values: click });
    columns.set('conversion', {
      type: 'integer',
      rowCount,
      values: click.map((c) => (c === 1 && random.next() < 0.1 ? 1 : 0)),
    });
    return columns;
  };
  const specs = [...batch(1)].map(([name, column]) => ({ name, type: writeTypeOf(column) }));
  const writer = await createTableWriter(path, { columns: specs });
  for (let done = 0; done < rows; done += batchRows) {
    const rowCount = Math.min(batchRows, rows - done);
    await writer.append({ rowCount, columns: batch(rowCount) });
  }
  await writer.close();
}
