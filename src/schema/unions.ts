import type { TSchema } from 'typebox';

/**
 * A choice of a union of constants, of objects told apart by the one key they must have, and of types, so that messages can speak of
 * the one that was meant.
 */
export interface Alternative {
  readonly shape: TSchema;
  /** As messages name it: `count`, `{"rate": …}`, `number`. */
  readonly name: string;
  /** The key that tells an object. */
  readonly key?: string;
  /** JSON's, of what is told by nothing else. */
  readonly type?: string;
}

/**
 * The alternatives of the union at a place of a shape; undefined where they cannot be told apart.
 *
 * @param path as typebox's errors give it: `#/properties/over/items`
 */
export function alternativesAt(shape: TSchema, path: string): Alternative[] | undefined {
  let at = shape as Record<string, unknown>;
  for (const key of path.split('/').slice(1)) at = at?.[key] as Record<string, unknown>;
  const alternatives = ((at?.anyOf ?? []) as Record<string, unknown>[]).map((option) => {
    const [key, ...more] = (option.required ?? []) as string[];
    const { const: value, type } = option;
    if (value !== undefined) return { shape: option as TSchema, name: String(value) };
    if (key === undefined && typeof type === 'string') return { shape: option as TSchema, name: type, type };
    if (key === undefined || more.length > 0) return undefined;
    return { shape: option as TSchema, name: `{"${key}": …}`, key };
  });
  return alternatives.every((alternative) => alternative !== undefined) ? alternatives : undefined;
}

/** The alternative that a value is an attempt at; undefined where it is like none. */
export function meantOf(alternatives: readonly Alternative[], value: unknown): Alternative | undefined {
  const keys = typeof value === 'object' && value !== null ? value : {};
  return alternatives.find(({ key, type }) =>
    key === undefined ? type !== undefined && isOfType(value, type) : Object.hasOwn(keys, key),
  );
}

function isOfType(value: unknown, type: string): boolean {
  if (value === null || Array.isArray(value)) return type === (value === null ? 'null' : 'array');
  return typeof value === (type === 'integer' ? 'number' : type);
}
