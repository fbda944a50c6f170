import { UserError } from '../core/errors.ts';

/** A tensor of a bundle: row-major values and their shape. */
export interface Tensor<T extends TensorValues = TensorValues> {
  readonly shape: readonly number[];
  readonly values: T;
}

export type TensorValues = Float32Array | Float64Array | Int32Array | BigInt64Array;

const kinds = {
  F32: { make: Float32Array, bytes: 4 },
  F64: { make: Float64Array, bytes: 8 },
  I32: { make: Int32Array, bytes: 4 },
  I64: { make: BigInt64Array, bytes: 8 },
} as const;

type Kind = keyof typeof kinds;

/** Ends the names of tensors that only keep the next one aligned. */
const fillerSuffix = '.filler';

/** Tensors start at multiples of a cache line, so that a row of 16 floats is one. */
const alignment = 64;

const padding = (length: number) => (alignment - (length % alignment)) % alignment;

/**
 * The safetensors format: 8 bytes with the header's length, the header as JSON (name → dtype, shape, data_offsets), then
 * the tensors' bytes, little-endian. Tensors here start at multiples of 64 bytes of the file, so that they can be used in
 * place, mapped into memory.
 *
 * @see https://github.com/huggingface/safetensors
 */
export function encodeSafetensors(tensors: ReadonlyMap<string, Tensor>): Uint8Array {
  const header: Record<string, unknown> = {};
  let end = 0;
  for (const [name, { shape, values }] of tensors) {
    const kind = (Object.keys(kinds) as Kind[]).find((k) => values instanceof kinds[k].make);
    header[name] = { dtype: kind, shape, data_offsets: [end, end + values.byteLength] };
    end += values.byteLength;
    // The format allows no gaps, so what does not end on a multiple is followed by a filler.
    const gap = padding(end);
    if (gap > 0) header[name + fillerSuffix] = { dtype: 'F32', shape: [gap / 4], data_offsets: [end, end + gap] };
    end += gap;
  }
  let text = JSON.stringify(header);
  text += ' '.repeat(padding(8 + Buffer.byteLength(text)));
  const json = new TextEncoder().encode(text);
  const out = new Uint8Array(8 + json.length + end);
  new DataView(out.buffer).setBigUint64(0, BigInt(json.length), true);
  out.set(json, 8);
  for (const [name, { values }] of tensors) {
    const [from] = (header[name] as { data_offsets: [number, number] }).data_offsets;
    out.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), 8 + json.length + from);
  }
  return out;
}

/**
 * Reads a safetensors file; the tensors are views into `bytes` where their alignment allows.
 *
 * @throws UserError if the file is damaged: no length, offset or shape is taken on trust
 */
export function decodeSafetensors(bytes: Uint8Array, source: string): Map<string, Tensor> {
  const damaged = (what: string): never => {
    throw new UserError(`${source}: not a readable safetensors file (${what}); restore or re-export it`);
  };
  if (bytes.length < 8) damaged(`${bytes.length} bytes, shorter than a header`);
  const headerLength = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  if (headerLength > bytes.length - 8) damaged(`its header claims ${headerLength} bytes of ${bytes.length}`);
  let header: Record<string, { dtype?: unknown; shape?: unknown; data_offsets?: unknown }>;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(8, 8 + headerLength)));
  } catch {
    return damaged('its header is not JSON');
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) damaged('its header is not an object');
  const data = bytes.subarray(8 + headerLength);
  const tensors = new Map<string, Tensor>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__' || name.endsWith(fillerSuffix)) continue;
    const kind = Object.hasOwn(kinds, String(entry?.dtype))
      ? kinds[entry.dtype as Kind]
      : damaged(`'${name}' has dtype ${entry?.dtype}`);
    const [from, to] = Array.isArray(entry.data_offsets)
      ? (entry.data_offsets as number[])
      : damaged(`'${name}' has no offsets`);
    if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || from < 0 || to < from || to > data.length) {
      damaged(`'${name}' lies outside the file`);
    }
    const shape = entry.shape;
    if (!Array.isArray(shape) || !shape.every((n) => Number.isSafeInteger(n) && n >= 0))
      return damaged(`'${name}' has no valid shape`);
    if (shape.reduce((product, n) => product * n, 1) * kind.bytes !== to - from)
      damaged(`'${name}' has another size than its shape`);
    tensors.set(name, { shape, values: viewOf(data, from, to, kind) });
  }
  return tensors;
}

function viewOf(data: Uint8Array, from: number, to: number, kind: (typeof kinds)[Kind]): TensorValues {
  const at = data.byteOffset + from;
  if (at % kind.bytes === 0) return new kind.make(data.buffer as ArrayBuffer, at, (to - from) / kind.bytes);
  return new kind.make(data.slice(from, to).buffer);
}
