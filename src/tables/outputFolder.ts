import { constants } from 'node:fs';
import { access, mkdir, readdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf, UserError } from '../core/errors.ts';

/**
 * Makes a new folder for output; an empty one may be there already.
 *
 * @throws UserError kind `conflict` where it exists and holds anything
 */
export async function createOutputFolder(folder: string): Promise<void> {
  const entries = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    if (error.code === 'ENOTDIR')
      throw new UserError(`${folder}: exists and is a file; name another folder`, 'conflict');
    throw outputError(folder, error);
  });
  if (entries.length > 0) {
    throw new UserError(`${folder}: exists and is not empty; name another folder, or remove it first`, 'conflict');
  }
  await mkdir(folder, { recursive: true }).catch((error) => {
    throw outputError(folder, error);
  });
}

/**
 * Checks, before the work for it begins, that a file can be written: new, or in place of another.
 *
 * @throws UserError where its folder is not there or may not be written to, or it is a folder itself
 */
export async function checkOutputFile(path: string): Promise<void> {
  const there = await stat(path).catch(() => undefined);
  if (there?.isDirectory()) throw new UserError(`${path}: is a folder; name a file in it`, 'conflict');
  await access(there ? path : dirname(path), constants.W_OK).catch((error) => {
    throw outputError(path, error);
  });
}

/** The error of a failed write as the user should read it. */
export function outputError(path: string, error: unknown): UserError {
  if (error instanceof UserError) return error;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new UserError(`${path}: the disk is full; nothing was kept of this file; free some space and run it again`);
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new UserError(`${path}: may not be written (${code}); check its permissions, or name another path`);
  }
  return new UserError(`${path}: cannot be written (${code ?? messageOf(error)})`);
}
