import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../core/random.ts';
import type { ColumnBatch } from './columns.ts';
import type { EncodedColumn } from './encoded.ts';
import { createEncoder, type Encoder } from './encoder.ts';
import { BatchReader } from './fieldKeys.ts';
import { columnOf, isEmbedded, isMade, scopeOfField, tableOf } from './fields.ts';
import { Fitter } from './fit.ts';
import type { ColumnType } from './fitted.ts';
import { columnFromJson, columnToJson } from './jsonColumns.ts';
import { crossKeys } from './keys.ts';
import { MatchCounter } from './matches.ts';
import { parseSchema } from './parseSchema.ts';
import { randomFields, randomTable } from './randomTable.ts';
import type { Field, Schema } from './schema.ts';
import { scopeIncludes } from './scopes.ts';
import { selectRows } from './selectRows.ts';

const schemaOf = (fields: readonly unknown[]): Schema =>
  parseSchema({ name: 'x', labels: [{ name: 'click', column: 'click' }], fields });

function fitEncoder(schema: Schema, ...batches: ColumnBatch[]): Encoder {
  const fitter = new Fitter(schema, createRandom(1));
  for (const batch of batches) fitter.observe(batch);
  return createEncoder(schema, fitter.finish());
}

/** One row of an encoded column, whose one row counts for all. */
function rowOf(column: EncodedColumn, row: number): unknown {
  if (column.kind === 'id') return [column.ids[column.ids.length === 1 ? 0 : row]];
  if (column.kind === 'dense') {
    const at = column.values.length === column.width ? 0 : row * column.width;
    return column.values.subarray(at, at + column.width);
  }
  const at = column.offsets.length === 2 ? 0 : row;
  return { pooling: column.pooling, ids: [...column.ids.subarray(column.offsets[at], column.offsets[at + 1])] };
}

/** A batch's values as a request sends them: JSON, then columns of the types the model was trained with. */
function throughJson(batch: ColumnBatch, encoder: Encoder, fields: readonly Field[]): ColumnBatch {
  const columns = new Map(
    fields
      .filter((field) => !isMade(field))
      .map((field) => {
        const name = columnOf(field);
        const rows = Array.from({ length: batch.rowCount }, (_, row) => row);
        const sent = JSON.stringify(columnToJson(batch.columns.get(name) as never, rows));
        const type = encoder.fitted.columnTypes.get(name) as ColumnType;
        return [name, columnFromJson(JSON.parse(sent), type, name)];
      }),
  );
  return { rowCount: batch.rowCount, columns };
}

/**
 * Encodes a request as serving does: what depends on the request alone once, what depends on the candidate for each, and
 * crosses of both from their keys.
 */
function encodeAsServed(encoder: Encoder, request: ColumnBatch, candidates: ColumnBatch): Map<string, EncodedColumn> {
  const { fields } = encoder.schema;
  const byName = new Map(fields.map((field) => [field.name, field]));
  const ofRequest = (field: Field) => scopeIncludes('request', scopeOfField(field, byName));
  const plain = fields.filter((field) => !isMade(field));
  const mine = throughJson(request, encoder, plain.filter(ofRequest));
  const theirs = throughJson(
    candidates,
    encoder,
    plain.filter((field) => !ofRequest(field)),
  );
  const encoded = new Map([
    ...encoder.encode(mine, plain.filter(ofRequest)).fields,
    ...encoder.encode(
      theirs,
      plain.filter((field) => !ofRequest(field)),
    ).fields,
  ]);
  const readers = { mine: new BatchReader(mine, byName), theirs: new BatchReader(theirs, byName) };
  for (const field of fields) {
    if (field.kind === 'match') {
      const [first, second] = field.of.map((name) => encoded.get(name) as EncodedColumn);
      encoded.set(field.name, new MatchCounter().count(first, second, candidates.rowCount));
    }
    if (field.kind !== 'cross') continue;
    const parts = field.of.map((name) => {
      const part = byName.get(name) as Field;
      return (ofRequest(part) ? readers.mine : readers.theirs).keysOf(part as never);
    });
    encoded.set(field.name, encoder.encodeKeys(field, crossKeys(parts)));
  }
  return encoded;
}

