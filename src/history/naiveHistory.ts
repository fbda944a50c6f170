import { durationMs, gapBuckets } from '../schema/derivedFields.ts';
import type { CounterValue, Schema, Window } from '../schema/schema.ts';
import type { HistoryPlan } from './historyPlan.ts';
import type { LogRow } from './randomLog.ts';

/*
 * What history computes, by its definitions alone, for tests: from the list of all that can be seen at a time, without records, decay in
 * place or rings. Knows nothing of time to live, eviction and what is forgotten.
 */

/** One stage of an impression, or of an outcome that came after its impression's stage. */
interface Fact {
  readonly row: LogRow;
  readonly values: (number | undefined)[];
  readonly order: number;
  readonly stage: number;
  readonly seenMs: number;
}

export interface NaiveRow {
  readonly counters: number[][];
  readonly sequences: { items: (string | undefined)[]; actions: number; gap: number }[][];
}

type Kind = 'events' | 'known' | 'sum' | 'expected';

const thirtyDaysMs = 30 * 86_400_000;

export function naiveHistory(schema: Schema, plan: HistoryPlan, log: readonly LogRow[]) {
  const { user = '' } = schema;
  const delays = [...plan.stageDelaysMs];
  const stageOf = (v: number) => delays.indexOf(plan.values[v].delayMs);
  const { tickMs, sessionMs } = plan.limits;
  const tickOf = (ms: number) => Math.floor(ms / tickMs) * tickMs;
  const facts = factsOf(plan, log);
  const valueIndex = (name: string) => plan.values.findIndex((value) => value.name === name);
  const isUser = (by: readonly string[]) => by.includes(user);
  const idOf = (by: readonly string[], keys: LogRow['keys']) => {
    const parts = [...by].sort().map((name) => keys[name]);
    return parts.includes(undefined) ? undefined : JSON.stringify(parts);
  };
  const timeOf = (by: readonly string[], nowMs: number) => (isUser(by) ? nowMs : tickOf(nowMs));

  /** What goes into the record of a key: from its first impression on. */
  const seenOf = (by: readonly string[], keys: LogRow['keys'], nowMs: number): Fact[] => {
    const id = idOf(by, keys);
    if (id === undefined) return [];
    const all = facts.filter(({ seenMs, row }) => seenMs < timeOf(by, nowMs) && idOf(by, row.keys) === id);
    const first = all.findIndex(({ row, stage }) => !row.isOutcome && stage === 0);
    return first < 0 && by.length > 0 ? [] : all.slice(by.length > 0 ? first : 0);
  };

  const weightOf = (over: Window, eventMs: number, readMs: number) => {
    if (over === 'lifetime') return 1;
    if (over === 'session') throw new Error('sessions are folded');
    if ('halfLife' in over) return 2 ** -((readMs - eventMs) / durationMs(over.halfLife));
    const bucketMs = durationMs(over.window) / 16;
    return Math.floor(eventMs / bucketMs) > Math.floor(readMs / bucketMs) - 16 ? 1 : 0;
  };

  const amountOf = (fact: Fact, kind: Kind, v: number): number => {
    if (fact.stage !== (kind === 'events' ? 0 : stageOf(v))) return 0;
    if (kind === 'events') return fact.row.isOutcome ? 0 : 1;
    const y = fact.values[v];
    if (kind === 'sum') return y ?? 0;
    if (kind === 'known')
      return plan.values[v].kind === 'label' ? (fact.row.isOutcome ? 0 : 1) : y === undefined ? 0 : 1;
    return fact.row.isOutcome ? 0 : expectedOf(v, fact);
  };

  const sum = (
    by: readonly string[],
    keys: LogRow['keys'],
    nowMs: number,
    over: Window,
    kind: Kind,
    v = -1,
  ): number => {
    const seen = seenOf(by, keys, nowMs);
    const readMs = timeOf(by, nowMs);
    if (over === 'session')
      return fold(seen, readMs).inSession.reduce((total, fact) => total + amountOf(fact, kind, v), 0);
    return seen.reduce((total, fact) => total + weightOf(over, fact.row.eventMs, readMs) * amountOf(fact, kind, v), 0);
  };

  const globalRate = (v: number, nowMs: number): number =>
    (sum([], {}, nowMs, 'lifetime', 'sum', v) + (plan.values[v].kind === 'label' ? 0.5 : 0)) /
    (sum([], {}, nowMs, 'lifetime', 'known', v) + 1);
  const priorOf = (
    v: number,
    prior: { by: string[]; over?: Window } | undefined,
    keys: LogRow['keys'],
    nowMs: number,
  ): number => {
    if (prior === undefined) return globalRate(v, nowMs);
    const over = prior.over ?? 'lifetime';
    const y = sum(prior.by, keys, nowMs, over, 'sum', v);
    return (y + 5 * globalRate(v, nowMs)) / (sum(prior.by, keys, nowMs, over, 'known', v) + 5);
  };
  const expectations = new Map<string, number>();
  const expectedOf = (v: number, { row, order }: Fact): number => {
    const id = `${v} ${order}`;
    const expected = schema.history?.expected;
    const found = expectations.get(id) ?? priorOf(v, expected, row.keys, Math.max(row.arrivedMs, row.eventMs));
    expectations.set(id, found);
    return found;
  };

  /** The last impression, the last with each label, and the session, in the order things were seen. */
  const fold = (seen: readonly Fact[], readMs: number) => {
    let lastMs = Number.NEGATIVE_INFINITY;
    let last: Fact | undefined;
    let startMs = Number.POSITIVE_INFINITY;
    let inSession: Fact[] = [];
    for (const fact of seen) {
      const { eventMs, isOutcome } = fact.row;
      if (fact.stage === 0 && !isOutcome) {
        if (eventMs - lastMs > sessionMs) {
          startMs = eventMs;
          inSession = [];
        } else if (eventMs < startMs && eventMs >= startMs - sessionMs) startMs = eventMs;
        if (eventMs >= lastMs) {
          lastMs = eventMs;
          last = fact;
        }
      }
      if (eventMs >= startMs) inSession.push(fact);
    }
    if (readMs - lastMs > sessionMs) inSession = [];
    return { lastMs, last, inSession, isAlive: readMs - lastMs <= sessionMs };
  };
  const labelMarks = (seen: readonly Fact[], v: number) => {
    let labelMs = Number.NEGATIVE_INFINITY;
    let run = 0;
    for (const { row, stage, values } of seen) {
      if (stage !== stageOf(v)) continue;
      if (values[v] === 1) {
        if (row.eventMs >= labelMs) [labelMs, run] = [row.eventMs, 0];
      } else if (!row.isOutcome && row.eventMs > labelMs) run++;
    }
    return { labelMs, run };
  };
  /** The value of the last impression's time that was known last, a label's 1 before its 0. */
  const lastValue = (seen: readonly Fact[], v: number) => {
    const { lastMs, last } = fold(seen, 0);
    let value = 0;
    for (const fact of last === undefined ? [] : seen.slice(seen.indexOf(last))) {
      const y = fact.values[v];
      if (fact.row.eventMs !== lastMs || fact.stage !== stageOf(v) || y === undefined) continue;
      if (plan.values[v].kind === 'number' || y === 1) value = y;
    }
    return value;
  };

  const logSeconds = (ms: number) => Math.log1p(Math.min(Math.max(ms, 0), thirtyDaysMs) / 1000);

  const counterOf = (
    value: CounterValue,
    by: readonly string[],
    over: Window,
    keys: LogRow['keys'],
    nowMs: number,
  ): number => {
    const readMs = timeOf(by, nowMs);
    const total = (kind: Kind, v = -1) => sum(by, keys, nowMs, over, kind, v);
    if (value === 'count') return Math.log1p(total('events'));
    const seen = seenOf(by, keys, nowMs);
    const { lastMs, last, inSession, isAlive } = fold(seen, readMs);
    const isOver = over === 'session' && !isAlive;
    const scoped = over === 'session' ? inSession : seen;
    if (value === 'sinceLast') return logSeconds(isOver ? thirtyDaysMs : readMs - lastMs);
    if ('rate' in value || 'mean' in value) {
      const v = valueIndex('rate' in value ? value.rate : value.mean);
      const prior = priorOf(v, value.prior, keys, nowMs);
      const { strength = 5 } = value;
      const n = total('known', v);
      return n + strength > 0 ? (total('sum', v) + strength * prior) / (n + strength) : prior;
    }
    if ('coec' in value) {
      const v = valueIndex(value.coec);
      const { strength = 5 } = value;
      const expected = total('expected', v) + strength;
      return expected > 0 ? (total('sum', v) + strength) / expected : 1;
    }
    if ('sum' in value) {
      const x = total('sum', valueIndex(value.sum));
      return Math.sign(x) * Math.log1p(Math.abs(x));
    }
    if ('sinceLast' in value) return logSeconds(readMs - labelMarks(scoped, valueIndex(value.sinceLast)).labelMs);
    if ('run' in value) return Math.log1p(labelMarks(scoped, valueIndex(value.run)).run);
    if ('last' in value) return isOver ? 0 : lastValue(seen, valueIndex(value.last));
    if ('same' in value)
      return !isOver && keys[value.same] !== undefined && last?.row.keys[value.same] === keys[value.same] ? 1 : 0;
    return logSeconds(isOver ? thirtyDaysMs : readMs - lastMs - lastValue(seen, valueIndex(value.idle)));
  };

  const sequenceOf = (s: number, keys: LogRow['keys'], nowMs: number) => {
    const { by, length, items, where, without, actions = [] } = plan.sequences[s];
    const readMs = timeOf([by], nowMs);
    const is = ({ values, stage }: Fact, name: string | undefined) =>
      name !== undefined && stageOf(valueIndex(name)) <= stage && values[valueIndex(name)] === 1;
    const listStage = Math.max(
      0,
      ...[where, without].filter((name) => name !== undefined).map((name) => stageOf(valueIndex(name))),
    );
    const list: { fact: Fact; actions: number }[] = [];
    for (const fact of seenOf([by], keys, nowMs)) {
      const { isOutcome, eventMs } = fact.row;
      const bits = actions.reduce((sum, name, i) => sum + (is(fact, name) ? 2 ** i : 0), 0);
      const same = (other: Fact) =>
        other.row.eventMs === eventMs && items.every((item) => other.row.keys[item] === fact.row.keys[item]);
      const at = list.findLastIndex(({ fact: other }) => (isOutcome ? same(other) : other.order === fact.order));
      const excluded = without !== undefined && fact.values[valueIndex(without)] === 1;
      const takes = fact.stage === listStage && !excluded && (where === undefined ? !isOutcome : is(fact, where));
      if (isOutcome && excluded && is(fact, without)) {
        if (at >= 0 && stageOf(valueIndex(without as string)) === fact.stage) list.splice(at, 1);
      } else if (at >= 0) list[at].actions |= bits;
      else if (takes) {
        const place = list.filter(({ fact: other }) => other.row.eventMs <= eventMs).length;
        list.splice(place, 0, { fact, actions: bits });
        if (list.length > length) list.shift();
      }
    }
    return list.reverse().map(({ fact, actions: bits }) => ({
      items: items.map((item) => fact.row.keys[item]),
      actions: bits,
      gap: Math.min(gapBuckets - 1, Math.floor(2 * Math.log2(1 + (readMs - fact.row.eventMs) / 1000) + 1e-9)),
    }));
  };

  return (keys: LogRow['keys'], nowMs: number): NaiveRow => ({
    counters: plan.counters.map(({ by, over = ['lifetime'], values }) =>
      over.flatMap((window) => values.map((value) => counterOf(value, by, window, keys, nowMs))),
    ),
    sequences: plan.sequences.map((_, s) => sequenceOf(s, keys, nowMs)),
  });
}

