import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../core/errors.ts';

/**
 * The files that patterns name, in their order, each pattern's sorted, none twice.
 *
 * A pattern is a file, a folder (every file below it that ends in `extension`, at any depth) or a glob with `*` and `?`
 * (within one path part), `[abc]`, `{a,b}` and `**` (any number of folders). Names that begin with `.` or `_` are left
 * out of folders and globs, as writers put temporary and bookkeeping files there.
 *
 * @throws UserError kind `missing` for a pattern that names no file
 */
export async function expandPatterns(patterns: string | readonly string[], extension: string): Promise<string[]> {
  const files = new Set<string>();
  for (const pattern of typeof patterns === 'string' ? [patterns] : patterns) {
    for (const file of await expandOne(pattern, extension)) files.add(file);
  }
  if (files.size === 0) throw new UserError('no input files were given; name a file, a folder or a glob', 'missing');
  return [...files];
}

async function expandOne(pattern: string, extension: string): Promise<string[]> {
  const found = await stat(pattern).catch(() => undefined);
  if (found?.isDirectory()) {
    const files = await filesBelow(pattern, extension);
    if (files.length > 0) return files;
    throw new UserError(`${pattern}: no ${extension} files in this folder; check the path`, 'missing');
  }
  if (found) return [pattern];
  const firstMagic = pattern.search(/[*?[{]/);
  if (firstMagic < 0) throw new UserError(`${pattern}: no such file or folder; check the path`, 'missing');
  const rootEnd = pattern.lastIndexOf('/', firstMagic) + 1;
  const root = pattern.slice(0, rootEnd);
  const matcher = globMatcher(pattern.slice(rootEnd));
  const matches = (await walk(root || '.', '')).filter((path) => matcher.test(path));
  if (matches.length === 0) throw new UserError(`${pattern}: no file matches; check the pattern`, 'missing');
  return matches.map((path) => root + path).sort();
}

async function filesBelow(folder: string, extension: string): Promise<string[]> {
  const paths = await walk(folder, '');
  return paths
    .filter((path) => path.endsWith(extension))
    .map((path) => join(folder, path))
    .sort();
}

/** Every file below `folder`, relative to it, with `/` between parts. */
async function walk(folder: string, prefix: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const files: string[] = [];
  for (const entry of entries) {
    if (entry.name.startsWith('.') || entry.name.startsWith('_')) continue;
    const path = prefix + entry.name;
    const isFolder = entry.isDirectory() || (entry.isSymbolicLink() && (await isDirectory(join(folder, entry.name))));
    if (isFolder) files.push(...(await walk(join(folder, entry.name), `${path}/`)));
    else files.push(path);
  }
  return files;
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

/** A glob as a regular expression over a whole relative path. */
export function globMatcher(glob: string): RegExp {
  let source = '';
  let depth = 0;
  for (let i = 0; i < glob.length; i++) {
    const c = glob[i];
    if (c === '*' && glob[i + 1] === '*') {
      const folders = glob[i + 2] === '/';
      source += folders ? '(?:[^/]+/)*' : '.*';
      i += folders ? 2 : 1;
    } else if (c === '*') source += '[^/]*';
    else if (c === '?') source += '[^/]';
    else if (c === '[' && glob.indexOf(']', i + 2) > 0) {
      const end = glob.indexOf(']', i + 2);
      source += `[${glob
        .slice(i + 1, end)
        .replace(/^!/, '^')
        .replace(/\\/g, '\\\\')}]`;
      i = end;
    } else if (c === '{' && glob.indexOf('}', i) > 0) {
      source += '(?:';
      depth++;
    } else if (c === '}' && depth > 0) {
      source += ')';
      depth--;
    } else if (c === ',' && depth > 0) source += '|';
    else source += c.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  }
  return new RegExp(`^${source}$`);
}
