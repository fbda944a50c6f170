import type { Column } from './columns.ts';
import type { Vocabulary } from './vocabulary.ts';

/** What the encoder learned from the training data; it lives in the bundle, never in the schema. */
export interface Fitted {
  /** By table name. */
  readonly vocabularies: ReadonlyMap<string, Vocabulary>;
  /** By field name, for fields of kind number. */
  readonly numbers: ReadonlyMap<string, NumberStatistics>;
  /** By field name, for standardised fields of kind vector. */
  readonly vectors: ReadonlyMap<string, VectorStatistics>;
  /** The type each column had in training, by column name: what a request must send. */
  readonly columnTypes: ReadonlyMap<string, ColumnType>;
}

/** Of the transformed values. */
export interface NumberStatistics {
  readonly mean: number;
  readonly deviation: number;
  /** Upper bounds of all quantile buckets but the last, ascending, in the raw value's unit. */
  readonly boundaries?: readonly number[];
}

/** Of each of a vector's numbers. */
export interface VectorStatistics {
  readonly means: readonly number[];
  readonly deviations: readonly number[];
}

export type ItemType = 'integer' | 'number' | 'text';
export type ColumnType = ItemType | `list of ${ItemType}`;

export function columnTypeOf(column: Column): ColumnType {
  return column.type === 'list' ? `list of ${column.items.type}` : column.type;
}
