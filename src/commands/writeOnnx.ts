import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { UserError } from '../core/errors.ts';
import type { Manifest } from '../model/bundle.ts';
import type { ExportedGraph } from '../scoring/onnx/exportModel.ts';
import { outputError } from '../tables/outputFolder.ts';

/** Node takes at most 2 GiB at once. */
const chunkBytes = 1 << 26;

/**
 * Writes an exported graph; weights beyond what one file can hold go to `<file>.data` beside it.
 *
 * @returns the files written
 * @throws UserError where one exists or cannot be written; what was written of it is removed
 */
export async function writeOnnx(
  file: string,
  { graph }: ExportedGraph,
  manifest: Pick<Manifest, 'name' | 'version'>,
  largestBytes?: number,
): Promise<string[]> {
  const dataFile = `${file}.data`;
  const { model, data } = graph.finish({
    name: manifest.name,
    metadata: { bundle: manifest.name, version: manifest.version },
    dataName: basename(dataFile),
    largestBytes,
  });
  const files = new Map(
    data === null
      ? [[file, model]]
      : [
          [dataFile, data],
          [file, model],
        ],
  );
  for (const path of files.keys()) await refuseExisting(path);
  for (const [path, pieces] of files) await writePieces(path, pieces);
  return [...files.keys()].reverse();
}

async function refuseExisting(path: string): Promise<void> {
  if (await stat(path).catch(() => undefined))
    throw new UserError(`${path}: exists already; name another file, or remove it first`, 'conflict');
}

/** Beside its place first, then renamed: nobody sees half a file. */
async function writePieces(path: string, pieces: readonly Uint8Array[]): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.partial`);
  try {
    await mkdir(dirname(path), { recursive: true });
    const handle = await open(temporary, 'w');
    try {
      for (const piece of pieces) await writeAll(handle, piece);
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw outputError(path, error);
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; )
    at += (await handle.write(bytes, at, Math.min(chunkBytes, bytes.length - at))).bytesWritten;
}
