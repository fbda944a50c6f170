import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../core/errors.ts';
import { decodeSafetensors, encodeSafetensors, type Tensor, type TensorValues } from './safetensors.ts';

/** Written by safetensors 0.8.0 for Python: w, counts, keys, odd and an empty tensor, with metadata. */
const fromPython =
  'WAEAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJtYWRlIjoiYnkgc2FmZXRlbnNvcnMgZm9yIFB5dGhvbiJ9LCJrZXlzIjp7ImR0eXBlIjoiSTY0Iiwic2hhcGUiOlszXSwiZGF0YV9vZmZzZXRzIjpbMCwyNF19LCJjb3VudHMiOnsiZHR5cGUiOiJGNjQiLCJzaGFwZSI6WzJdLCJkYXRhX29mZnNldHMiOlsyNCw0MF19LCJub25lIjp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOlswLDRdLCJkYXRhX29mZnNldHMiOls0MCw0MF19LCJ3Ijp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOlsyLDJdLCJkYXRhX29mZnNldHMiOls0MCw1Nl19LCJvZGQiOnsiZHR5cGUiOiJJMzIiLCJzaGFwZSI6WzNdLCJkYXRhX29mZnNldHMiOls1Niw2OF19fQAAAAAAAABA//////////8HAAAAAAAAAJx1AIg85Dd+mpmZmZmZub8AAMA/AAAAwAAAgD6CqPs3BwAAAAgAAAAJAAAA';

const arbitraryTensor: fc.Arbitrary<Tensor> = fc
  .tuple(fc.array(fc.nat(4), { maxLength: 3 }), fc.constantFrom(Float32Array, Float64Array, Int32Array, BigInt64Array))
  .chain(([shape, Kind]) => {
    const bytes = shape.reduce((product, n) => product * n, 1) * Kind.BYTES_PER_ELEMENT;
    return fc
      .uint8Array({ minLength: bytes, maxLength: bytes })
      .map((content) => ({ shape, values: new Kind(content.slice().buffer) as TensorValues }));
  });

const bytesOf = ({ values }: Tensor) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

describe('safetensors', () => {
  it('reads what another program wrote', () => {
    const tensors = decodeSafetensors(Buffer.from(fromPython, 'base64'), 'file');
    expect([...tensors.keys()].sort()).toEqual(['counts', 'keys', 'none', 'odd', 'w']);
    expect(tensors.get('w')).toEqual({ shape: [2, 2], values: Float32Array.of(1.5, -2, 0.25, 3e-5) });
    expect(tensors.get('counts')).toEqual({ shape: [2], values: Float64Array.of(1e300, -0.1) });
    expect(tensors.get('keys')).toEqual({ shape: [3], values: BigInt64Array.of(2n ** 62n, -1n, 7n) });
    expect(tensors.get('odd')).toEqual({ shape: [3], values: Int32Array.of(7, 8, 9) });
    expect(tensors.get('none')).toEqual({ shape: [0, 4], values: new Float32Array(0) });
  });

  it('gives back what it wrote, bit by bit, from memory that begins anywhere', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ minLength: 1 }), arbitraryTensor, { maxKeys: 5, noNullPrototype: true }),
        fc.nat(7),
        (given, shift) => {
          const names = Object.keys(given).filter((name) => !/^__|\.filler$/.test(name));
          const written = encodeSafetensors(new Map(names.map((name) => [name, given[name]])));
          const moved = new Uint8Array(written.length + shift).subarray(shift);
          moved.set(written);
          const read = decodeSafetensors(moved, 'file');
          for (const name of names) {
            expect(read.get(name)?.shape).toEqual(given[name].shape);
            expect(read.get(name)?.values.constructor).toBe(given[name].values.constructor);
            expect(bytesOf(read.get(name) as Tensor)).toEqual(bytesOf(given[name]));
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  it('writes tensors in place: no gaps, each at a multiple of 64 bytes of the file', () => {
    const written = encodeSafetensors(
      new Map<string, Tensor>([
        ['a', { shape: [3], values: Float32Array.of(1, 2, 3) }],
        ['b', { shape: [1], values: Float64Array.of(4) }],
      ]),
    );
    const length = Number(new DataView(written.buffer).getBigUint64(0, true));
    expect((8 + length) % 64).toBe(0);
    const header = JSON.parse(new TextDecoder().decode(written.subarray(8, 8 + length)));
    const spans = Object.values(header as Record<string, { data_offsets: [number, number] }>).map(
      (t) => t.data_offsets,
    );
    spans.forEach(([from], i) => {
      expect(from).toBe(i === 0 ? 0 : spans[i - 1][1]);
    });
    expect(Object.keys(header)).toEqual(['a', 'a.filler', 'b', 'b.filler']);
    expect(header['a.filler']).toEqual({ dtype: 'F32', shape: [13], data_offsets: [12, 64] });
    expect(header.b.data_offsets).toEqual([64, 72]);
    expect(written.length).toBe(8 + length + (spans.at(-1) as [number, number])[1]);
  });

  it('refuses damage with a clear error, whatever bytes change or are cut off', () => {
    const original = Buffer.from(fromPython, 'base64');
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(original.length - 1), fc.nat(255)), { maxLength: 4 }),
        fc.nat(original.length),
        fc.boolean(),
        (changes, length, cut) => {
          const bytes = Buffer.from(original);
          for (const [at, value] of changes) bytes[at] = value;
          try {
            for (const { shape, values } of decodeSafetensors(cut ? bytes.subarray(0, length) : bytes, 'file').values())
              expect(values.length).toBe(shape.reduce((product, n) => product * n, 1));
          } catch (error) {
            expect(error).toBeInstanceOf(UserError);
            expect((error as Error).message).toMatch(/^file: not a readable safetensors file \(.+\); restore/);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it.each<[string, unknown, RegExp]>([
    ['a dtype it does not know', { a: { dtype: 'F16', shape: [1], data_offsets: [0, 2] } }, /'a' has dtype F16/],
    [
      'a tensor beyond the end',
      { a: { dtype: 'F32', shape: [9], data_offsets: [0, 36] } },
      /'a' lies outside the file/,
    ],
    ['a tensor before the start', { a: { dtype: 'F32', shape: [1], data_offsets: [-4, 0] } }, /'a' lies outside/],
    [
      'a shape of another size',
      { a: { dtype: 'F32', shape: [3], data_offsets: [0, 8] } },
      /another size than its shape/,
    ],
    ['a negative shape', { a: { dtype: 'F32', shape: [-1, -2], data_offsets: [0, 8] } }, /no valid shape/],
    ['offsets that are none', { a: { dtype: 'F32', shape: [1], data_offsets: 4 } }, /'a' has no offsets/],
    ['a header that is a list', [], /its header is not an object/],
    ['an entry that is null', { a: null }, /'a' has dtype undefined/],
  ])('refuses %s', (_, header, message) => {
    const json = Buffer.from(JSON.stringify(header));
    const bytes = Buffer.concat([Buffer.alloc(8), json, Buffer.alloc(8)]);
    bytes.writeBigUInt64LE(BigInt(json.length));
    expect(() => decodeSafetensors(bytes, 'file')).toThrow(message);
  });
});
