import { join } from 'node:path';
import { assert, UserError } from '../../src/core/errors.ts';
import type { Column, ColumnBatch, TextColumn } from '../../src/schema/columns.ts';
import { takeRows } from '../../src/schema/selectRows.ts';
import type { ColumnSpec } from '../../src/tables/arrowBatches.ts';
import { textAt } from '../../src/tables/columnBuilder.ts';
import { type CsvBatch, openCsv } from '../../src/tables/csv.ts';
import type { CsvType } from '../../src/tables/csvTypes.ts';
import { createOutputFolder } from '../../src/tables/outputFolder.ts';
import { createTableWriter, type TableWriter } from '../../src/tables/parquetWriter.ts';
import type { ImportResult } from '../csv/importCsv.ts';
import { sourceFiles } from '../sourceFiles.ts';

/** All as text: ids and lists are parsed here, so that a fault is told with its line. */
const TYPES: Readonly<Record<string, CsvType>> = {
  session: 'text',
  query_region: 'text',
  results: 'text',
  clicked_sequence: 'text',
};

const COLUMNS: readonly ColumnSpec[] = [
  { name: 'session', type: 'int64' },
  { name: 'query_region', type: 'text' },
  { name: 'position', type: 'int32' },
  { name: 'result', type: 'int64' },
  { name: 'click', type: 'int32' },
  { name: 'click_order', type: 'int32' },
];

/** More results than this are no page. */
const RESULTS_MOST = 100;
const BATCH_PAGES = 10_000;

/** What the warning is made of. */
interface Counts {
  clicks: number;
  elsewhere: number;
}

/**
 * Imports search result pages with their clicks (a sample of Yandex's relevance prediction challenge of 2011): every `*.tsv[.gz]` of a
 * folder, in order of name, as one Parquet file of one row a result shown, pages in the order of their lines.
 *
 * | column | what |
 * |---|---|
 * | `session` | the page |
 * | `query_region` | as in the file: the query, `_`, the region that it came from |
 * | `position` | 1, the top, to as many as there are results, 10 in the public sample |
 * | `result` | the result's id, 64 bits |
 * | `click` | 1 where it was clicked, once or more, else 0 |
 * | `click_order` | 1 for the result of the page that was clicked first, 2 for the next other one, …; null without a click |
 *
 * Clicks on what the page does not list are left out, with a warning.
 *
 * @throws UserError for missing or malformed files, with the line of a page whose ids are no whole numbers of 63 bits, that has no results,
 *   or one twice; and for an output folder that holds anything; no file is left then
 */
export async function importYandex(fromDir: string, outDir: string): Promise<ImportResult> {
  const files = await sourceFiles(fromDir, '', 'tsv', 'result pages');
  const counts: Counts = { clicks: 0, elsewhere: 0 };
  let writer: TableWriter | undefined;
  try {
    for (const file of files) {
      const csv = await openCsv(file, { types: TYPES, delimiter: '\t', header: true, batchRows: BATCH_PAGES });
      for await (const batch of csv.batches()) {
        const rows = resultRows(file, batch, counts);
        if (!writer) {
          await createOutputFolder(outDir);
          writer = await createTableWriter(join(outDir, 'part-0.parquet'), { columns: COLUMNS });
        }
        await writer.append(rows);
      }
    }
    assert(writer, 'a file has rows');
    await writer.close();
  } catch (error) {
    await writer?.abort();
    throw error;
  }
  const warnings =
    counts.elsewhere > 0
      ? [
          `${counts.elsewhere} of ${counts.clicks} clicks are on results that their page does not list; they are left out`,
        ]
      : [];
  return { rowCount: writer.rowCount, files: [writer.path], days: [], warnings };
}

/** A row a result of a batch of pages. */
function resultRows(file: string, { rowCount, columns, lines }: CsvBatch, counts: Counts): ColumnBatch {
  const sessions: bigint[] = [];
  const pages: number[] = [];
  const positions: number[] = [];
  const results: bigint[] = [];
  const orders: number[] = [];
  const cell = (name: string, row: number) => textAt(columns.get(name) as TextColumn, row);
  for (let page = 0; page < rowCount; page++) {
    const where = `${file}: line ${lines[page]}`;
    const session = idOf(cell('session', page), where, 'session');
    const shown = cell('results', page)
      .split(',')
      .map((id) => idOf(id, where, 'result'));
    if (cell('query_region', page) === '') throw new UserError(`${where}: has no query_region; expected text`);
    if (shown.length > RESULTS_MOST) {
      throw new UserError(`${where}: has ${shown.length} results; expected ${RESULTS_MOST} at most`);
    }
    const orderOf = new Map(shown.map((id) => [id, 0]));
    if (orderOf.size < shown.length) throw new UserError(`${where}: lists a result twice; expected each once`);
    countClicks(cell('clicked_sequence', page), where, orderOf, counts);
    for (const [i, id] of shown.entries()) {
      sessions.push(session);
      pages.push(page);
      positions.push(i + 1);
      results.push(id);
      orders.push(orderOf.get(id) ?? 0);
    }
  }
  const rows = pages.length;
  const integers = (values: readonly number[], valid?: Uint8Array) =>
    ({ type: 'integer', rowCount: rows, values: Int32Array.from(values), valid }) as const;
  const clicks = orders.map((order) => Math.min(1, order));
  return {
    rowCount: rows,
    columns: new Map<string, Column>([
      ['session', { type: 'integer', rowCount: rows, values: BigInt64Array.from(sessions) }],
      ['query_region', takeRows(columns.get('query_region') as TextColumn, Int32Array.from(pages))],
      ['position', integers(positions)],
      ['result', { type: 'integer', rowCount: rows, values: BigInt64Array.from(results) }],
      ['click', integers(clicks)],
      ['click_order', integers(orders, Uint8Array.from(clicks))],
    ]),
  };
}

/** Gives each result its place among those clicked, in order of their first clicks. */
function countClicks(sequence: string, where: string, orderOf: Map<bigint, number>, counts: Counts): void {
  if (sequence === '') return;
  let order = 0;
  for (const text of sequence.split(',')) {
    const id = idOf(text, where, 'clicked result');
    const before = orderOf.get(id);
    counts.clicks++;
    if (before === undefined) counts.elsewhere++;
    else if (before === 0) orderOf.set(id, ++order);
  }
}

function idOf(text: string, where: string, what: string): bigint {
  const id = /^\d{1,19}$/.test(text) ? BigInt(text) : -1n;
  if (id >= 0n && id < 1n << 63n) return id;
  const shown = text.length > 40 ? `${text.slice(0, 40)}…` : text;
  throw new UserError(`${where}: has the ${what} '${shown}'; expected a whole number from 0 to 2^63 − 1`);
}
