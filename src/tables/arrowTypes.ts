import type { ArrowField } from './arrowMemory.ts';

/** A column's type here; `unsupported` for one that is listed but cannot be read (struct, map, list of lists). */
export type ColumnType =
  | 'integer'
  | 'number'
  | 'text'
  | 'list of integer'
  | 'list of number'
  | 'list of text'
  | 'unsupported';

/**
 * How an Arrow type is turned into one of our columns. Only types that a Parquet file itself can state occur: 64-bit
 * offsets, views, dictionaries, fixed-size lists and durations exist in Arrow's own note beside it, which is left out on
 * reading (dictionaries also since the library takes three times as long to give text as one).
 */
export interface ArrowKind {
  readonly type: ColumnType;
  /** The file's type in words, as in `INT64` or `LIST of FLOAT`. */
  readonly fileType: string;
  readonly meaning?: 'boolean' | 'timestamp';
  readonly unsigned?: boolean;
}

const FIXED: Readonly<Record<string, ArrowKind>> = {
  n: { type: 'integer', fileType: 'NULL' },
  b: { type: 'integer', fileType: 'BOOLEAN', meaning: 'boolean' },
  c: { type: 'integer', fileType: 'INT8' },
  C: { type: 'integer', fileType: 'UINT8' },
  s: { type: 'integer', fileType: 'INT16' },
  S: { type: 'integer', fileType: 'UINT16' },
  i: { type: 'integer', fileType: 'INT32' },
  I: { type: 'integer', fileType: 'UINT32' },
  l: { type: 'integer', fileType: 'INT64' },
  L: { type: 'integer', fileType: 'UINT64', unsigned: true },
  e: { type: 'number', fileType: 'FLOAT16' },
  f: { type: 'number', fileType: 'FLOAT' },
  g: { type: 'number', fileType: 'DOUBLE' },
  u: { type: 'text', fileType: 'TEXT' },
  z: { type: 'text', fileType: 'BINARY' },
  tdD: { type: 'integer', fileType: 'DATE', meaning: 'timestamp' },
};

const UNITS: Readonly<Record<string, string>> = { m: 'ms', u: 'µs', n: 'ns' };
const NESTED: Readonly<Record<string, string>> = { '+s': 'STRUCT', '+m': 'MAP' };

/** What a field becomes. */
export function kindOf(field: ArrowField): ArrowKind {
  const { format } = field;
  const fixed = FIXED[format];
  if (fixed) return fixed;
  if (format.startsWith('d:')) return decimalKind(format);
  if (format.startsWith('w:')) return { type: 'text', fileType: `FIXED BINARY(${format.slice(2)})` };
  const unit = UNITS[format[2]];
  if (format.startsWith('ts')) return { type: 'integer', fileType: `TIMESTAMP (${unit})`, meaning: 'timestamp' };
  if (format.startsWith('tt')) return { type: 'integer', fileType: `TIME (${unit})` };
  if (format === '+l') return listKind(field);
  return { type: 'unsupported', fileType: NESTED[format] ?? (format.startsWith('ti') ? 'INTERVAL' : format) };
}

/** Precision, scale and bits of a format such as `d:10,2` or `d:38,0,256`. */
export function decimalOf(format: string): { precision: number; scale: number; bits: number } {
  const [precision, scale, bits = 128] = format.slice(2).split(',').map(Number);
  return { precision, scale, bits };
}

/** A decimal without a fraction is an integer (ids come as DECIMAL(38,0) from some databases), another is a number. */
function decimalKind(format: string): ArrowKind {
  const { precision, scale } = decimalOf(format);
  return { type: scale === 0 ? 'integer' : 'number', fileType: `DECIMAL(${precision},${scale})` };
}

function listKind(field: ArrowField): ArrowKind {
  const items = kindOf(field.children[0]);
  const fileType = `LIST of ${items.fileType}`;
  if (items.type === 'integer' || items.type === 'number' || items.type === 'text') {
    return { type: `list of ${items.type}`, fileType };
  }
  return { type: 'unsupported', fileType };
}
