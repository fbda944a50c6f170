/**
 * Columns as they travel between tables, the encoder and requests: one typed array each, no object per row.
 *
 * `valid` has one byte a row, 1 where there is a value; it is absent where the column has no nulls. Values under a null
 * are unspecified.
 */
export type Column = IntegerColumn | NumberColumn | TextColumn | ListColumn;

/**
 * Whole numbers of up to 64 bits, Booleans (0 and 1), dates and timestamps (milliseconds since 1970, UTC).
 * An unsigned 64-bit column keeps its bit pattern and says so.
 */
export interface IntegerColumn {
  readonly type: 'integer';
  readonly rowCount: number;
  readonly values: Int32Array | BigInt64Array;
  readonly valid?: Uint8Array;
  readonly unsigned?: boolean;
  /** How the file typed it, where that is narrower than "integer". */
  readonly meaning?: 'boolean' | 'timestamp';
}

/** Floating-point numbers (and decimals). */
export interface NumberColumn {
  readonly type: 'number';
  readonly rowCount: number;
  readonly values: Float32Array | Float64Array;
  readonly valid?: Uint8Array;
}

/** UTF-8 text: row `r` is `bytes[offsets[r] .. offsets[r+1])`. */
export interface TextColumn {
  readonly type: 'text';
  readonly rowCount: number;
  readonly offsets: Int32Array;
  readonly bytes: Uint8Array;
  readonly valid?: Uint8Array;
  /**
   * Where the file had a dictionary: row `r` is entry `indices[r]` of `offsets` and `bytes`, so that each distinct text
   * is hashed once.
   */
  readonly indices?: Int32Array;
}

/** Lists: row `r` holds `items` from `offsets[r]` to `offsets[r+1]`. */
export interface ListColumn {
  readonly type: 'list';
  readonly rowCount: number;
  readonly offsets: Int32Array;
  readonly items: IntegerColumn | NumberColumn | TextColumn;
  readonly valid?: Uint8Array;
}

/** Rows as columns; all of one length. */
export interface ColumnBatch {
  readonly rowCount: number;
  readonly columns: ReadonlyMap<string, Column>;
  /** Where the rows were read, for messages. */
  readonly origin?: RowOrigin;
}

export interface RowOrigin {
  readonly file: string;
  /** Of the first row in the file, from 0. */
  readonly firstRow: number;
  /** Which rows after that these are; one after the other where absent. */
  readonly rows?: Int32Array;
}

/** A column's type in words, for messages: `integer`, `text`, `list of number`. */
export function typeName(column: Column): string {
  return column.type === 'list' ? `list of ${column.items.type}` : column.type;
}
