import type { Random } from '../core/random.ts';
import type { Keys } from '../schema/keys.ts';
import { parseSchema } from '../schema/parseSchema.ts';
import type { Schema } from '../schema/schema.ts';
import type { EventRows } from './history.ts';
import type { HistoryPlan } from './historyPlan.ts';

/*
 * Random schemas with history and random logs for tests: out of order, with missing keys, with outcomes that come along, in time, late,
 * twice, before their impression, or for an impression that never was.
 */

/** Keys as decimal texts of 64-bit integers; absent where the row has none. */
export interface LogRow {
  readonly eventMs: number;
  readonly arrivedMs: number;
  readonly isOutcome: boolean;
  readonly keys: Readonly<Record<string, string | undefined>>;
  readonly values: Readonly<Record<string, number | undefined>>;
}

const keyNames = { user: 'request', place: 'request', ad: 'ad', topic: 'ad', look: 'creative' } as const;
export const startMs = 1_700_000_000_000;

const pick = <T>(random: Random, from: readonly T[]): T => from[random.below(from.length)];
const some = <T>(random: Random, from: readonly T[]): T[] => from.filter(() => random.next() < 0.5);
const atLeastOne = <T>(random: Random, from: readonly T[]): T[] => {
  const chosen = some(random, from);
  return chosen.length > 0 ? chosen : [pick(random, from)];
};

export function randomSchema(random: Random, history: Schema['history'] = {}): Schema {
  const delay = () => pick(random, [{}, { delay: '20s' }, { delay: '3m' }]);
  const windows = ['lifetime', 'session', { halfLife: '1m' }, { halfLife: '1h' }, { window: '10m' }, { window: '16s' }];
  const places = [['place'], [], ['place', 'topic']];
  const prior = () =>
    pick(random, [{}, { prior: { by: pick(random, [...places, ['user'], ['ad']]), over: pick(random, windows) } }]);
  const strength = () => pick(random, [{}, { strength: 0 }, { strength: 3 }]);
  const label = () => pick(random, ['click', 'long', 'buy']);
  const number = () => pick(random, ['play', 'price']);
  const summed = () =>
    pick(random, [
      'count',
      { rate: label(), ...strength(), ...prior() },
      { mean: number(), ...strength(), ...prior() },
      { coec: label(), ...strength() },
      { sum: number() },
    ]);
  const marked = () =>
    pick(random, [
      'sinceLast',
      { sinceLast: label() },
      { last: label() },
      { last: number() },
      { run: label() },
      { same: pick(random, ['place', 'topic', 'user']) },
      { idle: number() },
    ]);
  const keyLists = [
    [],
    ['user'],
    ['ad'],
    ['user', 'topic'],
    ['ad', 'place'],
    ['look', 'user'],
    ['place'],
    ['topic', 'ad'],
  ];
  const counters = Array.from({ length: 1 + random.below(6) }, (_, c) => {
    const isMarked = random.next() < 0.4;
    const over = isMarked ? atLeastOne(random, ['lifetime', 'session']) : atLeastOne(random, windows);
    const values = Array.from({ length: 1 + random.below(4) }, () => (isMarked ? marked() : summed()));
    const distinct = [...new Map(values.map((value) => [JSON.stringify(value), value])).values()];
    return { name: `counter${c}`, kind: 'counter', by: pick(random, keyLists), over, values: distinct };
  });
  const sequences = Array.from({ length: random.below(4) }, (_, s) => {
    const [where, without] = [label(), label()];
    return {
      name: `sequence${s}`,
      kind: 'sequence',
      by: pick(random, ['user', 'user', 'ad']),
      length: pick(random, [1, 2, 3, 5, 9]),
      items: atLeastOne(random, ['ad', 'topic', 'place', 'user']),
      ...(random.next() < 0.4 && { where }),
      ...(random.next() < 0.4 && without !== where && { without }),
      ...(random.next() < 0.7 && { actions: some(random, ['click', 'long', 'buy']) }),
    };
  });
  return parseSchema({
    name: 'random',
    time: 'time',
    user: 'user',
    labels: ['click', 'long', 'buy'].map((name) => ({ name, column: name, ...delay() })),
    history: {
      numbers: ['play', 'price'].map((name) => ({ name, column: name, ...delay() })),
      session: pick(random, ['1m', '10m']),
      tick: pick(random, ['1s', '10s', '1m']),
      lateness: '5m',
      ...(random.next() < 0.5 && { expected: { by: pick(random, places), over: pick(random, windows.slice(2, 5)) } }),
      ...history,
    },
    fields: [
      ...Object.entries(keyNames).map(([name, scope]) => ({ name, kind: 'id', scope })),
      ...counters,
      ...sequences,
    ],
  });
}

/** Rows in order of arrival; times are whole seconds often, so that many coincide. */
export function randomLog(random: Random, rowCount: number, keyCount = 4): LogRow[] {
  const value = (name: string) => {
    if (random.next() < 0.4) return undefined;
    return name === 'play' || name === 'price' ? random.below(2000) - 100 : random.below(2);
  };
  const valuesOf = () =>
    Object.fromEntries(['click', 'long', 'buy', 'play', 'price'].map((name) => [name, value(name)]));
  const key = () => (random.next() < 0.08 ? undefined : String(BigInt(random.below(keyCount)) * 2n ** 40n - 7n));
  const rows: LogRow[] = [];
  let nowMs = startMs;
  for (let i = 0; i < rowCount; i++) {
    nowMs += pick(random, [0, 0, 1, 1000, 5000, 60_000 * random.below(3)]);
    if (random.next() < 0.02) nowMs += 1_200_000;
    const isOutcome = random.next() < 0.35;
    const of =
      isOutcome && rows.length > 0 && random.next() < 0.9
        ? rows[Math.max(0, rows.length - 1 - random.below(12))]
        : undefined;
    const late = pick(random, [0, 0, 0, 500, 30_000, 200_000]);
    const keys = of?.keys ?? Object.fromEntries(Object.keys(keyNames).map((name) => [name, key()]));
    rows.push({ eventMs: of?.eventMs ?? nowMs - late, arrivedMs: nowMs, isOutcome, keys, values: valuesOf() });
  }
  return rows;
}

export function keysOfLog(plan: HistoryPlan, log: readonly Pick<LogRow, 'keys'>[]): Keys[] {
  return plan.keyFields.map(({ name }) => {
    const values = BigInt64Array.from(log, ({ keys }) => BigInt(keys[name] ?? 0));
    const valid = Uint8Array.from(log, ({ keys }) => (keys[name] === undefined ? 0 : 1));
    return { rowCount: log.length, words: new Int32Array(values.buffer), valid };
  });
}

export function eventsOfLog(plan: HistoryPlan, log: readonly LogRow[]): EventRows {
  return {
    rowCount: log.length,
    eventMs: Float64Array.from(log, ({ eventMs }) => eventMs),
    arrivedMs: Float64Array.from(log, ({ arrivedMs }) => arrivedMs),
    isOutcome: Uint8Array.from(log, ({ isOutcome }) => (isOutcome ? 1 : 0)),
    keys: keysOfLog(plan, log),
    values: plan.values.map(({ name }) => Float64Array.from(log, ({ values }) => values[name] ?? Number.NaN)),
  };
}
