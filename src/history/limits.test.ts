import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../core/errors.ts';
import { createRandom, type Random } from '../core/random.ts';
import { parseSchema } from '../schema/parseSchema.ts';
import { createHistoryRows } from './assemble.ts';
import { createHistory, type Reducer } from './createHistory.ts';
import type { History, HistoryRows } from './history.ts';
import { createHistoryPlan, type HistoryPlan } from './historyPlan.ts';
import { eventsOfLog, keysOfLog, type LogRow, randomLog, randomSchema, startMs } from './randomLog.ts';
import { loadHistory, saveHistory } from './state.ts';

const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });
const planOf = (schema: Parameters<typeof createHistoryPlan>[0]) => createHistoryPlan(schema) as HistoryPlan;

function fed(history: History, log: readonly LogRow[]): History {
  const events = eventsOfLog(history.plan, log);
  for (let row = 0; row < log.length; row++) history.add(events, row);
  return history;
}

/** What all of a log's keys see at a time. */
function seen(history: History, log: readonly LogRow[], nowMs: number): HistoryRows {
  history.advance(nowMs);
  const out = createHistoryRows(history.plan, log.length);
  const keys = keysOfLog(history.plan, log);
  for (let row = 0; row < log.length; row++) history.readRow(keys, row, nowMs, out, row);
  return out;
}

