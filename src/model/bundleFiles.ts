import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { assert, listOf, messageOf, UserError } from '../core/errors.ts';
import type { Bundle } from './bundle.ts';
import {
  bundleFiles,
  decodeBundle,
  encodeBundle,
  encodeIndex,
  parseManifestFormat,
  sampleFile,
} from './bundleContent.ts';
import { filesState, isProven, keepProof, readIndex } from './bundleProof.ts';
import type { MapFile } from './bundleSidecar.ts';
import { checkBundle } from './checkBundle.ts';
import { decodeHistoryFile, encodeHistoryFile, historyFile } from './historyFile.ts';
import type { Tensor } from './safetensors.ts';

const sumsFile = 'SHA256SUMS';

/** Files are read and written in pieces of so many bytes: neither Node nor a hash takes more than 2 GiB at once. */
const chunkBytes = 1 << 26;

export interface WriteBundleOptions {
  /** More files to keep with it, by plain name: `report.html`. */
  readonly extraFiles?: ReadonlyMap<string, string | Uint8Array>;
}

/**
 * Writes a bundle as a new folder. All of it is written and synced beside the folder first and then renamed, so that
 * a reader sees a whole bundle or none, whatever happens meanwhile.
 *
 * @throws UserError of kind `conflict` if the folder exists; of kind `input` if it cannot be written or the bundle is
 * not sound (weights that are not finite, say), in which case nothing is left behind
 */
export async function writeBundle(folder: string, bundle: Bundle, options: WriteBundleOptions = {}): Promise<void> {
  await refuseExisting(folder);
  checkBundle(bundle, `bundle '${bundle.manifest.name}'`);
  const files = new Map<string, string | Uint8Array>([...(options.extraFiles ?? []), ...encodeBundle(bundle)]);
  for (const name of files.keys()) assert(/^[^/\\\n]+$/.test(name) && name !== sumsFile, `extra file '${name}'`);
  const parent = path.dirname(path.resolve(folder));
  const temporary = path.join(parent, `.${path.basename(folder)}.${process.pid}.tmp`);
  try {
    await mkdir(parent, { recursive: true });
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary);
    let sums = '';
    for (const [name, content] of files)
      sums += `${await writeFile(path.join(temporary, name), bytesOf(content))}  ${name}\n`;
    await writeFile(path.join(temporary, sumsFile), bytesOf(sums));
    await syncFolder(temporary);
    await refuseExisting(folder);
    await rename(temporary, folder);
    await syncFolder(parent);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    throw error instanceof UserError ? error : writeError(`bundle '${folder}'`, error as NodeJS.ErrnoException);
  }
}

async function refuseExisting(folder: string): Promise<void> {
  if ((await stat(folder).catch(() => undefined)) === undefined) return;
  throw new UserError(
    `cannot write bundle '${folder}': it exists, and a bundle is never overwritten; name another folder, or remove this one`,
    'conflict',
  );
}

function writeError(what: string, error: NodeJS.ErrnoException): UserError {
  const reasons: Record<string, string> = {
    ENOSPC: 'the disk is full; free some space, or name a folder on another disk',
    EDQUOT: 'your disk quota is used up; free some space, or name a folder on another disk',
    EACCES: 'permission denied; name a folder you may write to',
    EPERM: 'permission denied; name a folder you may write to',
    EROFS: 'the file system is read-only; name a folder on another one',
    ENOTDIR: 'part of its path is a file; name another folder',
    EEXIST: 'part of its path is a file; name another folder',
    ENOTEMPTY: 'it was written by someone else meanwhile; name another folder',
  };
  const reason = reasons[error.code ?? ''] ?? `${messageOf(error)}; correct this or name another folder`;
  return new UserError(`cannot write ${what}: ${reason}`);
}

const bytesOf = (content: string | Uint8Array) =>
  typeof content === 'string' ? new TextEncoder().encode(content) : content;

/** Writes and syncs a file; returns its SHA-256. */
async function writeFile(file: string, bytes: Uint8Array): Promise<string> {
  const hash = createHash('sha256');
  await using(await open(file, 'wx'), async (handle) => {
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      const chunk = bytes.subarray(at, at + chunkBytes);
      hash.update(chunk);
      await handle.appendFile(chunk);
    }
    await handle.sync();
  });
  return hash.digest('hex');
}

/** Makes a rename last; where folders cannot be synced (Windows), the system does as it likes. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  if (handle !== undefined) await using(handle, (it) => it.sync().catch(() => {}));
}

async function using<T>(handle: FileHandle, work: (handle: FileHandle) => Promise<T>): Promise<T> {
  try {
    return await work(handle);
  } finally {
    await handle.close();
  }
}

export interface ReadBundleOptions {
  /** Maps a file, where the machine can: then weights and vocabularies are read where touched, and shared by processes. */
  readonly mapFile?: MapFile;
}

