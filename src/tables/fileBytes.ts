import { type FileHandle, open } from 'node:fs/promises';
import { messageOf, UserError } from '../core/errors.ts';

/** Opens a file to read, saying plainly why it cannot be. */
export async function openFile(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'r');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') throw new UserError(`${file}: no such file; check the path`, 'missing');
    throw new UserError(`${file}: cannot be opened (${code ?? messageOf(error)})`);
  }
}

/** Exactly `length` bytes from `start`. */
export async function readBytes(handle: FileHandle, file: string, start: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  await readInto(handle, file, start, bytes);
  return bytes;
}

/** Fills `into` from `start`. */
export async function readInto(handle: FileHandle, file: string, start: number, into: Uint8Array): Promise<void> {
  for (let done = 0; done < into.length; ) {
    // One read call returns at most 2 GiB.
    const length = Math.min(into.length - done, 1 << 30);
    let bytesRead: number;
    try {
      ({ bytesRead } = await handle.read(into, done, length, start + done));
    } catch (error) {
      throw new UserError(
        `${file}: cannot be read (${(error as NodeJS.ErrnoException).code ?? messageOf(error)}); name a file that may be read`,
      );
    }
    if (bytesRead === 0)
      throw new UserError(`${file}: ends at byte ${start + done}, earlier than it did; copy or write it again`);
    done += bytesRead;
  }
}
