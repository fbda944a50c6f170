import { listOf, messageOf, UserError } from '../core/errors.ts';
import type { Column, ColumnBatch } from '../schema/columns.ts';
import { nullColumn } from './arrowColumns.ts';
import { type ArrowField, readField } from './arrowMemory.ts';
import { type ArrowKind, type ColumnType, kindOf } from './arrowTypes.ts';
import { openFile } from './fileBytes.ts';
import { expandPatterns } from './filePatterns.ts';
import { decodeRows } from './parquetDecode.ts';
import { damaged, type ParquetFooter, type RowGroup, readFooter } from './parquetFooter.ts';
import { extractRowGroup, schemaOnly } from './parquetPieces.ts';
import { parquetMemory, withParquet } from './parquetWasm.ts';
import { constantText, partitionValues } from './partitions.ts';

/** One column of a table. */
export interface ColumnInfo {
  readonly name: string;
  readonly type: ColumnType;
  /** The file's own type in words: `INT64`, `LIST of FLOAT`; `FOLDER NAME` for a value of a `name=value` folder. */
  readonly fileType: string;
  readonly meaning?: 'boolean' | 'timestamp';
}

export interface ScanOptions {
  /** The columns to read, in this order; all readable ones if absent. */
  readonly columns?: readonly string[];
  /** The most rows a batch holds, 131,072 if absent; larger row groups are read in parts of one size. */
  readonly batchRows?: number;
}

/** Parquet files read as one table, their rows in the order of the files. */
export interface Table {
  readonly files: readonly string[];
  readonly columns: readonly ColumnInfo[];
  readonly rowCount: number;
  /** Reads row group by row group, and large ones in parts, so that memory holds one batch. May be called again. */
  scan(options?: ScanOptions): AsyncIterable<ColumnBatch>;
}

interface TableFile {
  readonly footer: ParquetFooter;
  readonly kinds: ReadonlyMap<string, ArrowKind>;
  readonly partitions: ReadonlyMap<string, string>;
}

const BATCH_ROWS = 131_072;
/** Columns of a row group are decoded together up to this size, which bounds WebAssembly memory. */
const DECODE_BYTES = 32 * 1024 * 1024;

/**
 * Opens Parquet files as one table: a file, a folder (every `.parquet` below it) or a glob, or several of those.
 *
 * A folder name such as `date=2022-04-25` on the way to a file gives a text column `date` for its rows, unless the file
 * has a column of that name, which then counts.
 *
 * @throws UserError for a pattern without files, a file that is no whole Parquet file, files whose columns differ
 */
export async function openTable(patternsOrFiles: string | readonly string[]): Promise<Table> {
  const names = await expandPatterns(patternsOrFiles, '.parquet');
  const files: TableFile[] = [];
  for (const name of names) {
    const footer = await readFooter(name);
    files.push({ footer, kinds: readKinds(footer), partitions: partitionValues(name) });
  }
  const columns = tableColumns(files);
  return {
    files: names,
    columns,
    rowCount: files.reduce((sum, file) => sum + file.footer.rowCount, 0),
    scan: (options = {}) => scan(files, columns, options),
  };
}

function readKinds(footer: ParquetFooter): Map<string, ArrowKind> {
  let root: ArrowField;
  try {
    root = withParquet((parquet) => {
      const schema = parquet.readSchema(schemaOnly(footer)).intoFFI();
      try {
        return readField(parquetMemory(parquet), schema.addr());
      } finally {
        schema.free();
      }
    });
  } catch (error) {
    throw damaged(footer.file, `its schema does not parse: ${messageOf(error)}`);
  }
  const kinds = new Map<string, ArrowKind>();
  for (const field of root.children) {
    if (kinds.has(field.name)) {
      throw new UserError(`${footer.file}: has two columns named '${field.name}'; rename one`);
    }
    kinds.set(field.name, kindOf(field));
  }
  return kinds;
}

/** The columns all files share, checked to be of one type; those that some files lack are left out. */
function tableColumns(files: readonly TableFile[]): ColumnInfo[] {
  const columns = new Map<string, ColumnInfo & { from: string }>();
  for (const { footer, kinds, partitions } of files) {
    const file = footer.file;
    for (const [name, { type, fileType, meaning }] of kinds) {
      const seen = columns.get(name);
      if (!seen || seen.fileType === 'NULL') columns.set(name, { name, type, fileType, meaning, from: file });
      else if (seen.type !== type && fileType !== 'NULL') throw differing(name, seen, fileType, file);
    }
    for (const name of partitions.keys()) {
      const seen = columns.get(name);
      if (kinds.has(name)) continue;
      if (!seen) columns.set(name, { name, type: 'text', fileType: 'FOLDER NAME', from: file });
      else if (seen.type !== 'text') throw differing(name, seen, 'FOLDER NAME', file);
    }
  }
  return [...columns.values()].map(({ from: _from, ...column }) => column);
}