/**
 * Reads a bundle and proves it whole: its format, then every checksum, then that its parts fit each other. That it was whole
 * is remembered beside it, with the hash tables of its vocabularies, so that the next load reads no more than it must as
 * long as every file has the size, times and inode it had (see `bundleSidecar.ts`).
 *
 * A bundle that is mapped must not be cut short meanwhile: like any, it is replaced by a new folder.
 *
 * @throws UserError of kind `missing` if there is none, `unsupported` if a newer limelight wrote it, else `input`
 */
export async function readBundle(folder: string, { mapFile }: ReadBundleOptions = {}): Promise<Bundle> {
  const entry = await stat(folder).catch(() => undefined);
  if (entry === undefined) throw new UserError(`no bundle at '${folder}'; name a folder that holds one`, 'missing');
  if (!entry.isDirectory()) throw new UserError(`'${folder}' is a file, expected a bundle's folder; name that`);
  const parseManifest = (bytes: Uint8Array) =>
    parseManifestFormat(new TextDecoder().decode(bytes), path.join(folder, 'manifest.json'));
  const manifest = await readFile(folder, 'manifest.json').catch((error) => {
    throw isMissing(error) ? notABundle(folder) : error;
  });
  parseManifest(manifest);
  const sumsText = new TextDecoder().decode(await listed(folder, sumsFile, readFile));
  const sums = parseSums(sumsText, path.join(folder, sumsFile));
  const checksum = createHash('sha256').update(sumsText).digest('hex');
  // All that is used is read after the state that is compared.
  const state = await filesState(folder, sumsText, sums.keys());
  const load = async (proven: boolean) => {
    const contents = new Map<string, Uint8Array>();
    for (const name of [...bundleFiles, sampleFile].filter((name) => sums.has(name))) {
      const read = name.endsWith('.safetensors') && mapFile !== undefined ? mapOrRead(mapFile) : readFile;
      contents.set(name, await listed(folder, name, read));
    }
    const content = (name: string) => contents.get(name) as Uint8Array;
    const proof = proven ? { index: await readIndex(folder, mapFile) } : undefined;
    return { ...decodeBundle(parseManifest(content('manifest.json')), content, folder, proof), folder, checksum };
  };
  if (await isProven(folder, state)) return load(true);
  for (const [name, expected] of sums) await checkSum(folder, name, expected);
  const bundle = await load(false);
  if ((await filesState(folder, sumsText, sums.keys())).text !== state.text)
    throw new UserError(`bundle '${folder}' was changed while it was read; read it again`);
  const kept = await keepProof(folder, state, encodeIndex(bundle.fitted), Date.now());
  // Once more, so that what was made in this process's memory is shared as well.
  return kept && mapFile !== undefined ? load(true) : bundle;
}

async function checkSum(folder: string, name: string, expected: string): Promise<void> {
  const sha256 = await listed(folder, name, hashFile);
  if (sha256 === expected) return;
  throw new UserError(
    `bundle '${folder}': file '${name}' was changed: expected SHA-256 ${expected}, got ${sha256}; restore it from where the bundle came from`,
  );
}

function notABundle(folder: string): UserError {
  return new UserError(
    `'${folder}' holds no bundle: it has no manifest.json; name a folder that 'limelight train' wrote`,
    'missing',
  );
}

const isMissing = (error: unknown) => (error as NodeJS.ErrnoException).code === 'ENOENT';

/** Reads a file that must be there. */
async function listed<T>(folder: string, name: string, read: (folder: string, name: string) => Promise<T>): Promise<T> {
  return read(folder, name).catch((error) => {
    if (!isMissing(error)) throw error;
    throw new UserError(`bundle '${folder}': file '${name}' is missing; restore it from where the bundle came from`);
  });
}

/** Reads lines of `<sha256>  <name>`, as `sha256sum` writes and checks them. */
function parseSums(text: string, source: string): Map<string, string> {
  const sums = new Map<string, string>();
  for (const line of text.split('\n').filter((line) => line !== '')) {
    // A name with a slash could point outside the folder.
    const match = /^([0-9a-f]{64}) [ *]([^/\\]+)$/.exec(line);
    if (match === null)
      throw new UserError(
        `${source}: expected lines of a SHA-256 and a file name, got '${line.slice(0, 80)}'; restore it`,
      );
    sums.set(match[2], match[1]);
  }
  const lacking = bundleFiles.filter((name) => !sums.has(name));
  if (lacking.length > 0)
    throw new UserError(`${source}: lacks the checksum of ${listOf(lacking)}; restore the bundle`);
  return sums;
}

/**
 * One of a bundle's files; an extra one, say. `readBundle` proves that it is whole.
 *
 * @throws UserError if it cannot be read
 */
export async function readBundleFile(folder: string, name: string): Promise<Uint8Array> {
  return readFile(folder, name);
}

/**
 * A state of history: of a file, or the one in a bundle's folder, which ends where its training data does. What it means,
 * `loadHistory` knows.
 *
 * @throws UserError of kind `missing` if there is none; of kind `input` if it is damaged
 */
