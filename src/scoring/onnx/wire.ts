/*
 * Protobuf's wire format, as far as ONNX files need it. A message is a list of pieces in the order of the file, so that
 * tables of gigabytes are written from where they lie and never copied.
 *
 * @see https://protobuf.dev/programming-guides/encoding/
 */

export type Pieces = readonly Uint8Array[];

const varintType = 0;
const lengthType = 2;

/** Seven bits a byte, the lowest first; -1 and its like take ten bytes, as two's complement of 64 bits. */
function varint(value: number | bigint): number[] {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) out.push(Number(rest & 127n) | 128);
  out.push(Number(rest));
  return out;
}

const key = (field: number, type: number) => varint((field << 3) | type);

/** A whole number, of `int64` or of an enum. */
export function integer(field: number, value: number): Pieces {
  return [Uint8Array.from([...key(field, varintType), ...varint(value)])];
}

export function text(field: number, value: string): Pieces {
  return message(field, [new TextEncoder().encode(value)]);
}

/** A message within a message; or bytes. */
export function message(field: number, ...parts: readonly Pieces[]): Pieces {
  const pieces = parts.flat();
  return [Uint8Array.from([...key(field, lengthType), ...varint(byteCount(pieces))]), ...pieces];
}

export function byteCount(pieces: Pieces): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}
