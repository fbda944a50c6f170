import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import type { Column } from '../../src/schema/columns.ts';
import { isMade } from '../../src/schema/fields.ts';
import { columnFromJson } from '../../src/schema/jsonColumns.ts';
import { parseSchema } from '../../src/schema/parseSchema.ts';
import { openTable } from '../../src/tables/parquetReader.ts';
import { writeLog } from '../tinyLog.ts';
import { type Draft, draftSchema } from './draftSchema.ts';
import { profileTable, type TableProfile } from './profileTable.ts';

const folder = mkdtempSync(join(tmpdir(), 'profile-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const rowCount = 4000;
const random = createRandom(1);
const clicks: number[] = Array.from({ length: rowCount }, () => (random.next() < 0.25 ? 1 : 0));
const each = <T>(make: (row: number) => T) => Array.from({ length: rowCount }, (_, row) => make(row));
const integers = (make: (row: number) => unknown) => columnFromJson(each(make), 'integer', '');
const numbers = (make: (row: number) => unknown) => columnFromJson(each(make), 'number', '');
const texts = (make: (row: number) => unknown) => columnFromJson(each(make), 'text', '');

/** pandas' way to write whole numbers of which some are missing. */
const floats = (make: (row: number) => number): Column => ({
  type: 'number',
  rowCount,
  values: Float64Array.from(each(make)),
});

const columns: Record<string, Column> = {
  click: integers((row) => clicks[row]),
  user_id: integers((row) => String(9_007_199_254_740_993n + BigInt(row % 500))),
  ad_id: floats((row) => (row % 20 === 0 ? Number.NaN : row % 300)),
  time_ms: integers((row) => 1_700_000_000_000 + row * 1000),
  request_id: texts((row) => `request${row}`),
  placement: texts((row) => ['feed', 'search'][row % 2]),
  weekday: integers((row) => row % 7),
  price: numbers(() => Math.exp(random.normal() + 4)),
  balance: numbers((row) => (row % 10 === 0 ? null : random.normal())),
  tags: columnFromJson(
    each((row) => [`t${row % 30}`, `t${row % 7}`].slice(0, row % 3)),
    'list of text',
    '',
  ),
  image_embedding: columnFromJson(
    each(() => [random.next(), random.next(), 1]),
    'list of number',
    '',
  ),
  ragged: columnFromJson(
    each((row) => new Array(row % 3).fill(row / 2)),
    'list of number',
    '',
  ),
  dwell: numbers(() => random.next()),
  is_like: integers((row) => (clicks[row] === 1 && row % 2 === 0 ? 1 : 0)),
  score: numbers((row) => clicks[row] * 10 + random.next()),
  stamp: integers((row) => 3 + 2 * clicks[row]),
  constant: integers(() => 4),
  empty: columnFromJson(
    each(() => null),
    'integer',
    '',
  ),
  comment_text: texts((row) => `text ${row}`),
  'ad title': texts((row) => `title ${row % 40}`),
  'ad-title': texts((row) => `Title ${row % 40}`),
  '2nd price': numbers(() => random.normal()),
  bought: integers((row) => (clicks[row] === 1 && row % 5 === 0 ? 1 : 0)),
  big: integers((row) => String(2n ** 60n + BigInt(row % 300))),
  position: integers((row) => 1 + (row % 4)),
};

let profile: TableProfile;
let draft: Draft;
beforeAll(async () => {
  const file = await writeLog(join(folder, 'log.parquet'), { rowCount, columns: new Map(Object.entries(columns)) });
  profile = await profileTable(await openTable(file), 'click');
  draft = draftSchema(profile, 'click');
});

const columnOf = (name: string) => profile.columns.find((column) => column.name === name);
const draftOf = (name: string) => draft.columns.find(({ column }) => column.name === name);

describe('a table’s profile', () => {
  it('counts rows, nulls (NaN among them), distinct values and the range', () => {
    expect([profile.rows, profile.partial]).toEqual([rowCount, false]);
    expect(profile.labelRate).toBeCloseTo(clicks.reduce((a, b) => a + b, 0) / rowCount, 12);
    expect(columnOf('user_id')).toMatchObject({ type: 'integer', distinct: 500, nulls: 0, whole: true });
    expect(columnOf('ad_id')).toMatchObject({
      type: 'number',
      distinct: 285,
      nulls: 200,
      whole: true,
      low: 1,
      high: 299,
    });
    expect(columnOf('balance')).toMatchObject({ nulls: 400, distinct: 3600, whole: false });
    expect(columnOf('tags')).toMatchObject({ type: 'list of text', distinct: 23, length: undefined });
    expect(columnOf('image_embedding')).toMatchObject({ type: 'list of number', length: 3 });
    expect(columnOf('empty')).toMatchObject({ nulls: rowCount, distinct: 0, low: undefined });
    expect(columnOf('placement')?.examples).toEqual(['"feed"', '"search"']);
  });

  it('measures how well each column alone tells the label', () => {
    for (const name of ['stamp', 'score']) expect(columnOf(name)?.labelAuc, name).toBeGreaterThan(0.99);
    for (const name of ['weekday', 'placement', 'price']) expect(columnOf(name)?.labelAuc, name).toBeLessThan(0.6);
    // Every row its own value: nothing is learned from rows seen once.
    expect(columnOf('request_id')?.labelAuc).toBe(0.5);
  });
});

describe('a drafted schema', () => {
  it('parses, with unique names for columns whose names are none', () => {
    const schema = parseSchema(JSON.parse(JSON.stringify(draft.schema)));
    expect(schema).toMatchObject({ time: 'time_ms', user: 'user_id', request: 'request_id' });
    const renamed = schema.fields.filter((field) => !isMade(field) && field.column !== undefined);
    expect(renamed.map((field) => [field.name, !isMade(field) && field.column])).toEqual([
      ['ad_title', 'ad title'],
      ['ad_title_2', 'ad-title'],
      ['_2nd_price', '2nd price'],
    ]);
  });

  it.each([
    ['user_id', { kind: 'id', scope: 'request', size: 16, minCount: 3 }],
    ['ad_id', { kind: 'id', scope: 'ad', size: 16, minCount: 3 }],
    ['placement', { kind: 'id', scope: 'request', size: 4 }],
    ['weekday', { kind: 'id', scope: 'request', size: 4 }],
    ['price', { kind: 'number', scope: 'ad', transform: 'log1p' }],
    ['balance', { kind: 'number', invalid: 'missing' }],
    ['tags', { kind: 'ids', scope: 'ad', size: 8 }],
    ['image_embedding', { kind: 'vector', length: 3, scope: 'creative' }],
  ])('suggests a kind, a size and a scope for %s', (name, field) => {
    expect(draftOf(name)?.field).toMatchObject(field);
  });

  it.each([
    ['time_ms', 'the time of the impression'],
    ['request_id', 'names a moment or a request'],
    ['dwell', 'looks like an outcome'],
    ['is_like', 'looks like an outcome'],
    ['stamp', 'alone gives the label with AUC 1.00: it probably leaks'],
    ['score', 'it probably leaks'],
    ['constant', 'has one value'],
    ['empty', 'has no values'],
    ['comment_text', 'almost every row has its own value'],
    ['ragged', 'has lists of numbers of different lengths'],
  ])('leaves %s out and says why', (name, note) => {
    expect(draftOf(name)?.field).toBeUndefined();
    expect(draftOf(name)?.note).toContain(note);
  });

  it('refuses a label that is none, with what it holds', () => {
    expect(() => draftSchema(profile, 'clik')).toThrow(
      "--label: the table has no column 'clik'; it has click, user_id",
    );
    for (const name of ['weekday', 'price', 'placement', 'empty', 'balance', 'tags'])
      expect(() => draftSchema(profile, name), name).toThrow(
        `--label: column '${name}' is no label: expected 0 and 1 in every row, got `,
      );
  });
});

describe('a draft', () => {
  it('leaves out a value that never comes without the label, keeps whole numbers beyond 2^53 as ids, and serves the first slot', () => {
    expect(draftOf('bought')).toMatchObject({
      note: expect.stringMatching(/never comes without the label: it probably leaks/),
    });
    expect(draftOf('bought')?.field).toBeUndefined();
    expect(draftOf('big')?.field?.kind).toBe('id');
    expect(draftOf('position')?.field).toMatchObject({ kind: 'id', servingValue: 1 });
  });
});
