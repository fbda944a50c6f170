import { createRandom } from '../../src/core/random.ts';
import { openTable } from '../../src/tables/parquetReader.ts';
import { encodeTable, fitSchema } from '../../training/dataset/prepare.ts';
import { schema } from './log.ts';

/* Reads, fits and encodes the log of a folder, and prints one JSON object: a process of its own for its peak memory. */

const table = await openTable(process.argv[2]);
const timed = async <T>(work: () => Promise<T>): Promise<[T, number]> => {
  const startNs = process.hrtime.bigint();
  const result = await work();
  return [result, Number(process.hrtime.bigint() - startNs) / 1e9];
};
const [rows, readSeconds] = await timed(async () => {
  let count = 0;
  for await (const batch of table.scan()) count += batch.rowCount;
  return count;
});
const [{ fitted }, fitSeconds] = await timed(() => fitSchema(table, schema, {}, createRandom(1)));
const [store, encodeSeconds] = await timed(() => encodeTable(table, schema, fitted, {}));
store.dispose();
process.stdout.write(
  JSON.stringify({
    rows,
    readSeconds,
    fitSeconds,
    encodeSeconds,
    peakMemoryMiB: process.resourceUsage().maxRSS / 1024,
  }),
);