describe('history', () => {
  it('at a time does not know what arrives then or later', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = createRandom(seed);
        const plan = planOf(randomSchema(random));
        const log = randomLog(random, 100);
        const nowMs = log[random.below(log.length)].arrivedMs;
        const past = log.filter(({ arrivedMs }) => arrivedMs < nowMs);
        const other = randomLog(random, 30).map((row) => ({
          ...row,
          arrivedMs: nowMs,
          eventMs: nowMs - random.below(2),
        }));
        const out = seen(fed(createHistory(plan), past), log, nowMs);
        expect(seen(fed(createHistory(plan), [...past, ...other]), log, nowMs)).toEqual(out);
      }),
      { numRuns: 60 },
    );
  });

  it('keeps no more keys and pairs than it may', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = createRandom(seed);
        const plan = planOf(randomSchema(random, { maxKeys: 9, maxPairs: 3 }));
        const history = fed(createHistory(plan), randomLog(random, 300, 40)) as Reducer;
        for (const [f, { owner }] of plan.families.entries()) {
          const { count } = history.families.records[f];
          expect(count).toBeLessThanOrEqual(owner < 0 ? 9 : 3 * history.families.records[owner].count);
        }
        // The last impression of all has its user's record still.
        const user = plan.families.findIndex(({ keys, isUser }) => isUser && keys.length === 1);
        if (user < 0) return;
        expect(history.families.records[user].count).toBeGreaterThan(0);
      }),
      { numRuns: 30 },
    );
  });

  it('keeps the keys and pairs of the latest impressions, also of a state made under a higher limit', () => {
    fc.assert(
      fc.property(seeds, fc.boolean(), (seed, ofPairs) => {
        const random = createRandom(seed);
        const planFor = (limit: number) =>
          planOf(
            parseSchema({
              name: 'two',
              time: 'time',
              user: 'user',
              labels: [{ name: 'click', column: 'click' }],
              history: ofPairs ? { maxPairs: limit } : { maxKeys: limit },
              fields: [
                { name: 'user', kind: 'id', scope: 'request' },
                { name: 'topic', kind: 'id', scope: 'ad' },
                { name: 'topics', kind: 'counter', by: ['user', 'topic'], values: ['count'] },
              ],
            }),
          );
        const key = () => 1 + random.below(60);
        const drawn = Array.from({ length: 400 }, (_, i) => ({ key: key(), eventMs: startMs + 1000 * (i >> 2) }));
        const lastMs = new Map<number, number>();
        let history = createHistory(planFor(1));
        for (const limit of [9 + random.below(30), 1 + random.below(20)]) {
          history = loadHistory(planFor(limit), saveHistory(history));
          const part = drawn.splice(0, 200);
          for (const { key, eventMs } of part) {
            const keys = ofPairs ? { user: '7', topic: String(key) } : { user: String(key) };
            fed(history, [{ eventMs, arrivedMs: eventMs, isOutcome: false, keys, values: {} }]);
            if (!lastMs.has(key) && lastMs.size >= limit) {
              const byAge = [...lastMs].sort(([a, aMs], [b, bMs]) => aMs - bMs || a - b);
              const share = byAge.length - limit + Math.max(1, limit >>> 3);
              for (const [old] of byAge.slice(0, share)) lastMs.delete(old);
            }
            lastMs.set(key, eventMs);
          }
          history.advance(part[part.length - 1].eventMs + 1);
          const records = (history as Reducer).families.records[ofPairs ? 2 : 1];
          const held = Array.from({ length: records.used }, (_, slot) => slot).filter((slot) => records.isLive(slot));
          expect(held.map((slot) => records.keys[4 * slot + 1]).sort((a, b) => a - b)).toEqual(
            [...lastMs.keys()].sort((a, b) => a - b),
          );
          expect(held.length).toBeLessThanOrEqual(limit);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('forgets a user without a trace: what others and the user see is as if no record had been', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = createRandom(seed);
        const plan = planOf(randomSchema(random));
        // Users' keys are nobody else's.
        const userOf = (user: string | undefined) => user && String(BigInt(user) + 10n ** 15n);
        // One impression a time, so that its outcomes are nobody else's without the user either.
        const keysAt = new Map<number, LogRow['keys']>();
        const isFirst = ({ eventMs, keys }: LogRow) =>
          keys === (keysAt.get(eventMs) ?? keysAt.set(eventMs, keys).get(eventMs));
        const log = randomLog(random, 200)
          .filter(isFirst)
          .map((row) => ({ ...row, keys: { ...row.keys, user: userOf(row.keys.user) } }));
        const key = plan.keyFields.findIndex(({ name }) => name === 'user');
        if (key < 0) return;
        const user = log.find(({ keys }) => keys.user !== undefined)?.keys.user ?? '0';
        const words = new Int32Array(BigInt64Array.of(BigInt(user)).buffer);
        const history = fed(createHistory(plan), log);
        history.forget('user', words[0], words[1]);
        expect(history.forget('user', words[0], words[1])).toBe(false);
        const nameless = log.map((row) =>
          row.keys.user === user ? { ...row, keys: { ...row.keys, user: undefined } } : row,
        );
        const laterMs = log[log.length - 1].arrivedMs + 1_000_000;
        const [got, want] = [seen(history, log, laterMs), seen(fed(createHistory(plan), nameless), log, laterMs)];
        // Of others too, whose lists and marks have nobody in that user's place.
        expect(got).toEqual(want);
        // Nowhere in the state is the key.
        for (const [name, { values }] of saveHistory(history))
          for (let i = 0; i + 1 < values.length; i++)
            if (values[i] === words[0] && values[i + 1] === words[1]) expect.fail(`${name} has the key`);
      }),
      { numRuns: 40 },
    );
  });

  it('is as it was after rows that it refuses', () => {
    const plan = planOf(randomSchema(createRandom(3)));
    const log = randomLog(createRandom(4), 50);
    const history = fed(createHistory(plan), log);
    const lastMs = log[log.length - 1].arrivedMs;
    const before = structuredClone(saveHistory(history));
    const refused = (change: Partial<LogRow>, message: RegExp) => {
      const events = eventsOfLog(plan, [
        { ...log[0], isOutcome: false, eventMs: lastMs, arrivedMs: lastMs, ...change },
      ]);
      expect(() => history.add(events, 0)).toThrow(message);
      expect(() => history.check(events, 0)).toThrow(UserError);
    };
    refused({ eventMs: Number.NaN }, /has no time/);
    refused({ arrivedMs: Number.POSITIVE_INFINITY }, /has no time/);
    refused({ eventMs: 1e300, arrivedMs: 1e300 }, /has no time/);
    refused({ arrivedMs: lastMs - 300_001, eventMs: lastMs - 300_001 }, /went back/);
    refused({ eventMs: lastMs - 300_001 }, /lateness/);
    refused({ eventMs: lastMs + 300_001 }, /before it happened/);
    expect(() => history.advance(lastMs - 300_001)).toThrow(/went back/);
    expect(() => history.advance(Number.NaN)).toThrow(UserError);
    expect(() => history.forget('nobody', 1, 0)).toThrow(/'nobody' is no key/);
    history.advance(lastMs - 1000);
    expect(saveHistory(history)).toEqual(before);
  });

  it('counts a key beyond its time to live as absent, until its next impression', () => {
    const plan = planOf(
      parseSchema({
        name: 'two',
        time: 'time',
        user: 'user',
        labels: [{ name: 'click', column: 'click' }],
        history: { timeToLive: '1h' },
        fields: [
          { name: 'user', kind: 'id', scope: 'request' },
          { name: 'seen', kind: 'counter', by: ['user'], values: ['count'] },
        ],
      }),
    );
    const row = (eventMs: number): LogRow => ({
      eventMs,
      arrivedMs: eventMs,
      isOutcome: false,
      keys: { user: '7' },
      values: {},
    });
    const history = fed(createHistory(plan), [row(startMs), row(startMs + 1)]);
    const count = (nowMs: number) => seen(history, [row(0)], nowMs).counters[0][0];
    expect(count(startMs + 3_600_001)).toBe(Math.fround(Math.log1p(2)));
    expect(count(startMs + 3_600_002)).toBe(0);
    fed(history, [row(startMs + 3_600_002)]);
    expect(count(startMs + 3_600_003)).toBe(Math.fround(Math.log1p(1)));
  });
});

