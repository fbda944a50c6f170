import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../core/errors.ts';
import { schemaFile } from './derivedFields.ts';
import { pathsOf, replaced } from './jsonChanges.ts';
import { parseSchema } from './parseSchema.ts';

type Json = Record<string, unknown>;

const counter = {
  name: 'user',
  kind: 'counter',
  by: ['userId'],
  over: ['lifetime', { halfLife: '1d' }, { window: '90m' }],
  values: [
    'count',
    { rate: 'click', strength: 3, prior: { by: ['placement'], over: { halfLife: '1h' } } },
    { mean: 'play', prior: { by: [] } },
    { sum: 'play' },
    { coec: 'click' },
  ],
  clip: 3,
};
const session = {
  name: 'session',
  kind: 'counter',
  by: ['userId', 'placement'],
  over: ['session'],
  values: [
    'sinceLast',
    { sinceLast: 'click' },
    { last: 'play' },
    { last: 'click' },
    { run: 'click' },
    { same: 'topic' },
    { idle: 'play' },
  ],
};
const sequence = {
  name: 'recent',
  kind: 'sequence',
  by: 'userId',
  length: 30,
  items: ['adId', 'topic'],
  where: 'click',
  without: 'long_view',
  actions: ['click', 'long_view'],
  gapSize: 4,
  actionSize: 2,
};
const good = {
  name: 'log',
  labels: [
    { name: 'click', column: 'is_click', delay: '60s' },
    { name: 'long_view', column: 'viewed' },
  ],
  time: 'time_ms',
  user: 'user_id',
  history: {
    numbers: [{ name: 'play', column: 'play_ratio', delay: '5m' }],
    session: '10m',
    tick: '30s',
    lateness: '2h',
    timeToLive: '90d',
    expected: { by: ['placement', 'position'], over: { halfLife: '7d' } },
    maxKeys: 1000,
    maxPairs: 10,
  },
  fields: [
    { name: 'userId', column: 'user_id', kind: 'id', scope: 'request' },
    { name: 'placement', kind: 'id', scope: 'request' },
    { name: 'position', kind: 'id', scope: 'request', servingValue: 1 },
    { name: 'adId', kind: 'id', scope: 'ad' },
    { name: 'topic', kind: 'id', scope: 'ad' },
    { name: 'tags', kind: 'ids', scope: 'ad' },
    counter,
    session,
    sequence,
  ],
};
const withFields = (...fields: unknown[]) => ({ ...good, fields: [...good.fields.slice(0, 6), ...fields] });
const withCounter = (more: Json) => withFields({ ...counter, ...more });
const withSequence = (more: Json) => withFields({ ...sequence, ...more });
const withHistory = (more: Json) => ({ ...good, history: { ...good.history, ...more } });

