import { assert } from '../core/errors.ts';
import type { Field, IdsField, MadeField } from './schema.ts';
import { joinAll, type Scope } from './scopes.ts';

/** Rows every embedding table begins with: 0 for no value, 1 for a value outside the vocabulary. */
export const missingId = 0;
export const unknownId = 1;
export const firstId = 2;

export const defaultEmbeddingSize = 16;

/** Whether the field enters a model as embeddings; otherwise it is a dense input. */
export function isEmbedded(field: Field): boolean {
  return field.kind === 'number' ? field.quantiles !== undefined : field.kind !== 'vector' && field.kind !== 'match';
}

/** Whether the field is made of others, which `of` names, and reads no column. */
export function isMade(field: Field): field is MadeField {
  return field.kind === 'cross' || field.kind === 'match';
}

/** Whether the field is a list that stays one: of a sequence's events, which models attend to. */
export function isSequence(field: Field): field is IdsField {
  return field.kind === 'ids' && field.pooling === 'none';
}

/** The column a field reads; one that is made of others reads theirs. */
export function columnOf(field: Field): string {
  assert(!isMade(field), `${field.kind} '${field.name}' has no column`);
  return field.column ?? field.name;
}

/** The vocabulary and table an embedded field looks its ids up in. */
export function tableOf(field: Field): string | undefined {
  if (!isEmbedded(field)) return undefined;
  return (field.kind === 'id' || field.kind === 'ids' ? field.table : undefined) ?? field.name;
}

export function embeddingSize(field: Field): number {
  return field.kind === 'vector' || field.kind === 'match' ? 0 : (field.size ?? defaultEmbeddingSize);
}

/** How many numbers a dense field adds to a model's input. */
export function denseWidth(field: Field): number {
  return field.kind === 'vector' ? field.length : 1;
}

/** A field's declared scope; one that is made of others has the join of theirs. */
export function scopeOfField(field: Field, byName: ReadonlyMap<string, Field>): Scope {
  if (!isMade(field)) return field.scope;
  return joinAll(
    field.of.map((name) => {
      const part = byName.get(name);
      assert(part !== undefined && !isMade(part), `${field.kind} '${field.name}' names '${name}'`);
      return part.scope;
    }),
  );
}
