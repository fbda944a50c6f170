import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { assert } from '../core/errors.ts';

/*
 * What is worked out from a bundle once and kept beside it, in the hidden folder `<parent>/.<version>.cache/`: that its checksums were
 * right, the hash tables of its vocabularies, its weights packed for a machine. None of it is needed, and nothing in it is taken on trust:
 * it may be missing, another bundle's, damaged or forged.
 */

/** Maps a file into memory: read where touched, shared between processes, never written back. */
export type MapFile = (file: string) => Uint8Array;

/** The folder beside a bundle's; of a link, beside what it leads to. */
export async function sidecarFolder(bundleFolder: string): Promise<string> {
  const folder = await realpath(bundleFolder);
  return path.join(path.dirname(folder), `.${path.basename(folder)}.cache`);
}

/** The path of a file of the sidecar, which may not exist. */
export async function sidecarFile(bundleFolder: string, name: string): Promise<string> {
  assert(/^[\w-][\w.-]*$/.test(name), `sidecar file '${name}'`);
  return path.join(await sidecarFolder(bundleFolder), name);
}

/** A file kept beside a bundle, mapped where `mapFile` is given; undefined where there is none or it cannot be read. */
export async function readSidecar(
  bundleFolder: string,
  name: string,
  mapFile?: MapFile,
): Promise<Uint8Array | undefined> {
  const file = await sidecarFile(bundleFolder, name);
  try {
    return mapFile === undefined ? await readFile(file) : mapFile(file);
  } catch {
    return undefined;
  }
}

/**
 * Keeps a file beside a bundle, whole or not at all: it is written under another name, synced and renamed, so that a
 * process that has an older one mapped keeps that.
 *
 * @returns whether it was kept; a full or read-only disk is no error, since the work can be done again at every load
 */
export async function writeSidecar(bundleFolder: string, name: string, bytes: Uint8Array): Promise<boolean> {
  const file = await sidecarFile(bundleFolder, name);
  const temporary = `${file}.${randomUUID()}.tmp`;
  try {
    await mkdir(path.dirname(file), { recursive: true });
    const handle = await open(temporary, 'wx');
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
    return true;
  } catch {
    await rm(temporary, { force: true }).catch(() => {});
    return false;
  }
}

/** Removes all that is kept beside a bundle, as far as the disk allows. */
export async function clearSidecar(bundleFolder: string): Promise<void> {
  await rm(await sidecarFolder(bundleFolder), { recursive: true, force: true }).catch(() => {});
}

/**
 * What changes when a file's content does: its size, the times of the last change of content and of anything, its inode.
 *
 * The second time cannot be set, so a change shows even where a program put the first one back; two changes within one tick
 * of the file system's clock have the same times. The device is left out: each host that mounts a disk has its own number.
 */
export interface FileIdentity {
  readonly text: string;
  /** When anything of it last changed. */
  readonly changedMs: number;
}

export async function identityOf(file: string): Promise<FileIdentity> {
  const entry = await stat(file, { bigint: true }).catch(() => undefined);
  if (entry === undefined) return { text: 'absent', changedMs: 0 };
  const { size, mtimeNs, ctimeNs, ino, ctimeMs } = entry;
  return { text: [size, mtimeNs, ctimeNs, ino].join(' '), changedMs: Number(ctimeMs) };
}
