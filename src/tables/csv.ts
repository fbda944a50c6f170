import { createReadStream } from 'node:fs';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { listOf, messageOf, UserError } from '../core/errors.ts';
import type { Column, ColumnBatch } from '../schema/columns.ts';
import { type CellBuilder, createCellBuilder } from './csvColumns.ts';
import { type CsvRecord, createRecordSplitter } from './csvRecords.ts';
import { type CsvType, type InferredType, inferType, parseNumber } from './csvTypes.ts';
import { openFile, readBytes } from './fileBytes.ts';

export interface CsvOptions {
  /** Told from the first lines if absent: the one of `,` tab `;` `|` that splits them best. */
  readonly delimiter?: string;
  /** Whether the first line names the columns; if absent, it does unless one of its cells is a number. */
  readonly header?: boolean;
  /** Types by column name; the others are inferred. */
  readonly types?: Readonly<Record<string, CsvType>>;
  /** How many rows types are inferred from; 10,000 if absent. */
  readonly sampleRows?: number;
  /** Rows of a batch; 100,000 if absent. */
  readonly batchRows?: number;
}

export interface CsvColumn extends InferredType {
  readonly name: string;
}

/** Rows of a CSV file, and the line that each begins on. */
export interface CsvBatch extends ColumnBatch {
  readonly lines: Int32Array;
}

/** A CSV file of known columns, its rows still to be read. */
export interface CsvFile {
  readonly file: string;
  readonly delimiter: string;
  readonly columns: readonly CsvColumn[];
  /** Reads on; once only. */
  batches(): AsyncGenerator<CsvBatch>;
  /** Stops reading, where `batches` was not called or not read to its end. */
  close(): Promise<void>;
}

const SAMPLE_ROWS = 10_000;
const BATCH_ROWS = 100_000;
const DELIMITERS = [',', '\t', ';', '|'];

/**
 * Opens a CSV or TSV file, gzipped or not, and finds out its delimiter, header and types. Quoting as in RFC 4180; a byte
 * order mark, CRLF and blank lines are fine.
 *
 * @throws UserError naming file and line: an empty file, no rows, two columns of one name, damaged gzip, bad quoting, a
 *   row of another length, and later, from `batches`, a value that contradicts its column's type
 */
export async function openCsv(file: string, options: CsvOptions = {}): Promise<CsvFile> {
  const chunks = texts(file, await openBytes(file));
  try {
    const head = await chunks.next();
    if (head.done) throw new UserError(`${file}: is empty; a CSV file with a header line was expected`);
    const delimiter = options.delimiter ?? inferDelimiter(head.value);
    if (delimiter.length !== 1)
      throw new UserError(`delimiter '${delimiter}' has ${delimiter.length} characters, not 1`);
    const records = splitRecords(file, delimiter, head.value, chunks);
    const waiting: CsvRecord[] = [];
    const sampleRows = options.sampleRows ?? SAMPLE_ROWS;
    for (let next: IteratorResult<CsvRecord[]>; waiting.length <= sampleRows; ) {
      if ((next = await records.next()).done) break;
      for (const record of next.value) waiting.push(record);
    }
    if (waiting.length === 0) throw new UserError(`${file}: has no lines but blank ones; a header line was expected`);
    const first = waiting[0].cells;
    const hasHeader = options.header ?? !first.some((cell) => parseNumber(cell.trim()) !== undefined);
    const names = columnNames(file, first, hasHeader);
    if (hasHeader) waiting.shift();
    if (waiting.length === 0) throw new UserError(`${file}: has a header line but no rows`);
    for (const record of waiting) checkLength(file, record, names);
    const columns = columnTypes(file, names, waiting.slice(0, sampleRows), options.types ?? {});
    return {
      file,
      delimiter,
      columns,
      batches: () => batches(file, columns, waiting, records, options.batchRows ?? BATCH_ROWS),
      close: async () => void (await chunks.return(undefined)),
    };
  } catch (error) {
    await chunks.return(undefined);
    throw error;
  }
}

async function openBytes(file: string): Promise<Readable> {
  const handle = await openFile(file);
  const { size } = await handle.stat();
  const magic = await readBytes(handle, file, 0, Math.min(2, size));
  await handle.close();
  const source = createReadStream(file, { highWaterMark: 256 * 1024 });
  if (magic[0] !== 0x1f || magic[1] !== 0x8b) return source;
  // The error reaches the reader through the last stream.
  return pipeline(source, createGunzip({ chunkSize: 256 * 1024 }), () => undefined);
}

