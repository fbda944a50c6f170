import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../core/errors.ts';
import { pathsOf, replaced } from './jsonChanges.ts';
import { parseJson, parseSchema, problemsOf, shown } from './parseSchema.ts';
import { SchemaFile } from './schema.ts';

const good = {
  $schema: './limelight.schema.json',
  name: 'log',
  labels: [
    { name: 'click', column: 'is_click' },
    { name: 'conversion', column: 'bought', after: 'click', weight: 0.5, truth: 'true_p' },
  ],
  time: 'time_ms',
  user: 'user_id',
  keys: ['user_id'],
  slices: ['userId'],
  fields: [
    { name: 'userId', column: 'user_id', kind: 'id', scope: 'request', size: 8 },
    { name: 'clicked', kind: 'ids', scope: 'request', size: 8, table: 'userId', pooling: 'sum' },
    { name: 'price', kind: 'number', scope: 'ad', transform: 'log1p' },
    { name: 'image', kind: 'vector', scope: 'creative', length: 64 },
    { name: 'pair', kind: 'cross', of: ['userId', 'clicked'], buckets: 100 },
  ],
};
type Json = Record<string, unknown>;

/** The good schema with one field put in place of the first, or keys of the file replaced. */
const withField = (field: Json) => ({ ...good, slices: [], fields: [field, ...good.fields.slice(2, 4)] });
const adId = { name: 'adId', kind: 'id', scope: 'ad' };