export async function readHistoryFile(fileOrBundle: string): Promise<Map<string, Tensor>> {
  const entry = await stat(fileOrBundle).catch(() => undefined);
  const file = entry?.isDirectory() === true ? path.join(fileOrBundle, historyFile) : fileOrBundle;
  const bytes = await readFile(path.dirname(file), path.basename(file)).catch((error) => {
    if (!isMissing(error)) throw error;
    throw new UserError(
      `no state of history at '${file}'; name a file that 'limelight backfill --state' wrote, or a bundle`,
      'missing',
    );
  });
  return decodeHistoryFile(bytes, file);
}

/**
 * Writes a state of history, in place of the file if there is one: whatever happens, the old one is there, or the new one, whole.
 *
 * @param tensors as `saveWithSchema` makes them
 * @throws UserError if it cannot be written
 */
export async function writeHistoryFile(file: string, tensors: ReadonlyMap<string, Tensor>): Promise<void> {
  const content = encodeHistoryFile(tensors);
  await replaceFile(file, (temporary) => writeFile(temporary, content)).catch((error: NodeJS.ErrnoException) => {
    throw writeError(`history '${file}'`, error);
  });
}

/**
 * Puts a file in the place of another, if there is one, as a whole; its folder is made where there is none.
 *
 * @param write writes it, under another name
 * @throws what that or the file system throws; the old file stays then
 */
export async function replaceFile(file: string, write: (temporary: string) => Promise<unknown>): Promise<void> {
  const parent = path.dirname(path.resolve(file));
  const temporary = path.join(parent, `.${path.basename(file)}.${process.pid}.tmp`);
  try {
    await makeFolder(parent);
    await rm(temporary, { force: true });
    await write(temporary);
    await rename(temporary, file);
    await syncFolder(parent);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
}

/** As `mkdir` with `recursive`, which does not end in folders that take no new ones, such as /proc. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const isThere = code === 'EEXIST' || (await stat(folder).catch(() => undefined))?.isDirectory();
    if (isThere) return;
    if (code !== 'ENOENT') throw error;
    await makeFolder(path.dirname(folder));
    await mkdir(folder);
  }
}

async function readFile(folder: string, name: string): Promise<Uint8Array> {
  const file = path.join(folder, name);
  return opened(file, async (handle) => {
    // Its own memory, aligned, so that tensors can be views into it.
    const bytes = new Uint8Array((await handle.stat()).size);
    for (let at = 0; at < bytes.length; ) {
      const { bytesRead } = await handle.read(bytes, at, Math.min(chunkBytes, bytes.length - at), at);
      if (bytesRead === 0) throw new UserError(`'${file}' shrank while it was read; read the bundle again`);
      at += bytesRead;
    }
    return bytes;
  });
}

/** Maps a file; where that cannot be (a file system without maps, a file above Node's limit), reads it. */
const mapOrRead = (mapFile: MapFile) => async (folder: string, name: string) => {
  try {
    return mapFile(path.join(folder, name));
  } catch {
    return readFile(folder, name);
  }
};

/** A file's SHA-256, by small pieces, so that a server that loads a bundle answers between them. */
async function hashFile(folder: string, name: string): Promise<string> {
  return opened(path.join(folder, name), async (handle) => {
    const hash = createHash('sha256');
    const piece = new Uint8Array(1 << 20);
    for (let at = 0; ; ) {
      const { bytesRead } = await handle.read(piece, 0, piece.length, at);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(piece.subarray(0, bytesRead));
      at += bytesRead;
    }
  });
}

async function opened<T>(file: string, work: (handle: FileHandle) => Promise<T>): Promise<T> {
  try {
    return await using(await open(file, 'r'), work);
  } catch (error) {
    if (error instanceof UserError || isMissing(error)) throw error;
    throw new UserError(`cannot read '${file}': ${messageOf(error)}; correct this and try again`);
  }
}

/**
 * The bundle a path means: the path itself, or, where it is a model's folder `<model>/` of versions `<model>/<version>/`,
 * the highest version in it (`10` is above `9`).
 *
 * @throws UserError of kind `missing` if there is none
 */
export async function resolveBundleFolder(folder: string): Promise<string> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT')
      throw new UserError(`no bundle at '${folder}'; name a folder that holds one`, 'missing');
    if (error.code === 'ENOTDIR') throw new UserError(`'${folder}' is a file, expected a bundle's folder; name that`);
    throw new UserError(`cannot read '${folder}': ${messageOf(error)}; correct this and try again`);
  });
  if (names.includes('manifest.json')) return folder;
  const versions: string[] = [];
  for (const name of names) {
    // Hidden ones are bundles still being written.
    if (name.startsWith('.')) continue;
    if ((await stat(path.join(folder, name, 'manifest.json')).catch(() => undefined))?.isFile()) versions.push(name);
  }
  versions.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  const newest = versions.pop();
  if (newest === undefined) throw notABundle(folder);
  return path.join(folder, newest);
}
