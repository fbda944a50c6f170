import { describe, expect, it } from 'vitest';
import { counterWidth, durationMs, historyColumns, schemaFile } from './derivedFields.ts';
import { parseSchema } from './parseSchema.ts';
import type { CounterField, HistoryField } from './schema.ts';

const schemaOf = (...history: HistoryField[]) =>
  parseSchema({
    name: 'log',
    labels: [{ name: 'click', column: 'is_click' }],
    time: 'time_ms',
    user: 'user_id',
    fields: [
      { name: 'userId', column: 'user_id', kind: 'id', scope: 'request' },
      { name: 'hour', kind: 'id', scope: 'request', identity: 24 },
      { name: 'adId', kind: 'id', scope: 'ad', size: 8, minCount: 3 },
      { name: 'topic', kind: 'id', scope: 'ad', table: 'topics', buckets: 100 },
      { name: 'imageId', kind: 'id', scope: 'creative' },
      ...history,
    ],
  });
const derivedOf = (...history: HistoryField[]) => schemaOf(...history).fields.slice(5);

const counterBy = (by: string[], more: Partial<CounterField> = {}): CounterField => ({
  name: 'c',
  kind: 'counter',
  by,
  values: ['count'],
  ...more,
});

describe('a counter', () => {
  it('is one standardised vector: its values over each window', () => {
    const counter = counterBy(['userId'], {
      over: ['lifetime', { halfLife: '1d' }, { window: '1h' }],
      values: ['count', { rate: 'click' }],
      clip: 2,
    });
    expect(counterWidth(counter)).toBe(6);
    expect(derivedOf(counter)).toEqual([
      { kind: 'vector', name: 'c', scope: 'request', length: 6, standardise: true, clip: 2 },
    ]);
    expect(counterWidth(counterBy([]))).toBe(1);
  });

  it.each<[string[], string]>([
    [[], 'request'],
    [['userId'], 'request'],
    [['userId', 'hour'], 'request'],
    [['adId'], 'candidate'],
    [['userId', 'topic'], 'candidate'],
    [['imageId'], 'variant'],
    [['userId', 'imageId'], 'variant'],
  ])('by %j has scope %s: what is known of an ad changes with the clock too', (by, scope) => {
    expect(derivedOf(counterBy(by))).toMatchObject([{ scope }]);
  });

  it('depends on what its values compare with, too', () => {
    const prior = counterBy(['userId'], { values: ['count', { rate: 'click', prior: { by: ['adId'] } }] });
    expect(derivedOf(prior)).toMatchObject([{ scope: 'candidate' }]);
    expect(derivedOf(counterBy(['userId'], { values: [{ same: 'imageId' }] }))).toMatchObject([{ scope: 'variant' }]);
  });
});

describe('a sequence', () => {
  it('is one list an item, which shares the item’s table, and one of actions and one of gaps', () => {
    const fields = derivedOf({
      name: 'recent',
      kind: 'sequence',
      by: 'userId',
      length: 30,
      items: ['adId', 'topic', 'hour'],
      actions: ['click'],
    });
    const list = { kind: 'ids', scope: 'request', pooling: 'none', maxItems: 30 };
    expect(fields).toEqual([
      { ...list, name: 'recent.adId', table: 'adId', size: 8, minCount: 3 },
      { ...list, name: 'recent.topic', table: 'topics', size: 16, buckets: 100 },
      { ...list, name: 'recent.hour', table: 'hour', size: 16, identity: 24 },
      { ...list, name: 'recent.action', size: 8, identity: 2 },
      { ...list, name: 'recent.gap', size: 8, identity: 48 },
    ]);
  });

  it('has neither actions nor gaps where none are asked for', () => {
    const fields = derivedOf({ name: 's', kind: 'sequence', by: 'adId', length: 2, items: ['userId'], gapSize: 0 });
    expect(fields).toEqual([
      { kind: 'ids', scope: 'candidate', pooling: 'none', maxItems: 2, name: 's.userId', table: 'userId', size: 16 },
    ]);
  });
});

describe('history’s columns', () => {
  it('are those that derived fields read, and none of the table’s', () => {
    const sequence = { name: 's', kind: 'sequence', by: 'userId', length: 2, items: ['adId'] } as const;
    const schema = schemaOf(counterBy(['userId']), { ...sequence, items: ['adId'] });
    expect([...historyColumns(schema)]).toEqual(['c', 's.adId', 's.gap']);
    expect(historyColumns(schemaOf()).size).toBe(0);
    expect((schemaFile(schema) as { fields: unknown[] }).fields).toHaveLength(7);
  });
});

describe('a length of time', () => {
  it.each([
    ['250ms', 250],
    ['90s', 90_000],
    ['10m', 600_000],
    ['4h', 14_400_000],
    ['999999d', 86_399_913_600_000],
  ])('of %s is %d ms', (text, ms) => expect(durationMs(text)).toBe(ms));
});
