import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../src/core/errors.ts';

/**
 * The names in a folder, in order.
 *
 * @param what of which it was expected to be, such as `KuaiRand files`
 * @throws UserError where it is none, or may not be listed
 */
export async function listFolder(folder: string, what: string): Promise<string[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new UserError(`${folder}: no such folder; check the path`, 'missing');
    throw new UserError(`${folder}: cannot be listed (${error.code}); a folder of ${what} was expected`);
  });
  return names.sort();
}

/**
 * The paths of a folder's `<prefix>*.<extension>` and `….gz`, in order of name.
 *
 * @param what as for `listFolder`
 * @throws UserError for a folder that cannot be listed, or has none
 */
export async function sourceFiles(folder: string, prefix: string, extension: string, what: string): Promise<string[]> {
  const ends = [`.${extension}`, `.${extension}.gz`];
  const names = await listFolder(folder, what);
  const files = names.filter((name) => name.startsWith(prefix) && ends.some((end) => name.endsWith(end)));
  if (files.length === 0)
    throw new UserError(`${folder}: has no ${prefix}*.${extension}.gz; name the folder with the ${what}`, 'missing');
  return files.map((name) => join(folder, name));
}
