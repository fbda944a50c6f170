/** The types a CSV column may have; `boolean` and `timestamp` become integer columns that say so. */
export type CsvType = 'integer' | 'number' | 'text' | 'boolean' | 'timestamp';

/** Cells that stand for "no value": the empty one everywhere, and these, as pandas, R and SQL dumps write them. */
const NUMERIC_NULLS = new Set(['', 'NA', 'N/A', 'NaN', 'nan', 'NULL', 'Null', 'null', 'None', 'none', '\\N', '-']);
const TEXT_NULLS = new Set(['', 'NULL', 'null', '\\N']);

/** Whether `cell` is a null in a column of `type`; `NA` and `None` may be words of a text column. */
export function isNullCell(cell: string, type: CsvType): boolean {
  return type === 'text' ? TEXT_NULLS.has(cell) : NUMERIC_NULLS.has(cell);
}

const INTEGER = /^[+-]?\d+$/;
/** A whole number as pandas writes it in a column with missing values. */
const WHOLE = /^[+-]?\d+(\.0*)?$/;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const INFINITE = /^([+-]?)(inf|infinity)$/i;
const BOOLEAN = /^(true|false)$/i;
const DATE_TIME =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*(Z|UTC|[+-]\d{2}:?\d{2})?)?$/;

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
const UINT64_MAX = 2n ** 64n - 1n;

/** A cell as a whole number that 64 bits hold, signed or unsigned; `undefined` if it is none. */
export function parseInteger(cell: string): number | bigint | undefined {
  if (!INTEGER.test(cell)) {
    if (!WHOLE.test(cell)) return undefined;
    return parseInteger(cell.slice(0, cell.indexOf('.')));
  }
  if (cell.length < 16) return Number(cell);
  const value = BigInt(cell.startsWith('+') ? cell.slice(1) : cell);
  return value > UINT64_MAX || value < INT64_MIN ? undefined : value;
}

/** A cell as a floating-point number; `undefined` if it is none. */
export function parseNumber(cell: string): number | undefined {
  if (NUMBER.test(cell)) return Number(cell);
  const infinite = INFINITE.exec(cell);
  if (!infinite) return undefined;
  return infinite[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

/** `true` or `false` in any case, or 1 or 0. */
export function parseBoolean(cell: string): boolean | undefined {
  if (BOOLEAN.test(cell)) return cell.length === 4;
  return cell === '1' ? true : cell === '0' ? false : undefined;
}

/** An ISO 8601 date or date and time as milliseconds since 1970; UTC where it names no zone. Rounded down. */
export function parseTimestamp(cell: string): number | undefined {
  const match = DATE_TIME.exec(cell);
  if (!match) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map((part) => Number(part ?? 0));
  const fraction = Math.floor(Number((match[7] ?? '').padEnd(3, '0').slice(0, 3)));
  const utc = Date.UTC(year, month - 1, day, hour, minute, second, fraction);
  // Date.UTC lets the 31st of February run over into March.
  const date = new Date(utc);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day || hour > 23 || minute > 59) return undefined;
  return utc - zoneMinutes(match[8]) * 60_000;
}

function zoneMinutes(zone: string | undefined): number {
  if (!zone || zone === 'Z' || zone === 'UTC') return 0;
  const digits = zone.replace(':', '');
  return (digits[0] === '-' ? -1 : 1) * (Number(digits.slice(1, 3)) * 60 + Number(digits.slice(3, 5)));
}

/** What a column was found to be; `unsigned` where a value exceeds signed 64 bits. */
export interface InferredType {
  readonly type: CsvType;
  readonly unsigned?: boolean;
}

/**
 * The narrowest type that every cell has, nulls apart; `text` where all are null. A number with leading zeros, such as a
 * postcode, is text.
 */
export function inferType(cells: Iterable<string>): InferredType {
  let integer = true;
  let number = true;
  let boolean = true;
  let timestamp = true;
  let seen = false;
  let negative = false;
  let beyondInt64 = false;
  for (const cell of cells) {
    if (isNullCell(cell, 'number')) continue;
    seen = true;
    if (integer) {
      const value = INTEGER.test(cell) && !/^[+-]?0\d/.test(cell) ? parseInteger(cell) : undefined;
      integer = value !== undefined;
      negative ||= value !== undefined && value < 0;
      beyondInt64 ||= typeof value === 'bigint' && value > INT64_MAX;
    }
    // Whole numbers too large for any integer column (more than 64 bits) are names, not quantities.
    number &&=
      parseNumber(cell) !== undefined &&
      !/^[+-]?0\d/.test(cell) &&
      (integer || !INTEGER.test(cell) || parseInteger(cell) !== undefined);
    boolean &&= BOOLEAN.test(cell);
    timestamp &&= parseTimestamp(cell) !== undefined;
    if (!integer && !number && !boolean && !timestamp) return { type: 'text' };
  }
  if (!seen) return { type: 'text' };
  if (integer) return beyondInt64 && negative ? { type: 'text' } : { type: 'integer', unsigned: beyondInt64 };
  if (boolean) return { type: 'boolean' };
  if (timestamp) return { type: 'timestamp' };
  return { type: number ? 'number' : 'text' };
}
