import { UserError } from '../core/errors.ts';
import { hashBytes, joinKeys, type KeyHalves } from '../core/hash.ts';
import { decodeSafetensors, encodeSafetensors, type Tensor } from './safetensors.ts';

/** The file in a bundle that holds what history knew at the end of training; a state of its own has the same format. */
export const historyFile = 'history.safetensors';

const checksumName = 'checksum';
const checksumBytes = 8;

/** A state of history as a file: its tensors, and a 64-bit hash of every other byte of the file. */
export function encodeHistoryFile(tensors: ReadonlyMap<string, Tensor>): Uint8Array {
  const bytes = encodeSafetensors(new Map([[checksumName, { shape: [2], values: new Int32Array(2) }], ...tensors]));
  const place = checksumOf(decodeSafetensors(bytes, historyFile), bytes) as Int32Array;
  place.set(hashAround(place, bytes));
  return bytes;
}

/**
 * Reads what `encodeHistoryFile` wrote; the tensors are views of `bytes`.
 *
 * @throws UserError if it was cut short or any byte of it was changed
 */
export function decodeHistoryFile(bytes: Uint8Array, source: string): Map<string, Tensor> {
  const tensors = decodeSafetensors(bytes, source);
  const checksum = checksumOf(tensors, bytes);
  if (checksum === undefined)
    throw new UserError(`${source}: expected a state of history, got tensors without its checksum; name another file`);
  const [lo, hi] = hashAround(checksum, bytes);
  if (checksum[0] !== lo || checksum[1] !== hi)
    throw new UserError(`${source}: its checksum is not that of its content, so it was changed; restore it`);
  tensors.delete(checksumName);
  return tensors;
}

/** The checksum as a view of the file; undefined where it has none. */
function checksumOf(tensors: ReadonlyMap<string, Tensor>, { buffer }: Uint8Array): Int32Array | undefined {
  const values = tensors.get(checksumName)?.values;
  return values instanceof Int32Array && values.byteLength === checksumBytes && values.buffer === buffer
    ? values
    : undefined;
}

function hashAround(checksum: Int32Array, bytes: Uint8Array): [number, number] {
  const at = checksum.byteOffset - bytes.byteOffset;
  const before: KeyHalves = { lo: 0, hi: 0 };
  const after: KeyHalves = { lo: 0, hi: 0 };
  hashBytes(bytes, 0, at, before);
  hashBytes(bytes, at + checksumBytes, bytes.length, after);
  joinKeys(before.lo, before.hi, after.lo, after.hi, after);
  return [after.lo, after.hi];
}
