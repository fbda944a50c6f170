import { describe, expect, it } from 'vitest';
import { byteCount, integer, message, text } from './wire.ts';

const bytes = (pieces: readonly Uint8Array[]) => Buffer.concat(pieces).toString('hex');

// The examples of https://protobuf.dev/programming-guides/encoding/
describe('protobuf’s wire format', () => {
  it.each([
    [1, 150, '089601'],
    [1, 0, '0800'],
    [20, 7, 'a00107'],
    [1, 2 ** 40, '08808080808020'],
    [1, -2, '08feffffffffffffffff01'],
  ])('writes field %i, integer %i', (field, value, hex) => {
    expect(bytes(integer(field, value))).toBe(hex);
  });

  it('writes texts with their length in bytes', () => {
    expect(bytes(text(2, 'testing'))).toBe('120774657374696e67');
    expect(bytes(text(2, 'é'))).toBe('1202c3a9');
    expect(bytes(text(2, ''))).toBe('1200');
  });

  it('writes a message within a message', () => {
    expect(bytes(message(3, integer(1, 150)))).toBe('1a03089601');
  });

  it('takes large bytes as they lie', () => {
    const large = new Uint8Array(300);
    const pieces = message(9, [large]);
    expect(pieces[1]).toBe(large);
    expect(bytes(pieces).slice(0, 6)).toBe('4aac02');
    expect(byteCount(pieces)).toBe(303);
  });
});