describe('the encoder', () => {
  it('encodes a row of a table in training and the same row of a request in serving bit for bit alike', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 5 }), (seed, candidateCount) => {
        const random = createRandom(seed);
        const given = randomFields(random);
        const schema = schemaOf(given.fields.map((field) => JSON.parse(JSON.stringify(field))));
        const encoder = fitEncoder(schema, randomTable(given, 30, random), randomTable(given, 10, random));
        const byName = new Map(schema.fields.map((field) => [field.name, field]));
        // A log has the request's values beside each of its candidates.
        const candidates = randomTable(given, candidateCount, random);
        const request = randomTable(given, 1, random);
        const log: ColumnBatch = {
          rowCount: candidateCount,
          columns: new Map(
            schema.fields.flatMap((field) => {
              if (isMade(field)) return [];
              const name = columnOf(field);
              const repeated = selectRows(request, new Int32Array(candidateCount)).columns.get(name);
              const own = scopeOfField(field, byName) === 'request' ? repeated : candidates.columns.get(name);
              return [[name, own as never]];
            }),
          ),
        };
        const trained = encoder.encode(log);
        const served = encodeAsServed(encoder, request, candidates);
        for (const { name } of schema.fields) {
          for (let row = 0; row < candidateCount; row++) {
            expect(rowOf(served.get(name) as EncodedColumn, row), `${name}, row ${row}`).toEqual(
              rowOf(trained.fields.get(name) as EncodedColumn, row),
            );
          }
        }
      }),
      { numRuns: 400 },
    );
  });

  it('gives the same for a table whole, row by row, and in any order of rows', () => {
    fc.assert(
      fc.property(fc.integer(), fc.uniqueArray(fc.nat(11), { minLength: 1 }), (seed, order) => {
        const random = createRandom(seed);
        const given = randomFields(random);
        const schema = schemaOf(given.fields.map((field) => JSON.parse(JSON.stringify(field))));
        const encoder = fitEncoder(schema, randomTable(given, 30, random));
        const batch = randomTable(given, 12, random);
        const whole = encoder.encode(batch);
        const some = encoder.encode(selectRows(batch, Int32Array.from(order)));
        for (const { name } of schema.fields) {
          order.forEach((row, i) => {
            const expected = rowOf(whole.fields.get(name) as EncodedColumn, row);
            expect(rowOf(some.fields.get(name) as EncodedColumn, i)).toEqual(expected);
            const alone = encoder.encode(selectRows(batch, Int32Array.of(row)));
            expect(rowOf(alone.fields.get(name) as EncodedColumn, 0)).toEqual(expected);
          });
        }
      }),
      { numRuns: 60 },
    );
  });

  it('gives ids within the tables, whose rows are the vocabularies’', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const random = createRandom(seed);
        const given = randomFields(random);
        const schema = schemaOf(given.fields.map((field) => JSON.parse(JSON.stringify(field))));
        const encoder = fitEncoder(schema, randomTable(given, 20, random));
        const { fields } = encoder.encode(randomTable(given, 20, random));
        for (const field of schema.fields) {
          const column = fields.get(field.name) as EncodedColumn;
          expect(column.kind !== 'dense').toBe(isEmbedded(field));
          if (column.kind === 'dense') continue;
          const vocabulary = encoder.fitted.vocabularies.get(tableOf(field) as string);
          expect(vocabulary?.counts.length).toBe(vocabulary?.rows);
          for (const id of column.ids) expect(id >= 0 && id < (vocabulary?.rows ?? 0)).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });

  const batchOf = (columns: Record<string, [ColumnType, unknown[]]>): ColumnBatch => ({
    rowCount: Object.values(columns)[0][1].length,
    columns: new Map(
      Object.entries(columns).map(([name, [type, values]]) => [name, columnFromJson(values, type, name)]),
    ),
  });

  it('counts each id, the missing ones and the rare ones, empty lists among the missing', () => {
    const schema = schemaOf([
      { name: 'a', kind: 'id', scope: 'ad', minCount: 2 },
      { name: 'tags', kind: 'ids', scope: 'ad' },
      { name: 'hashed', kind: 'id', scope: 'ad', column: 'a', buckets: 3 },
    ]);
    const { fitted } = fitEncoder(
      schema,
      batchOf({ a: ['integer', [5, 5, 6, null]], tags: ['list of text', [['x', 'x'], [], null, ['y', null]]] }),
    );
    expect([...(fitted.vocabularies.get('a')?.counts ?? [])]).toEqual([1, 1, 2]);
    expect([...(fitted.vocabularies.get('tags')?.counts ?? [])]).toEqual([2, 0, 2, 1]);
    const hashed = fitted.vocabularies.get('hashed')?.counts ?? [];
    expect([hashed.length, hashed[0], [...hashed].reduce((a, b) => a + b)]).toEqual([5, 1, 4]);
  });

  it('averages a list where the schema says nothing else, and takes its first 50 items', () => {
    const schema = schemaOf([{ name: 'tags', kind: 'ids', scope: 'ad' }]);
    const batch = batchOf({ tags: ['list of integer', [Array.from({ length: 60 }, (_, i) => i), [7]]] });
    const column = fitEncoder(schema, batch).encode(batch).fields.get('tags');
    expect(column).toMatchObject({ kind: 'ids', pooling: 'mean', offsets: Int32Array.of(0, 50, 51) });
    const short = schemaOf([{ name: 'tags', kind: 'ids', scope: 'ad', pooling: 'sum', maxItems: 2 }]);
    const cut = fitEncoder(short, batch).encode(batch).fields.get('tags');
    expect(cut).toMatchObject({ pooling: 'sum', offsets: Int32Array.of(0, 2, 3) });
  });

  const adAndSeen = [
    { name: 'ad', kind: 'id', scope: 'ad', minCount: 2 },
    { name: 'seen', kind: 'ids', scope: 'request', pooling: 'none', maxItems: 3, table: 'ad', minCount: 2 },
  ];

  it('keeps the place of an event without a value in a sequence, and of a long one its first events', () => {
    const batch = batchOf({
      ad: ['integer', [5, 5, 6, 6]],
      seen: ['list of integer', [[null, 6, null], null, [5, 9, null, 6], []]],
    });
    const column = fitEncoder(schemaOf(adAndSeen), batch).encode(batch).fields.get('seen');
    expect(column).toEqual({
      kind: 'ids',
      pooling: 'none',
      offsets: Int32Array.of(0, 3, 3, 6, 6),
      ids: Int32Array.of(0, 3, 0, 2, 1, 0),
    });
  });

  it('does not count what a sequence repeats into a table that a field of the impression fits', () => {
    const columns: Parameters<typeof batchOf>[0] = {
      ad: ['integer', [5, 5, 6]],
      seen: ['list of integer', [[6, 6, 7], [6, 7, 7], []]],
    };
    for (const fields of [adAndSeen, [...adAndSeen].reverse()]) {
      const { fitted } = fitEncoder(schemaOf(fields), batchOf(columns));
      expect([...(fitted.vocabularies.get('ad')?.counts ?? [])]).toEqual([0, 1, 2]);
    }
    const { fitted } = fitEncoder(schemaOf([{ ...adAndSeen[1], maxItems: 9 }]), batchOf(columns));
    expect([...(fitted.vocabularies.get('ad')?.counts ?? [])]).toEqual([0, 0, 3, 3]);
  });

  it('gives small whole numbers their own rows, and counts what falls on them', () => {
    const schema = schemaOf([{ name: 'hour', kind: 'id', scope: 'request', identity: 3 }]);
    const batch = batchOf({ hour: ['integer', [2, 0, 2, 3, -1, null]] });
    const encoder = fitEncoder(schema, batch);
    expect(encoder.encode(batch).fields.get('hour')).toEqual({ kind: 'id', ids: Int32Array.of(4, 2, 4, 1, 1, 0) });
    expect([...(encoder.fitted.vocabularies.get('hour')?.counts ?? [])]).toEqual([1, 2, 1, 0, 2]);
    expect(() => fitEncoder(schema, batchOf({ hour: ['text', ['2']] }))).toThrow(
      "field 'hour', text: identity needs whole numbers",
    );
  });

  it('takes integers where floats were trained on, and refuses text with both types named', () => {
    const encoder = fitEncoder(schemaOf([{ name: 'a', kind: 'id', scope: 'ad' }]), batchOf({ a: ['number', [5, 6]] }));
    expect(encoder.encode(batchOf({ a: ['integer', [6]] })).fields.get('a')).toEqual(
      encoder.encode(batchOf({ a: ['number', [6]] })).fields.get('a'),
    );
    expect(() => encoder.encode(batchOf({ a: ['text', ['6']] }))).toThrow(
      "field 'a': column 'a' was number in training but is text here; write it with the same type",
    );
  });

  it('names the column that is missing, or of a kind the field cannot be', () => {
    const fitOf = (field: object, columns: Parameters<typeof batchOf>[0]) =>
      fitEncoder(schemaOf([{ name: 'a', scope: 'ad', ...field }]), batchOf(columns));
    expect(() => fitOf({ kind: 'id', column: 'ad_id' }, { other: ['integer', [1]] })).toThrow(
      "field 'a' needs column 'ad_id', which the data lacks; it has other",
    );
    expect(() => fitOf({ kind: 'id' }, { a: ['list of integer', [[1]]] })).toThrow(
      "field 'a', list of integer: kind 'id' has one value a row; use kind 'ids' for a list, or another column",
    );
    expect(() => fitOf({ kind: 'ids' }, { a: ['integer', [1]] })).toThrow(
      "field 'a', integer: kind 'ids' needs a list column; use kind 'id' for one value a row",
    );
    expect(() => fitOf({ kind: 'number' }, { a: ['text', ['x']] })).toThrow("kind 'number' needs a column of numbers");
  });

  it('refuses files that hold one column in two types', () => {
    const schema = schemaOf([{ name: 'a', kind: 'id', scope: 'ad' }]);
    expect(() => fitEncoder(schema, batchOf({ a: ['integer', [1]] }), batchOf({ a: ['text', ['1']] }))).toThrow(
      "column 'a' is integer in one file and text in another; write it with one type",
    );
  });
});