/** Rows as stages in the order they are seen, outcomes that come in time as part of their impressions. */
function factsOf(plan: HistoryPlan, log: readonly LogRow[]): Fact[] {
  const delays = [...plan.stageDelaysMs];
  const dueMs = (row: LogRow, stage: number) => Math.max(row.arrivedMs, row.eventMs + delays[stage]);
  const events: { row: LogRow; values: (number | undefined)[]; order: number }[] = [];
  log.forEach((row, order) => {
    const values: (number | undefined)[] = plan.values.map(() => undefined);
    const same = ({ row: other }: { row: LogRow }) =>
      !other.isOutcome &&
      other.eventMs === row.eventMs &&
      plan.keyFields.every(({ name }) => other.keys[name] === row.keys[name]);
    const impression = row.isOutcome ? events.findLast(same) : undefined;
    plan.values.forEach(({ name, kind, delayMs }, v) => {
      const y = row.values[name];
      if (y === undefined || (row.isOutcome && kind === 'label' && y === 0)) return;
      const inTime = impression !== undefined && dueMs(impression.row, delays.indexOf(delayMs)) >= row.arrivedMs;
      (inTime ? impression.values : values)[v] = y;
    });
    if (!row.isOutcome || values.some((y) => y !== undefined)) events.push({ row, values, order });
  });
  return events
    .flatMap(({ row, values, order }) =>
      delays.map((_, stage) => ({ row, values, order, stage, seenMs: dueMs(row, stage) })),
    )
    .sort((a, b) => a.seenMs - b.seenMs || a.order - b.order || a.stage - b.stage);
}
