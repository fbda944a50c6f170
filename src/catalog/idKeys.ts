import { UserError } from '../core/errors.ts';
import { hashBytes, type KeyHalves } from '../core/hash.ts';
import { shown } from '../schema/parseSchema.ts';

const decimal = /^-?\d{1,20}$/;

/**
 * The 64-bit key of an id as JSON has it, the same that `keysOf` gives the column's value: a whole number is itself, a text its hash.
 * Whole numbers may be given as decimal text, since JSON numbers are exact only to 2^53.
 *
 * @param type  how the catalog stores its ids
 * @param thing what has this id: for messages
 * @throws UserError for a value of another type
 */
export function idKeyInto(id: unknown, type: 'integer' | 'text', thing: 'ad' | 'creative', out: KeyHalves): void {
  if (type === 'text') {
    if (typeof id !== 'string') throw new UserError(wrongId(id, thing, 'text; send it as a string'));
    textKeyInto(id, out);
  } else if (Number.isSafeInteger(id)) {
    const high = Math.floor((id as number) / 4294967296);
    out.lo = ((id as number) - high * 4294967296) | 0;
    out.hi = high | 0;
  } else if (typeof id === 'string' && decimal.test(id)) {
    const wide = BigInt(id);
    if (wide < -(2n ** 63n) || wide >= 2n ** 64n) throw new UserError(wrongId(id, thing, 'a whole number of 64 bits'));
    out.lo = Number(BigInt.asIntN(32, wide));
    out.hi = Number(BigInt.asIntN(32, wide >> 32n));
  } else {
    throw new UserError(wrongId(id, thing, 'a whole number, beyond 2^53 as decimal text'));
  }
}

const wrongId = (id: unknown, thing: string, expected: string) =>
  `${thing} id ${shown(id)}: expected ${expected}, as the catalog's column '${thing}Id' is`;

const utf8 = new TextEncoder();
let scratch = new Uint8Array(256);

function textKeyInto(text: string, out: KeyHalves): void {
  // A UTF-16 unit takes at most three bytes of UTF-8.
  if (scratch.length < text.length * 3) scratch = new Uint8Array(text.length * 6);
  hashBytes(scratch, 0, utf8.encodeInto(text, scratch).written, out);
}
