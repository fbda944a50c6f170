/** A field's values as a model takes them. */
export type EncodedColumn = EncodedIds | EncodedLists | EncodedDense;

/** One row of an embedding table a row; see `missingId` and `unknownId`. */
export interface EncodedIds {
  readonly kind: 'id';
  readonly ids: Int32Array;
}

/** Several: row `r` has `ids[offsets[r] .. offsets[r+1])`, pooled when gathered; an empty one is the missing row. With pooling `none` they stay apart: a sequence, latest first. */
export interface EncodedLists {
  readonly kind: 'ids';
  readonly offsets: Int32Array;
  readonly ids: Int32Array;
  readonly pooling: 'mean' | 'sum' | 'none';
}

/** `width` numbers a row, row-major. */
export interface EncodedDense {
  readonly kind: 'dense';
  readonly width: number;
  readonly values: Float32Array;
}

export interface EncodedFields {
  readonly rowCount: number;
  readonly fields: ReadonlyMap<string, EncodedColumn>;
}
