import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeThrift, encodeThrift, type ThriftStruct, type ThriftValue } from './thriftCompact.ts';

// Zigzag doubles a number, so that 2^52 is the most that stays exact.
const whole = fc.oneof(fc.integer(), fc.integer({ min: -(2 ** 52), max: 2 ** 52 - 1 }));
const { struct } = fc.letrec<{ struct: ThriftStruct; value: ThriftValue }>((tie) => ({
  struct: fc
    .array(fc.tuple(fc.integer({ min: 1, max: 40 }), tie('value')), { maxLength: 5 })
    .map((fields) => new Map(fields)),
  value: fc.oneof(
    { maxDepth: 3 },
    fc.record({ type: fc.constantFrom('i16' as const, 'i32' as const, 'i64' as const), value: whole }),
    fc.record({ type: fc.constant('bool' as const), value: fc.boolean() }),
    fc.record({ type: fc.constant('i8' as const), value: fc.integer({ min: -128, max: 127 }) }),
    fc.record({ type: fc.constant('double' as const), value: fc.double() }),
    fc.record({ type: fc.constant('binary' as const), value: fc.uint8Array() }),
    fc.record({
      type: fc.constant('list' as const),
      itemCode: fc.constant(12),
      value: fc.array(
        tie('struct').map((value) => ({ type: 'struct' as const, value })),
        { maxLength: 20 },
      ),
    }),
    fc.record({ type: fc.constant('struct' as const), value: tie('struct') }),
  ),
}));

describe("Thrift's compact protocol", () => {
  it('reads the bytes of a struct worked out by hand', () => {
    // Field 1: i32 −3 (zigzag 5); field 17: binary "ab" (long form: id zigzag 34); field 18: list of i64 1, 300.
    const bytes = Uint8Array.of(0x15, 0x05, 0x08, 0x22, 0x02, 0x61, 0x62, 0x19, 0x26, 0x02, 0xd8, 0x04, 0x00);
    const wanted: ThriftStruct = new Map<number, ThriftValue>([
      [1, { type: 'i32', value: -3 }],
      [17, { type: 'binary', value: Uint8Array.of(0x61, 0x62) }],
      [
        18,
        {
          type: 'list',
          itemCode: 6,
          value: [
            { type: 'i64', value: 1 },
            { type: 'i64', value: 300 },
          ],
        },
      ],
    ]);
    expect(decodeThrift(bytes)).toEqual(wanted);
    expect(encodeThrift(wanted)).toEqual(bytes);
  });

  it('gives back any struct', () => {
    fc.assert(
      fc.property(struct, (value) => {
        expect(decodeThrift(encodeThrift(value))).toEqual(value);
      }),
    );
  });

  it('refuses any bytes that are none with an error, and never runs on', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decodeThrift(bytes);
        } catch (error) {
          expect((error as Error).message).toMatch(/^(it|a) /);
        }
      }),
      { numRuns: 2000 },
    );
    expect(() => decodeThrift(new Uint8Array(1000).fill(0x1c))).toThrow('it is nested too deeply');
    expect(() => decodeThrift(Uint8Array.of(0x19, 0xfc, 0xff, 0xff, 0x7f))).toThrow(
      'a list in it is longer than the footer',
    );
  });
});
