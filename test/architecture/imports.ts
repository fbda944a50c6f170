import { posix } from 'node:path';

/** One import, export-from or `import()` of a file. */
export interface Import {
  /** A file of the project (`src/core/errors.ts`) or a package (`fastify`, `node:fs`). */
  readonly target: string;
  readonly kind: 'static' | 'type' | 'dynamic';
  /** `export … from`: hands on what it imports. */
  readonly reExport: boolean;
}

/** A file's text without comments, which may speak of imports; what is in strings stays. */
export function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1');
}

/**
 * @param file the file's path from the project's root; relative imports are resolved against it
 * @param code the file's text without comments
 */
export function importsOf(file: string, code: string): Import[] {
  const imports: Import[] = [];
  const add = (from: string, kind: Import['kind'], reExport = false) =>
    imports.push({
      target: from.startsWith('.') ? posix.join(posix.dirname(file), from) : from,
      kind,
      reExport,
    });
  for (const [, word, type, from] of code.matchAll(
    /^\s*(import|export)\s+(type\s)?[^;'"]*?\bfrom\s*['"]([^'"]+)['"]/gm,
  )) {
    add(from, type === undefined ? 'static' : 'type', word === 'export');
  }
  for (const [, from] of code.matchAll(/^\s*import\s*['"]([^'"]+)['"]/gm)) add(from, 'static');
  for (const [, before, from] of code.matchAll(/(typeof\s+|:\s*|<)?\bimport\(\s*['"]([^'"]+)['"]\s*\)/g))
    add(from, before === undefined ? 'dynamic' : 'type');
  for (const [, from] of code.matchAll(/\brequire\(\s*['"]([^'"]+)['"]\s*\)/g)) add(from, 'dynamic');
  return imports;
}