/** The file's text, chunk by chunk; the first holds the first line, or 64 KiB. */
async function* texts(file: string, stream: Readable): AsyncGenerator<string, undefined> {
  // A byte order mark is dropped; bytes that are no UTF-8 are refused.
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let text = '';
  let isFirst = true;
  try {
    for await (const chunk of stream) {
      text += decoder.decode(chunk as Buffer, { stream: true });
      if (isFirst && text.length < 65_536 && !text.includes('\n')) continue;
      isFirst = false;
      yield text;
      text = '';
    }
    text += decoder.decode();
    if (text !== '') yield text;
  } catch (error) {
    throw readError(file, error);
  }
  return undefined;
}

async function* splitRecords(
  file: string,
  delimiter: string,
  head: string,
  rest: AsyncGenerator<string, undefined>,
): AsyncGenerator<CsvRecord[], undefined> {
  const splitter = createRecordSplitter(file, delimiter);
  yield splitter.push(head);
  for await (const text of rest) yield splitter.push(text);
  yield splitter.end();
  return undefined;
}

/** The delimiter that splits the first line into the most cells, counting outside quotes. */
export function inferDelimiter(text: string): string {
  const line = text.slice(0, Math.max(text.search(/\r?\n/), 0) || undefined).replace(/"([^"]|"")*"/g, '');
  let best = DELIMITERS[0];
  for (const delimiter of DELIMITERS) if (line.split(delimiter).length > line.split(best).length) best = delimiter;
  return best;
}

function readError(file: string, error: unknown): UserError {
  if (error instanceof UserError) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') {
    return new UserError(`${file}: is not UTF-8 text; convert it first, for example with iconv`);
  }
  if (code?.startsWith('Z_')) return new UserError(`${file}: is damaged or cut-short gzip; copy or write it again`);
  return new UserError(`${file}: cannot be read (${code ?? messageOf(error)}); name a CSV file that may be read`);
}

function columnNames(file: string, cells: readonly string[], hasHeader: boolean): string[] {
  const names = cells.map((cell, i) => (hasHeader && cell.trim()) || `column${i + 1}`);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new UserError(`${file}: line 1 names two columns '${twice}'; rename one`);
  return names;
}

function checkLength(file: string, { line, cells }: CsvRecord, names: readonly string[]): void {
  if (cells.length === names.length) return;
  throw new UserError(
    `${file}: line ${line} has ${cells.length} cells, ${names.length} were expected as in line 1; check its quoting and delimiter`,
  );
}

function columnTypes(
  file: string,
  names: readonly string[],
  sample: readonly CsvRecord[],
  types: Readonly<Record<string, CsvType>>,
): CsvColumn[] {
  const unknown = Object.keys(types).filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    const has = listOf(names.map((name) => `'${name}'`));
    throw new UserError(`${file}: has no column ${listOf(unknown.map((n) => `'${n}'`))}; it has ${has}`, 'missing');
  }
  return names.map((name, i) => {
    const inferred = inferType(sample.map(({ cells }) => cells[i]));
    const type = types[name] ?? inferred.type;
    return { name, type, unsigned: type === 'integer' ? inferred.unsigned : undefined };
  });
}

async function* batches(
  file: string,
  columns: readonly CsvColumn[],
  sample: CsvRecord[],
  rest: AsyncGenerator<CsvRecord[], undefined>,
  batchRows: number,
): AsyncGenerator<CsvBatch> {
  const names = columns.map((column) => column.name);
  const builders = columns.map((column) => createCellBuilder(column, batchRows));
  const lines = new Int32Array(batchRows);
  let rowCount = 0;
  const take = (): CsvBatch => {
    const taken = new Map(builders.map((builder, i): [string, Column] => [names[i], builder.take()]));
    const batch = { rowCount, columns: taken, lines: lines.slice(0, rowCount) };
    rowCount = 0;
    return batch;
  };
  try {
    for (let records = sample.splice(0); ; ) {
      for (const record of records) {
        checkLength(file, record, names);
        addRow(file, columns, builders, record);
        lines[rowCount] = record.line;
        if (++rowCount === batchRows) yield take();
      }
      const next = await rest.next();
      if (next.done) break;
      records = next.value;
    }
    if (rowCount > 0) yield take();
  } finally {
    await rest.return(undefined);
  }
}

function addRow(
  file: string,
  columns: readonly CsvColumn[],
  builders: readonly CellBuilder[],
  { line, cells }: CsvRecord,
): void {
  for (let i = 0; i < builders.length; i++) {
    if (builders[i].add(cells[i])) continue;
    const { name, type } = columns[i];
    const value = cells[i].length > 40 ? `${cells[i].slice(0, 40)}…` : cells[i];
    throw new UserError(
      `${file}: line ${line}, column '${name}': '${value}' is no ${type}, which the column's other values are; give the column's type (--type ${name}=${type === 'integer' ? 'number' : 'text'})`,
    );
  }
}