function differing(name: string, seen: ColumnInfo & { from: string }, fileType: string, file: string): UserError {
  return new UserError(
    `column '${name}' is ${seen.fileType} in ${seen.from} but ${fileType} in ${file}; read them apart, or write one of them again`,
  );
}

async function* scan(
  files: readonly TableFile[],
  known: readonly ColumnInfo[],
  options: ScanOptions,
): AsyncGenerator<ColumnBatch> {
  const wanted = chooseColumns(files, known, options.columns);
  const batchRows = options.batchRows ?? BATCH_ROWS;
  for (const file of files) {
    const handle = await openFile(file.footer.file);
    let firstRow = 0;
    try {
      for (const group of file.footer.rowGroups) {
        if (group.rowCount === 0) continue;
        const groups = columnGroups(file, group, wanted);
        // Even parts: a small last one would cost as much to fetch as a large one.
        const rows = Math.ceil(group.rowCount / Math.ceil(group.rowCount / batchRows));
        for (let index = 0; index * rows < group.rowCount; index++) {
          const rowCount = Math.min(rows, group.rowCount - index * rows);
          const read = new Map<string, Column>();
          for (const names of groups) {
            const bytes = await extractRowGroup(handle, file.footer, group, names);
            decodeRows(file.footer.file, bytes, { index, rows, rowCount }, read);
          }
          yield {
            rowCount,
            columns: inOrder(file, rowCount, wanted, read),
            origin: { file: file.footer.file, firstRow },
          };
          firstRow += rowCount;
        }
      }
    } finally {
      await handle.close();
    }
  }
}

/** The columns to read, each present in every file (or told by its folders) and of a type we read. */
function chooseColumns(
  files: readonly TableFile[],
  known: readonly ColumnInfo[],
  names: readonly string[] | undefined,
): ColumnInfo[] {
  const byName = new Map(known.map((column) => [column.name, column]));
  const wanted = (names ?? known.filter((c) => c.type !== 'unsupported').map((c) => c.name)).map((name) => {
    const column = byName.get(name);
    if (!column) {
      const has = listOf(known.map((c) => `'${c.name}'`));
      throw new UserError(`${files[0].footer.file}: has no column '${name}'; it has ${has}`, 'missing');
    }
    if (column.type === 'unsupported') {
      throw new UserError(
        `column '${name}' is ${column.fileType}, which is not read; write its parts as columns of their own`,
        'unsupported',
      );
    }
    return column;
  });
  for (const { footer, kinds, partitions } of files) {
    const missing = wanted.filter(({ name }) => !kinds.has(name) && !partitions.has(name));
    if (missing.length === 0) continue;
    throw new UserError(
      `${footer.file}: has no column ${listOf(missing.map((c) => `'${c.name}'`))}, which other files of the table have; write it again with it, or leave the file out`,
      'missing',
    );
  }
  return wanted;
}

/** The wanted columns that the file itself holds, in groups to be decoded together. */
function columnGroups(file: TableFile, group: RowGroup, wanted: readonly ColumnInfo[]): Set<string>[] {
  const byteSizes = new Map<string, number>();
  for (const chunk of group.chunks) {
    byteSizes.set(chunk.column, (byteSizes.get(chunk.column) ?? 0) + chunk.uncompressedBytes);
  }
  const groups: Set<string>[] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const { name } of wanted) {
    if (!file.kinds.has(name)) continue;
    const size = byteSizes.get(name);
    if (size === undefined) throw damaged(file.footer.file, `a row group lacks column '${name}'`);
    bytes += size;
    if (bytes > DECODE_BYTES) {
      groups.push(new Set());
      bytes = size;
    }
    groups[groups.length - 1].add(name);
  }
  return groups;
}

function inOrder(
  file: TableFile,
  rowCount: number,
  wanted: readonly ColumnInfo[],
  read: ReadonlyMap<string, Column>,
): Map<string, Column> {
  const columns = new Map<string, Column>();
  for (const { name, type } of wanted) {
    const isNull = file.kinds.get(name)?.fileType === 'NULL';
    const folder = file.partitions.get(name) ?? '';
    const column = read.get(name) ?? constantText(folder, rowCount);
    const family = type.startsWith('list') ? 'list' : (type as 'integer' | 'number' | 'text');
    columns.set(name, isNull ? nullColumn(family, rowCount) : column);
  }
  return columns;
}
