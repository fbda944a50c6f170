import path from 'node:path';
import { clearSidecar, identityOf, type MapFile, readSidecar, sidecarFile, writeSidecar } from './bundleSidecar.ts';

/** Raised when what is checked at the first load, or what is kept of it, changes: then all is checked anew. */
const proofFormat = 1;
const proofName = 'checked.txt';

/** The hash tables of a bundle's listed vocabularies, a tensor a table. */
const indexName = 'vocabulary-index.safetensors';

/** Files changed less than this ago could change again unseen: file systems count time in ticks of a few milliseconds. */
const tickMs = 50;

/** A bundle's files as they are now. */
export interface FilesState {
  /** Equal where all files are the same ones, unchanged. */
  readonly text: string;
  readonly changedMs: number;
}

/**
 * @param sums the content of `SHA256SUMS`
 * @param names the files it lists
 */
export async function filesState(folder: string, sums: string, names: Iterable<string>): Promise<FilesState> {
  const sorted = [...names].sort();
  const files = await Promise.all(sorted.map((name) => identityOf(path.join(folder, name))));
  const lines = files.map(({ text }, i) => `${text} ${sorted[i]}`);
  return { text: [sums, ...lines].join('\n'), changedMs: Math.max(...files.map(({ changedMs }) => changedMs)) };
}

/** What is kept of a check: all that must be unchanged for it to hold, the index beside the bundle included. */
async function proofOf(folder: string, { text }: FilesState): Promise<Buffer> {
  const index = await identityOf(await sidecarFile(folder, indexName));
  return Buffer.from(`format ${proofFormat}\n${text}\n${index.text} ${indexName}\n`);
}

/**
 * Whether a bundle was checked in the state it is in. What is kept is compared as a whole, never read; kept of another
 * state, it is removed with all that was made of that state.
 */
export async function isProven(folder: string, state: FilesState): Promise<boolean> {
  const kept = await readSidecar(folder, proofName);
  if (kept === undefined) return false;
  if ((await proofOf(folder, state)).equals(kept)) return true;
  await clearSidecar(folder);
  return false;
}

/**
 * Remembers that a bundle was checked in this state, and the index that goes with it, as far as the disk allows.
 *
 * @param index none where nothing is worth keeping
 * @returns whether the next load will find the bundle proven
 */
export async function keepProof(
  folder: string,
  state: FilesState,
  index: Uint8Array | undefined,
  nowMs: number,
): Promise<boolean> {
  if (nowMs - state.changedMs < tickMs) return false;
  if (index !== undefined) await writeSidecar(folder, indexName, index);
  return writeSidecar(folder, proofName, await proofOf(folder, state));
}

/** The index kept beside a proven bundle; it has not been changed, and is not taken on trust either. */
export function readIndex(folder: string, mapFile?: MapFile): Promise<Uint8Array | undefined> {
  return readSidecar(folder, indexName, mapFile);
}