const ids = 'userId, placement, position, adId and topic';
const mistakes: [what: string, schema: unknown, message: string][] = [
  [
    'a key like a field’s name',
    withCounter({ by: ['usreId'] }),
    `counter 'user' is by 'usreId', which is no field of a column; did you mean 'userId'? The schema's id fields are ${ids}`,
  ],
  [
    'a key like none',
    withCounter({ by: ['country'] }),
    `which is no field of a column; name one of the schema's id fields: ${ids}`,
  ],
  [
    'a list as a key',
    withCounter({ by: ['tags'] }),
    `is by 'tags', which has kind 'ids'; name one of the schema's id fields: ${ids}`,
  ],
  [
    'what history makes as a key',
    withFields(counter, { ...session, by: ['user'] }),
    "counter 'session' is by 'user', which is no field",
  ],
  ['a key twice', withCounter({ by: ['adId', 'adId'] }), "counter 'user' is by 'adId' twice; name it once"],
  ['three keys', withCounter({ by: ['userId', 'adId', 'topic'] }), "field 'user': by must not have more than 2 items"],
  [
    'a key that service replaces',
    withCounter({ by: ['position'] }),
    "is by 'position', which has a servingValue, so that service would",
  ],
  [
    'a field to be the same as that is none',
    withCounter({ over: ['session'], values: [{ same: 'tpic' }] }),
    "has same of 'tpic', which is no field of a column; did you mean 'topic'?",
  ],
  [
    'a prior by no field',
    withCounter({ values: [{ rate: 'click', prior: { by: ['x'] } }] }),
    "counter 'user' has a prior by 'x', which is no field",
  ],
  [
    'a rate of no label',
    withCounter({ values: [{ rate: 'clik' }] }),
    "has rate of 'clik', which is no label; did you mean 'click'? The schema's labels are click and long_view",
  ],
  [
    'a mean of a label',
    withCounter({ values: [{ mean: 'click' }] }),
    "has mean of 'click', which is no number of history; name one of the schema's numbers: play",
  ],
  [
    'a mean where there are no numbers',
    { ...withCounter({}), history: {} },
    "has mean of 'play', which is no number of history; the schema has no number: add one",
  ],
  [
    'a last of nothing',
    withCounter({ over: ['session'], values: [{ last: 'x' }] }),
    "has last of 'x', which is no label and no number of history; name one of the schema's outcomes: click, long_view and play",
  ],
  [
    'an unknown value',
    withCounter({ values: ['cuont'] }),
    `field 'user': values/0 must be one of count, sinceLast, {"rate": …}, {"mean": …}`,
  ],
  [
    'a value of an unknown key',
    withCounter({ values: ['count', { rat: 'click' }] }),
    `values/1 must be one of count, sinceLast, {"rate": …}`,
  ],
  [
    'a negative strength',
    withCounter({ values: [{ rate: 'click', strength: -1 }] }),
    "field 'user': values/0/strength must be >= 0, got -1",
  ],
  [
    'two values in one',
    withCounter({ values: [{ rate: 'click', mean: 'play' }] }),
    "field 'user': values/0 has unknown 'mean'",
  ],
  [
    'a window of 0',
    withCounter({ over: [{ window: '0d' }] }),
    `field 'user': over/0/window must be a length of time above 0, such as 90s, 10m, 4h or 1d, got "0d"`,
  ],
  [
    'a window in an unknown unit',
    withCounter({ over: [{ halfLife: '1w' }] }),
    'over/0/halfLife must be a length of time above 0',
  ],
  ['a window that is a number', withCounter({ over: [{ window: 5 }] }), 'over/0/window must be string, got 5'],
  [
    'an unknown window',
    withCounter({ over: ['day'] }),
    `over/0 must be one of lifetime, session, {"window": …}, {"halfLife": …}, got "day"`,
  ],
  [
    'two windows of one length',
    withCounter({ over: [{ window: '24h' }, { window: '1d' }] }),
    `counter 'user' is over {"window":"1d"} twice`,
  ],
  ['a value twice', withCounter({ values: ['count', 'count'] }), `counter 'user' has "count" twice`],
  [
    'the last event over a window',
    withCounter({ values: ['sinceLast'] }),
    `has "sinceLast" over {"halfLife":"1d"} and {"window":"90m"}, but the last event has no window`,
  ],
  [
    'the last outcome over a half-life',
    withCounter({ over: [{ halfLife: '1d' }], values: [{ run: 'click' }] }),
    `has {"run":"click"} over {"halfLife":"1d"}`,
  ],
  ['a sequence by no field', withSequence({ by: 'x' }), "sequence 'recent' is by 'x', which is no field"],
  [
    'an item that is a list',
    withSequence({ items: ['adId', 'tags'] }),
    "sequence 'recent' has item 'tags', which has kind 'ids'",
  ],
  ['an item twice', withSequence({ items: ['adId', 'adId'] }), "sequence 'recent' has item 'adId' twice"],
  ['an action twice', withSequence({ actions: ['click', 'click'] }), "sequence 'recent' has action 'click' twice"],
  [
    'an action that is no label',
    withSequence({ actions: ['play'] }),
    "sequence 'recent' has action 'play', which is no label",
  ],
  ['a condition that is no label', withSequence({ where: 'x' }), "sequence 'recent' is where 'x', which is no label"],
  [
    'a condition and its contrary',
    withSequence({ without: 'click' }),
    "sequence 'recent' is where and without 'click', as no event is",
  ],
  [
    'an expectation by no field',
    withHistory({ expected: { by: ['positon'] } }),
    "history.expected is by 'positon', which is no field of a column; did you mean 'position'?",
  ],
  [
    'an expectation by three',
    withHistory({ expected: { by: ['placement', 'position', 'topic'] } }),
    'history.expected.by must not have more than 2 items',
  ],
  [
    'a number called as a label',
    withHistory({ numbers: [{ name: 'click', column: 'x' }] }),
    "history's number 'click' is called as a label is",
  ],
  [
    'numbers called alike',
    withHistory({ numbers: [...good.history.numbers, { name: 'play', column: 'x' }] }),
    "history.numbers have 'play' twice",
  ],
  [
    'a number that is a field',
    withHistory({ numbers: [{ name: 'play', column: 'topic' }] }),
    "field 'topic' reads column 'topic', which history's number 'play' says is known only after the impression",
  ],
  ['a tick of 0', withHistory({ tick: '0s' }), 'history.tick must be a length of time above 0'],
  [
    'an unknown delay',
    { ...good, labels: [{ name: 'click', column: 'c', delay: '1 minute' }] },
    'labels.0.delay must be a length of time above 0',
  ],
  [
    'no time',
    { ...good, time: undefined },
    `counter 'user' needs to know when impressions were; name the column with "time"`,
  ],
  ['a name twice', withFields(counter, { ...sequence, name: 'user' }), "sequence 'user' has the name of another field"],
  ['the name of a field', withSequence({ name: 'topic' }), "sequence 'topic' has the name of another field"],
  [
    'the name of a column',
    withCounter({ name: 'user_id' }),
    "counter 'user_id' makes column 'user_id', which the table has; rename it",
  ],
  [
    'the name of a label’s column',
    withCounter({ name: 'is_click' }),
    "counter 'is_click' makes column 'is_click', which the table has",
  ],
  [
    'an item whose list is called as that of the gaps',
    {
      ...withSequence({ items: ['gap'] }),
      fields: [...good.fields.slice(0, 6), { name: 'gap', kind: 'id', scope: 'ad' }, { ...sequence, items: ['gap'] }],
    },
    "field 'recent.gap' is named twice",
  ],
  [
    'a cross of a sequence',
    withFields(
      { name: 'seen', kind: 'ids', scope: 'request', pooling: 'none' },
      { name: 'x', kind: 'cross', of: ['seen', 'topic'] },
    ),
    "cross 'x' is of 'seen', a sequence, which has no crosses",
  ],
  [
    'two ways of numbering ids',
    withFields({ name: 'hour', kind: 'id', scope: 'request', identity: 24, buckets: 5 }),
    "field 'hour' has both identity and buckets",
  ],
  [
    'a shared table of two ranges',
    withFields(
      { name: 'hour', kind: 'id', scope: 'request', identity: 24 },
      { name: 'day', kind: 'id', scope: 'request', identity: 7, table: 'hour' },
    ),
    'differ in identity (24 and 7)',
  ],
  [
    'a limit of what is not standardised',
    withFields({ name: 'v', kind: 'vector', scope: 'ad', length: 2, clip: 3 }),
    "field 'v' has a clip but is not standardised",
  ],
];

