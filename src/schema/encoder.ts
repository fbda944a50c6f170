import { assert, UserError } from '../core/errors.ts';
import type { ColumnBatch } from './columns.ts';
import type { EncodedColumn, EncodedDense, EncodedFields } from './encoded.ts';
import { BatchReader } from './fieldKeys.ts';
import { columnOf, isEmbedded, isMade, missingId, tableOf } from './fields.ts';
import { columnTypeOf, type Fitted, type VectorStatistics } from './fitted.ts';
import type { Keys } from './keys.ts';
import { MatchCounter } from './matches.ts';
import {
  bucketise,
  numbersOf,
  standardise,
  standardiseVectors,
  type VectorScale,
  vectorNumbersOf,
  vectorScale,
  vectorsOf,
} from './numbers.ts';
import { placed } from './rowError.ts';
import type { CrossField, Field, IdField, IdsField, MatchField, Schema, VectorField } from './schema.ts';
import type { Vocabulary } from './vocabulary.ts';

export const defaultMaxItems = 50;

/** Turns raw columns into what models take: the one encoder of training and serving. */
export interface Encoder {
  readonly schema: Schema;
  readonly fitted: Fitted;
  /**
   * @param fields those to encode; all of the schema's where absent
   * @throws UserError if a column is missing or of another type than in training
   */
  encode(batch: ColumnBatch, fields?: readonly Field[]): EncodedFields;
  /** Encodes one field from keys at hand: a cross of a request's and an ad's values. */
  encodeKeys(field: IdField | IdsField | CrossField, keys: Keys): EncodedColumn;
  /** Encodes a standardised vector's numbers at hand, [rows, length], into `out` of the same size: a counter of a request's candidates. */
  encodeVectors(field: VectorField, values: Float32Array, out: Float32Array): EncodedDense;
  /** What `encodeVectors` does to each number, for those that are kept encoded. */
  vectorScale(field: VectorField): VectorScale;
}

export function createEncoder(schema: Schema, fitted: Fitted): Encoder {
  const byName = new Map(schema.fields.map((field) => [field.name, field]));
  const matches = new MatchCounter();
  return {
    schema,
    fitted,
    encode(batch, fields = schema.fields) {
      const reader = new BatchReader(batch, byName);
      const encoded = new Map<string, EncodedColumn>();
      const encode = (field: Exclude<Field, MatchField>) => {
        checkType(field, reader, fitted);
        return placed(batch, () => encodeField(field, reader, fitted));
      };
      for (const field of fields) if (field.kind !== 'match') encoded.set(field.name, encode(field));
      for (const field of fields) {
        if (field.kind !== 'match') continue;
        const [first, second] = field.of.map((name) => encoded.get(name) ?? encode(byName.get(name) as IdField));
        encoded.set(field.name, matches.count(first, second, batch.rowCount));
      }
      return { rowCount: batch.rowCount, fields: encoded };
    },
    encodeKeys: (field, keys) => encodeKeys(field, keys, fitted),
    encodeVectors: (field, values, out) => encodeVectors(field, values, fitted, out),
    vectorScale: (field) => vectorScale(field, vectorStatistics(field, fitted)),
  };
}

/** Integers may stand where floats did: both are numbers. */
function checkType(field: Field, reader: BatchReader, fitted: Fitted): void {
  if (isMade(field)) return;
  const name = columnOf(field);
  const expected = fitted.columnTypes.get(name);
  const got = columnTypeOf(reader.column(name, `field '${field.name}'`));
  if (expected === got || expected === undefined) return;
  const numeric = (type: string) => type.replace('integer', 'number');
  if (numeric(expected) === numeric(got)) return;
  throw new UserError(
    `field '${field.name}': column '${name}' was ${expected} in training but is ${got} here; write it with the same type`,
  );
}

function encodeField(field: Exclude<Field, MatchField>, reader: BatchReader, fitted: Fitted): EncodedColumn {
  switch (field.kind) {
    case 'vector': {
      const name = columnOf(field);
      const column = reader.column(name, `field '${field.name}'`);
      if (!field.standardise) return { kind: 'dense', width: field.length, values: vectorsOf(column, field, name) };
      return encodeVectors(field, vectorNumbersOf(column, field, name), fitted);
    }
    case 'number': {
      const name = columnOf(field);
      const values = numbersOf(reader.column(name, `field '${field.name}'`), field, name);
      const statistics = fitted.numbers.get(field.name);
      assert(statistics !== undefined, `no statistics for '${field.name}'`);
      if (isEmbedded(field)) return { kind: 'id', ids: bucketise(values, statistics.boundaries ?? []) };
      return { kind: 'dense', width: 1, values: standardise(values, field, statistics) };
    }
    default:
      return encodeKeys(field, reader.keysOf(field), fitted);
  }
}

function encodeVectors(
  field: VectorField,
  values: Float64Array | Float32Array,
  fitted: Fitted,
  out?: Float32Array,
): EncodedDense {
  const encoded = standardiseVectors(values, field, vectorStatistics(field, fitted), out);
  return { kind: 'dense', width: field.length, values: encoded };
}

function vectorStatistics({ name }: VectorField, { vectors }: Fitted): VectorStatistics {
  const statistics = vectors.get(name);
  assert(statistics !== undefined, `no statistics for '${name}'`);
  return statistics;
}

function encodeKeys(field: IdField | IdsField | CrossField, keys: Keys, fitted: Fitted): EncodedColumn {
  const vocabulary = fitted.vocabularies.get(tableOf(field) as string);
  assert(vocabulary !== undefined, `no vocabulary for '${field.name}'`);
  const { words, offsets, valid, rowCount } = keys;
  if (offsets === undefined) {
    const ids = new Int32Array(rowCount);
    for (let row = 0; row < rowCount; row++) {
      ids[row] =
        valid !== undefined && valid[row] === 0 ? missingId : vocabulary.lookup(words[2 * row], words[2 * row + 1]);
    }
    return { kind: 'id', ids };
  }
  return encodeLists(words, offsets, valid, rowCount, field, vocabulary);
}

function encodeLists(
  words: Int32Array,
  offsets: Int32Array,
  valid: Uint8Array | undefined,
  rowCount: number,
  field: Field,
  vocabulary: Vocabulary,
): EncodedColumn {
  // A sequence has its latest event first, and so keeps the latest.
  const { maxItems = defaultMaxItems, pooling = 'mean' } = field as Partial<IdsField>;
  const cut = new Int32Array(rowCount + 1);
  for (let row = 0; row < rowCount; row++)
    cut[row + 1] = cut[row] + Math.min(maxItems, offsets[row + 1] - offsets[row]);
  const ids = new Int32Array(cut[rowCount]);
  for (let row = 0; row < rowCount; row++) {
    for (let i = cut[row], from = offsets[row]; i < cut[row + 1]; i++, from++)
      ids[i] =
        valid !== undefined && valid[from] === 0 ? missingId : vocabulary.lookup(words[2 * from], words[2 * from + 1]);
  }
  return { kind: 'ids', offsets: cut, ids, pooling };
}
