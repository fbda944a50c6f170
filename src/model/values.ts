import type { Scope } from '../schema/scopes.ts';

/** A value's shape for one row; engines store every value as [rows, width], row-major. */
export type ValueType = VectorType | FieldsType | SequenceType;

/** `vector[width]`. */
export interface VectorType {
  readonly kind: 'vector';
  readonly width: number;
}

/** `fields[f, d]`: embeddings side by side; field `i` has `sizes[i]` numbers. */
export interface FieldsType {
  readonly kind: 'fields';
  readonly sizes: readonly number[];
  /** The schema's name of each field. */
  readonly names: readonly string[];
}

/**
 * `sequence[l, d]`: up to `length` events, latest first, each `size` numbers: its embeddings side by side, then a 1. Positions without
 * an event are all zeros, so that the last number says which are there.
 */
export interface SequenceType {
  readonly kind: 'sequence';
  readonly length: number;
  readonly size: number;
}

export interface TypedValue {
  readonly type: ValueType;
  readonly scope: Scope;
}

export function widthOf(type: ValueType): number {
  switch (type.kind) {
    case 'vector':
      return type.width;
    case 'fields':
      return type.sizes.reduce((sum, size) => sum + size, 0);
    case 'sequence':
      return type.length * type.size;
  }
}

export function vector(width: number): VectorType {
  return { kind: 'vector', width };
}

/** The size all fields have, or undefined if they differ. */
export function uniformSize(type: FieldsType): number | undefined {
  return type.sizes.every((size) => size === type.sizes[0]) ? type.sizes[0] : undefined;
}

/** `vector[128]`, `fields[32, 16]`, `fields[3; 16, 16, 8]`. */
export function describeType(type: ValueType): string {
  if (type.kind === 'vector') return `vector[${type.width}]`;
  if (type.kind === 'sequence') return `sequence[${type.length}, ${type.size}]`;
  const size = uniformSize(type);
  return size === undefined
    ? `fields[${type.sizes.length}; ${type.sizes.join(', ')}]`
    : `fields[${type.sizes.length}, ${size}]`;
}