describe('a schema with history', () => {
  it('is read with the fields that history’s stand for, and written as it was', () => {
    const schema = parseSchema(good);
    expect(schema.historyFields).toEqual([counter, session, sequence]);
    expect(schemaFile(schema)).toEqual(good);
    expect(parseSchema(JSON.parse(JSON.stringify(schemaFile(schema))))).toEqual(schema);
  });

  it('may have settings of history and none of its fields', () => {
    const { historyFields, fields, history } = parseSchema(withFields());
    expect([historyFields, fields.length, history]).toEqual([undefined, 6, good.history]);
  });

  it.each(mistakes)('is refused for %s', (_, given, message) => {
    expect(() => parseSchema(JSON.parse(JSON.stringify(given)), 'f')).toThrow(UserError);
    expect(() => parseSchema(JSON.parse(JSON.stringify(given)), 'f')).toThrow(message);
  });

  it('is told mistakes of history and of plain fields together', () => {
    const fields = [...withCounter({ by: ['x'] }).fields, { name: 'p', kind: 'number', scope: 'ad', size: 3 }];
    expect(() => parseSchema({ ...good, fields }, 'f')).toThrow(/counter 'user' is by 'x'.*\n.*field 'p' has a size/);
  });

  it('is read, or refused with a UserError, whatever one of its values is', () => {
    const paths = pathsOf(good);
    const names = fc.constantFrom(
      'userId',
      'tags',
      'play',
      'click',
      'session',
      '1d',
      'count',
      'recent',
      'user',
      '__proto__',
      '',
    );
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.oneof(names, fc.jsonValue(), fc.constant(undefined)), (path, value) => {
        const given = replaced(good, path, value);
        try {
          const schema = parseSchema(given);
          expect(parseSchema(JSON.parse(JSON.stringify(schemaFile(schema))))).toEqual(schema);
        } catch (error) {
          expect(error, `${path.join('.')} = ${JSON.stringify(value)}`).toBeInstanceOf(UserError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