/** Each mistake with what the message must say. */
const mistakes: [what: string, schema: unknown, message: string][] = [
  ['no object', 7, 'expected a JSON object, got 7'],
  ['a list', [], 'expected a JSON object, got []'],
  ['null', null, 'expected a JSON object, got null'],
  ['no labels', { ...good, labels: undefined }, "the file lacks 'labels'"],
  ['an empty list of labels', { ...good, labels: [] }, 'labels must not have fewer than 1 items'],
  ['no fields', { ...good, fields: [] }, 'fields must not have fewer than 1 items'],
  ['fields that are no list', { ...good, fields: { adId } }, 'fields must be array'],
  ['no name', { ...good, name: undefined }, "the file lacks 'name'"],
  ['a name with a dash', { ...good, name: 'my-log' }, 'name must match pattern'],
  ['an unknown key', { ...good, feilds: [] }, "the file has unknown 'feilds'; remove or correct it"],
  ['a label without a column', { ...good, labels: [{ name: 'click' }] }, "labels.0 lacks 'column'"],
  ['an unknown key of a label', { ...good, labels: [{ name: 'a', column: 'b', c: 1 }] }, "labels.0 has unknown 'c'"],
  [
    'a label of weight 0',
    { ...good, labels: [{ name: 'a', column: 'b', weight: 0 }] },
    'labels.0.weight must be > 0, got 0',
  ],
  [
    'a field that is no object',
    withField(7 as never),
    'fields[0] has kind nothing; use one of id, ids, number, vector, cross',
  ],
  ['a null field', withField(null as never), 'fields[0] has kind nothing'],
  ['no kind', withField({ name: 'adId', scope: 'ad' }), "field 'adId' has kind nothing; use one of id"],
  ['an unknown kind', withField({ ...adId, kind: 'ID' }), `field 'adId' has kind "ID"; use one of id, ids`],
  ['a kind of Object’s', withField({ ...adId, kind: 'toString' }), 'has kind "toString"'],
  ['no scope', withField({ name: 'adId', kind: 'id' }), "field 'adId' lacks 'scope'"],
  [
    'a wrong scope',
    withField({ ...adId, scope: 'user' }),
    'field \'adId\': scope must be one of request, ad, creative, candidate, variant, got "user"',
  ],
  ['a wrong size', withField({ ...adId, size: 1.5 }), "field 'adId': size must be integer, got 1.5"],
  ['a negative size', withField({ ...adId, size: -1 }), "field 'adId': size must be >= 1, got -1"],
  ['a key of another kind', withField({ ...adId, pooling: 'sum' }), "field 'adId' has unknown 'pooling'"],
  [
    'a wrong pooling',
    withField({ ...adId, kind: 'ids', pooling: 'max' }),
    'pooling must be one of mean, sum, none, got "max"',
  ],
  [
    'one quantile',
    withField({ name: 'p', kind: 'number', scope: 'ad', quantiles: 1 }),
    'quantiles must be >= 2, got 1',
  ],
  ['a vector without a length', withField({ name: 'v', kind: 'vector', scope: 'ad' }), "field 'v' lacks 'length'"],
  [
    'a field named twice',
    { ...good, fields: [...good.fields, good.fields[2]] },
    "field 'price' is named twice; rename one",
  ],
  [
    'two labels alike',
    { ...good, labels: [good.labels[0], { ...good.labels[0], column: 'b' }] },
    'two labels have the same name',
  ],
  [
    'a label after none',
    { ...good, labels: [{ name: 'a', column: 'a', after: 'b' }] },
    "label 'a' comes after 'b', which is no label; name one of a",
  ],
  [
    'a label after itself',
    { ...good, labels: [{ name: 'a', column: 'a', after: 'a' }] },
    "label 'a' comes after itself; break the circle",
  ],
  [
    'labels in a circle',
    {
      ...good,
      labels: [
        { name: 'a', column: 'a', after: 'b' },
        { name: 'b', column: 'b', after: 'a' },
      ],
    },
    "label 'b' comes after itself",
  ],
  [
    'a label as a field',
    withField({ ...adId, column: 'is_click' }),
    "field 'adId' reads column 'is_click', which is label 'click' and cannot be a feature; remove the field",
  ],
  [
    'a true probability as a field',
    withField({ name: 'true_p', kind: 'number', scope: 'ad' }),
    "which is the true probability of label 'conversion' and cannot be a feature",
  ],
  ['a slice that is no field', { ...good, slices: ['country'] }, "slice 'country' is not a field of kind 'id'"],
  ['a slice of numbers', { ...good, slices: ['price'] }, "slice 'price' is not a field of kind 'id'"],
  [
    'both ways of limiting ids',
    withField({ ...adId, minCount: 2, buckets: 9 }),
    "field 'adId' has both minCount and buckets",
  ],
  [
    'a size without quantiles',
    withField({ name: 'p', kind: 'number', scope: 'ad', size: 4 }),
    "field 'p' has a size but no quantiles",
  ],
  [
    'a cross of nothing',
    withField({ name: 'x', kind: 'cross', of: ['a', 'price'] }),
    "cross 'x' is of 'a', which is no field; name fields of kind id or ids",
  ],
  [
    'a cross of a number',
    withField({ name: 'x', kind: 'cross', of: ['a', 'price'] }),
    "cross 'x' is of 'price', which has kind 'number'",
  ],
  [
    'a match of what is no id',
    withField({ name: 'm', kind: 'match', of: ['price', 'nowhere'] }),
    "match 'm' is of 'nowhere', which is no field; name fields of kind id or ids",
  ],
  [
    'a match across tables',
    {
      ...good,
      fields: [
        ...good.fields,
        { name: 'adId', kind: 'id', scope: 'ad' },
        { name: 'm', kind: 'match', of: ['clicked', 'adId'] },
      ],
    },
    "ids are of different tables ('userId' and 'adId'); give both the same",
  ],
  ['a match of one twice', withField({ name: 'm', kind: 'match', of: ['a', 'a'] }), "is of 'a' twice; name two fields"],
  ['a cross of one', withField({ name: 'x', kind: 'cross', of: ['price'] }), 'of must not have fewer than 2 items'],
  [
    'a cross of a cross',
    { ...good, fields: [...good.fields, { name: 'x', kind: 'cross', of: ['pair', 'userId'] }] },
    "cross 'x' is of 'pair', which has kind 'cross'",
  ],
  [
    'a cross of a field with itself',
    { ...good, fields: [...good.fields, { name: 'x', kind: 'cross', of: ['userId', 'userId'] }] },
    "cross 'x' is of 'userId' twice; name it once",
  ],
  [
    'a cross with both',
    {
      ...good,
      fields: [...good.fields, { name: 'x', kind: 'cross', of: ['userId', 'clicked'], minCount: 2, buckets: 3 }],
    },
    "field 'x' has both minCount and buckets",
  ],
  [
    'a shared table of two sizes',
    { ...good, fields: [...good.fields, { ...adId, table: 'userId', size: 9 }] },
    "fields 'userId' and 'adId' share table 'userId' but differ in size (8 and 9); make them equal",
  ],
  [
    'a shared table of two minimum counts',
    { ...good, fields: [...good.fields, { ...adId, table: 'userId', size: 8, minCount: 3 }] },
    'differ in minCount (1 and 3)',
  ],
  [
    'a shared table, hashed and not',
    { ...good, fields: [...good.fields, { ...adId, table: 'userId', size: 8, buckets: 3 }] },
    'differ in buckets (none and 3)',
  ],
  [
    'ids in the table of a number’s quantiles',
    {
      ...good,
      fields: [
        ...good.fields,
        { name: 'age', kind: 'number', scope: 'request', quantiles: 4 },
        { ...adId, table: 'age' },
      ],
    },
    "fields 'age' and 'adId' share table 'age', but quantiles of a number are no ids; name another table",
  ],
  [
    'a text to serve as a number',
    withField({ name: 'p', kind: 'number', scope: 'ad', servingValue: 'x' }),
    `field 'p' has servingValue "x"; a number field's is a number or null`,
  ],
  [
    'a value to serve as a list',
    withField({ name: 'v', kind: 'ids', scope: 'ad', servingValue: 1 }),
    "that of kind 'ids' can only be null",
  ],
  [
    'a field named __proto__',
    withField({ ...adId, name: '__proto__' }),
    "'__proto__' cannot name a field, a table, a label or a column; rename it",
  ],
  ['a column named __proto__', withField({ ...adId, column: '__proto__' }), "'__proto__' cannot name"],
  [
    'a key called __proto__',
    JSON.parse(`{"__proto__": 1, ${JSON.stringify(good).slice(1)}`),
    "the file has unknown '__proto__'",
  ],
];