describe('a state', () => {
  const plan = planOf(randomSchema(createRandom(8)));
  const stateOf = (of: HistoryPlan) =>
    structuredClone(saveHistory(fed(createHistory(of), randomLog(createRandom(9), 80))));
  const state = () => stateOf(plan);

  it('of another schema is refused', () => {
    expect(() => loadHistory(planOf(randomSchema(createRandom(10))), state(), 'f')).toThrow(
      /f: a history of another schema/,
    );
  });

  it('that lacks an array, or has one of another length, is refused', () => {
    for (const name of state().keys()) {
      const lacking = state();
      lacking.delete(name);
      expect(() => loadHistory(plan, lacking), name).toThrow(UserError);
      const { shape, values } = state().get(name) as NonNullable<ReturnType<ReturnType<typeof state>['get']>>;
      if (values.length === 0) continue;
      const short = new Map([...state(), [name, { shape, values: values.subarray(1) }]]);
      expect(() => loadHistory(plan, short), name).toThrow(UserError);
    }
  });

  it('whose times, counts or rings are such as no history has is refused', () => {
    const ringed = planOf(
      parseSchema({
        name: 'ringed',
        time: 'time',
        user: 'user',
        labels: [{ name: 'click', column: 'click' }],
        fields: [
          { name: 'user', kind: 'id', scope: 'request' },
          { name: 'seen', kind: 'counter', by: ['user'], over: [{ window: '1h' }], values: ['count'] },
        ],
      }),
    );
    const changed = (name: string, at: number, value: number) => {
      const damaged = stateOf(ringed);
      (damaged.get(name)?.values as Float64Array)[at] = value;
      return () => loadHistory(ringed, damaged);
    };
    const { windowFrom } = ringed.families[1];
    expect(changed('family1.numbers', windowFrom[0], Number.NEGATIVE_INFINITY)).not.toThrow();
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 1e300, 2 ** 53, 0.5]) {
      for (const at of [3, 4, 5, 6]) expect(changed('head', at, value), `${at}: ${value}`).toThrow(/'head' is damaged/);
      expect(changed('family1.numbers', windowFrom[0], value), `${value}`).toThrow(/'family1.numbers' is damaged/);
    }
  });

  it('with an event listed at a time such as no history has is refused', () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 1e300]) {
      const damaged = state();
      const [first, second] = new Int32Array(Float64Array.of(value).buffer);
      damaged.get('sequence0.words')?.values.set([first, second] as never);
      expect(() => loadHistory(plan, damaged), `${value}`).toThrow(/'sequence0.words' is damaged/);
    }
  });

  const odd = [-1, 0, 1, 5, 1e9, 2 ** 53, 1e300, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN];
  const pick = (random: Random) => odd[random.below(odd.length)];

  it('with any number changed is refused or loads, and then neither hangs nor throws anything but a UserError', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = createRandom(seed);
        const plan = planOf(randomSchema(random));
        const damaged = stateOf(plan);
        const arrays = [...damaged.values()].filter(({ values }) => values.length > 0);
        for (let i = 0; i < 3; i++) {
          const { values } = arrays[random.below(arrays.length)];
          values[random.below(values.length)] = pick(random) as never;
        }
        try {
          const history = loadHistory(plan, damaged);
          const later = ({ eventMs, arrivedMs, ...row }: LogRow) => ({
            ...row,
            eventMs: eventMs + 1e7,
            arrivedMs: arrivedMs + 1e7,
          });
          const log = randomLog(random, 80).map(later);
          seen(fed(history, log), log, log[log.length - 1].arrivedMs + 1e7);
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
        }
      }),
      { numRuns: 150 },
    );
  });
});
