/* One change anywhere in a JSON value: for tests that fuzz a good one. */

/** Where every value of a JSON value is, itself included. */
export function pathsOf(value: unknown): string[][] {
  if (typeof value !== 'object' || value === null) return [[]];
  return [[], ...Object.entries(value).flatMap(([key, item]) => pathsOf(item).map((path) => [key, ...path]))];
}

/** The same with one value replaced, or left out where `by` is undefined. */
export function replaced(value: unknown, [key, ...rest]: string[], by: unknown): unknown {
  if (key === undefined) return by;
  const copy = (Array.isArray(value) ? [...value] : { ...(value as Record<string, unknown>) }) as Record<
    string,
    unknown
  >;
  copy[key] = replaced(copy[key], rest, by);
  return JSON.parse(JSON.stringify(copy));
}