describe('parseSchema', () => {
  it('takes a good schema as it is, without the name of its JSON Schema', () => {
    const { $schema: _, ...expected } = good;
    expect(parseSchema(good)).toEqual(expected);
  });

  it.each(mistakes)('names %s', (_, given, message) => {
    const schema = JSON.parse(JSON.stringify(given));
    expect(() => parseSchema(schema, 'log.json')).toThrow(UserError);
    let text = '';
    try {
      parseSchema(schema, 'log.json');
    } catch (error) {
      text = (error as Error).message;
    }
    expect(text).toContain(message);
    for (const line of text.split('\n')) expect(line).toMatch(/^log\.json: /);
  });

  it('names all mistakes of a file together, each once', () => {
    const fields = [
      { ...adId, size: 0, colour: 1 },
      { ...adId, kind: 'idd' },
      { name: 'v', kind: 'vector', scope: 'x' },
    ];
    expect(() => parseSchema({ ...good, labels: 3, fields }, 'f')).toThrow(
      [
        'f: labels must be array, got 3',
        "f: field 'adId' has unknown 'colour'; remove or correct it",
        "f: field 'adId': size must be >= 1, got 0",
        `f: field 'adId' has kind "idd"; use one of id, ids, number, vector, cross, match, sequence, counter`,
        "f: field 'v' lacks 'length'",
        `f: field 'v': scope must be one of request, ad, creative, candidate, variant, got "x"`,
      ].join('\n'),
    );
    const meanings = [adId, adId, { ...adId, name: 'b', column: 'is_click', minCount: 1, buckets: 2 }];
    let text = '';
    try {
      parseSchema({ ...good, slices: ['none'], fields: meanings }, 'f');
    } catch (error) {
      text = (error as Error).message;
    }
    expect(text.split('\n')).toHaveLength(4);
  });

  it('takes names that JavaScript’s objects have', () => {
    const names = ['constructor', 'toString', 'hasOwnProperty', 'valueOf', 'prototype', '__defineGetter__'];
    const fields = names.map((name) => ({ name, kind: 'id', scope: 'ad' }));
    expect(parseSchema({ ...good, slices: ['toString'], fields }).fields.map(({ name }) => name)).toEqual(names);
  });

  it('throws a UserError alone, whatever the JSON', () => {
    const check = (json: unknown) => {
      try {
        expect(parseSchema(json).fields.length).toBeGreaterThan(0);
      } catch (error) {
        expect(error).toBeInstanceOf(UserError);
        expect((error as Error).message.length).toBeLessThan(20_000);
      }
    };
    fc.assert(fc.property(fc.jsonValue(), check));
    // And the good schema with one value anywhere replaced or left out.
    const paths = pathsOf(good);
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.option(fc.jsonValue(), { nil: undefined }), (path, value) =>
        check(replaced(good, path, value)),
      ),
      { numRuns: 500 },
    );
  });
});

describe('messages', () => {
  it('show values short', () => {
    expect([undefined, null, 'a', 7n, 'x'.repeat(80)].map(shown)).toEqual([
      'nothing',
      'null',
      '"a"',
      '7',
      `"${'x'.repeat(56)}…`,
    ]);
  });

  it('name the place of a value whose key has a slash', () => {
    const problems = problemsOf(SchemaFile, { ...good, 'a/b~c': 1 }, (path) => path || 'the file');
    expect(problems).toEqual(["the file has unknown 'a/b~c'; remove or correct it"]);
  });

  it('of JSON that does not parse name the file', () => {
    expect(() => parseJson('{', 'my.json')).toThrow(/^my\.json: not valid JSON \(.*\); correct the file$/);
  });
});
