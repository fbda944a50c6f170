import { describe, expect, it } from 'vitest';
import { readBanditSettings } from '../creative/settings.ts';
import type { Field } from '../schema/schema.ts';
import { Segments } from './segments.ts';

const fields: Field[] = [
  { name: 'band', column: 'age_band', kind: 'id', scope: 'request', size: 8 },
  { name: 'ageBand', column: 'age_band', kind: 'id', scope: 'request', size: 8 },
  { name: 'tier', kind: 'id', scope: 'request', size: 8 },
  { name: 'topics', kind: 'ids', scope: 'request', size: 8, pooling: 'mean' },
  { name: 'image', kind: 'vector', scope: 'request', length: 2 },
  { name: 'slot', kind: 'id', scope: 'request', size: 8, servingValue: 1 },
  { name: 'adTopic', kind: 'id', scope: 'ad', size: 8 },
];
const roles = { time: 'time_ms', request: 'request_id', position: 'slot', user: 'user' };
const plan = {
  requestNames: new Set(['band', 'ageBand', 'age_band', 'tier', 'topics', 'image', ...Object.values(roles)]),
};

function segmentsBy(segment: string, segments = ['18-24', '25-34', '3']): Segments {
  return Segments.of(readBanditSettings({ policy: 'linucb', segment, segments }), plan, {
    fields,
    ...roles,
  }) as Segments;
}

const placeOf = (context: Float64Array) => {
  expect(context.toSorted()).toEqual(Float64Array.of(0, 0, 0, 1));
  return context.indexOf(1);
};

describe('the segment of a request', () => {
  it('is the place of its value among those that are listed, and one more for all others and none', () => {
    const segments = segmentsBy('band');
    const values = ['18-24', '25-34', '3', 3, '55+', '', null, undefined, ['18-24'], {}, 3.5];
    expect(values.map((band) => placeOf(segments.contextOf({ band })))).toEqual([0, 1, 2, 2, 3, 3, 3, 3, 3, 3, 3]);
    expect(placeOf(segments.contextOf({}, {}))).toBe(3);
  });

  it('is that of a whole number in whatever way it is sent', () => {
    const segments = segmentsBy('tier', ['1', '0', '9223372036854775807']);
    const values = [1, '1', true, 0, false, '9223372036854775807'];
    expect(values.map((tier) => placeOf(segments.contextOf({}, { tier })))).toEqual([0, 0, 0, 1, 1, 2]);
  });

  it.each(['band', 'age_band', 'ageBand'])(
    'is found under every name of the field, called %s in the settings',
    (name) => {
      const segments = segmentsBy(name);
      expect(placeOf(segments.contextOf({}, { age_band: '25-34' }))).toBe(1);
      const own = name === 'age_band' ? ['band', 'ageBand'] : [name];
      for (const called of own) {
        expect(placeOf(segments.contextOf({ [called]: '25-34' }, {}))).toBe(1);
        expect(placeOf(segments.contextOfEvent({ [called]: '25-34' }, 'event'))).toBe(1);
      }
    },
  );

  it('is refused of an event that does not say it, but not of one that says there is none', () => {
    const segments = segmentsBy('age_band');
    expect(() => segments.contextOfEvent({ tier: 1 }, 'events, item 3')).toThrow(
      "events, item 3: lacks 'age_band', by which the policy tells users apart; send it in user or context as the ranking request did",
    );
    expect(placeOf(segments.contextOfEvent({ band: null }, 'event'))).toBe(3);
  });

  it.each(['topics', 'image', 'slot', 'time_ms', 'request_id', 'adTopic'])(
    'is refused by %s, which has no one value of a user',
    (name) =>
      expect(() => segmentsBy(name)).toThrow(`by segment '${name}', which is no field of requests that can tell them`),
  );

  it('is of a field of requests that the settings name', () => {
    expect(() => segmentsBy('colour')).toThrow(
      /by segment 'colour', which is no field of requests that can tell them; set "segment" to one of band, age_band, ageBand, tier, and/,
    );
    const bare = readBanditSettings({ policy: 'linucb', contextSize: 4 });
    expect(() => Segments.of(bare, plan, { fields })).toThrow(/tells users apart by segment of no field/);
    expect(Segments.of(readBanditSettings({}), plan, { fields })).toBeUndefined();
  });
});
