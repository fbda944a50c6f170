import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packRows } from '../catalog/packRows.ts';
import type { EncodedColumn } from '../schema/encoded.ts';
import { ColumnBuffers, gatherEncoded } from '../schema/gatherRows.ts';
import { PackedGather } from './packedGather.ts';

const listsOf = (rows: readonly (readonly number[])[]): EncodedColumn => {
  const offsets = new Int32Array(rows.length + 1);
  rows.forEach((row, r) => {
    offsets[r + 1] = offsets[r] + row.length;
  });
  return { kind: 'ids', offsets, ids: Int32Array.from(rows.flat()), pooling: 'mean' };
};

describe('rows that are packed', () => {
  it('are picked as from each column by itself, whether lists are of like length or not', () => {
    const like = fc.array(fc.nat(9), { minLength: 2, maxLength: 3 });
    const table = fc
      .array(
        fc.record({ id: fc.nat(9), place: fc.nat(3), like, unlike: fc.oneof(fc.constant([]), fc.array(fc.nat(9))) }),
        { minLength: 1, maxLength: 9 },
      )
      .chain((rows) => fc.record({ rows: fc.constant(rows), asked: fc.array(fc.array(fc.nat(rows.length - 1))) }));
    const isWhole = new Set<boolean>();
    fc.assert(
      fc.property(table, ({ rows, asked }) => {
        const encoded = new Map<string, EncodedColumn>([
          ['unlike', listsOf(rows.map(({ unlike }) => unlike))],
          ['id', { kind: 'id', ids: Int32Array.from(rows, ({ id }) => id) }],
          ['like', listsOf(rows.map(({ like }) => like))],
          ['numbers', { kind: 'dense', width: 1, values: new Float32Array(rows.length) }],
        ]);
        const places = Uint16Array.from(rows, ({ place }) => place);
        const keys = { rowCount: 4, words: new Int32Array(8) };
        const packed = packRows(encoded, new Map([['topic', { keys, places }]]), rows.length);
        isWhole.add(packed.lists.get('unlike')?.items !== undefined);
        const gather = new PackedGather(packed, encoded);
        for (const at of asked.map((some) => Int32Array.from(some))) {
          gather.begin();
          for (const name of ['like', 'id', 'unlike'])
            expect(gather.encodedOf(name, at)).toEqual(
              gatherEncoded(encoded.get(name), undefined, at, new ColumnBuffers()),
            );
          expect(gather.encodedOf('numbers', at)).toBeUndefined();
          expect([...(gather.placesOf('topic', at) ?? [])]).toEqual(Array.from(at, (row) => places[row]));
          expect(gather.placesOf('id', at)).toBeUndefined();
        }
      }),
    );
    expect(isWhole.size).toBe(2);
  });
});
