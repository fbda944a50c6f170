import { assert } from '../core/errors.ts';
import { hashBytes, type KeyHalves } from '../core/hash.ts';
import { durationMs } from '../schema/derivedFields.ts';
import { columnOf } from '../schema/fields.ts';
import type { CounterField, CounterValue, IdField, Schema, SequenceField } from '../schema/schema.ts';
import { type CounterOps, draftCounters } from './counterPlan.ts';
import { FamilyDrafts, type FamilyPlan } from './familyPlan.ts';
import { draftSequence, type SequencePlan } from './sequencePlan.ts';

/** What a schema asks of history, with all names resolved. `createHistoryPlan(schema)` makes it; undefined for a schema without history. */
export interface HistoryPlan {
  /** The fields whose values an event carries: every key, prior, place and item, each once. */
  readonly keyFields: readonly IdField[];
  /** What comes of an impression, in the order of `EventRows.values`: the labels that are used, then the numbers. */
  readonly values: readonly HistoryValue[];
  readonly counters: readonly CounterField[];
  readonly sequences: readonly SequenceField[];
  /** Of all that shapes the state: a state serves any schema whose plan has the same. */
  readonly hash: string;
  readonly limits: HistoryLimits;
  /** The delays of values, each once, ascending, from 0: an impression passes these stages. */
  readonly stageDelaysMs: Float64Array;
  /** What records hold, one a distinct list of keys: that of all events first, then single keys, then pairs. */
  readonly families: readonly FamilyPlan[];
  readonly ops: CounterOps;
  readonly sequencePlans: readonly SequencePlan[];
}

export interface HistoryValue {
  readonly name: string;
  readonly kind: 'label' | 'number';
  readonly column: string;
  readonly delayMs: number;
}

export interface HistoryLimits {
  readonly sessionMs: number;
  readonly tickMs: number;
  readonly latenessMs: number;
  /** Infinity where keys are kept. */
  readonly timeToLiveMs: number;
  readonly maxKeys: number;
  readonly maxPairs: number;
}

/** Whether history can take a time, in ms since 1970: up to some 8,900 years, so that the numbers of a ring's buckets can be counted up one by one. */
export function isTime(ms: number): boolean {
  return Math.abs(ms) <= 2 ** 48;
}

/** @param schema as `parseSchema` made it, so that all names are those of its fields, labels and numbers */
export function createHistoryPlan(schema: Schema): HistoryPlan | undefined {
  const { historyFields = [], history = {} } = schema;
  if (historyFields.length === 0) return undefined;
  const counters = historyFields.filter((field) => field.kind === 'counter');
  const sequences = historyFields.filter((field) => field.kind === 'sequence');
  const keyFields = keyFieldsOf(schema, counters, sequences);
  const values = valuesOf(schema, counters, sequences);
  const delays = [...new Set([0, ...values.map(({ delayMs }) => delayMs)])].sort((a, b) => a - b);
  const stages = values.map(({ delayMs }) => delays.indexOf(delayMs));
  const user = keyFields.findIndex((field) => columnOf(field) === schema.user);
  const drafts = new FamilyDrafts(keyFields, user, values, stages);
  const limits = limitsOf(history);
  const compileCounters = draftCounters(counters, history.expected, drafts);
  const resolveSequences = sequences.map((field) => draftSequence(field, drafts));
  const families = drafts.finish(delays.length);
  const shape = {
    version: 1,
    keys: keyFields.map((field) => [field.name, columnOf(field)]),
    user,
    values,
    families: drafts.shape(),
    sequences: sequences.map(({ by, length, items, where, without, actions }) => ({
      by,
      length,
      items,
      where,
      without,
      actions,
    })),
    expected: history.expected ?? null,
    session: limits.sessionMs,
    tick: limits.tickMs,
  };
  return {
    keyFields,
    values,
    counters,
    sequences,
    hash: hashOf(JSON.stringify(shape)),
    limits,
    stageDelaysMs: Float64Array.from(delays),
    families,
    ops: compileCounters(),
    sequencePlans: resolveSequences.map((resolve) => resolve()),
  };
}

/** A schema's own, or ours where it does not say; they hold for events also where nothing is made of history. */
export function limitsOf(history: Schema['history'] = {}): HistoryLimits {
  const { session = '30m', tick = '10s', lateness = '1h', timeToLive, maxKeys = 1_000_000, maxPairs = 64 } = history;
  return {
    sessionMs: durationMs(session),
    tickMs: durationMs(tick),
    latenessMs: durationMs(lateness),
    timeToLiveMs: timeToLive === undefined ? Number.POSITIVE_INFINITY : durationMs(timeToLive),
    maxKeys,
    maxPairs,
  };
}

/** The value's parts that name others, whatever its kind. */
function partsOf(value: CounterValue) {
  return (typeof value === 'object' ? value : {}) as {
    rate?: string;
    mean?: string;
    sum?: string;
    coec?: string;
    sinceLast?: string;
    last?: string;
    run?: string;
    idle?: string;
    same?: string;
    prior?: { by: string[] };
  };
}

function keyFieldsOf(
  schema: Schema,
  counters: readonly CounterField[],
  sequences: readonly SequenceField[],
): IdField[] {
  const names = new Set<string>();
  for (const { by, items } of sequences) for (const name of [by, ...items]) names.add(name);
  for (const { by, values } of counters) {
    for (const name of by) names.add(name);
    for (const { same, prior } of values.map(partsOf)) {
      if (same !== undefined) names.add(same);
      for (const name of prior?.by ?? []) names.add(name);
    }
  }
  for (const name of schema.history?.expected?.by ?? []) names.add(name);
  return [...names].map((name) => {
    const field = schema.fields.find((other) => other.name === name);
    assert(field?.kind === 'id', `history names '${name}'`);
    return field;
  });
}

function valuesOf(
  schema: Schema,
  counters: readonly CounterField[],
  sequences: readonly SequenceField[],
): HistoryValue[] {
  const used = new Set<string | undefined>();
  for (const { where, without, actions = [] } of sequences)
    for (const name of [where, without, ...actions]) used.add(name);
  for (const { values } of counters) {
    for (const { rate, mean, sum, coec, sinceLast, last, run, idle } of values.map(partsOf))
      for (const name of [rate, mean, sum, coec, sinceLast, last, run, idle]) used.add(name);
  }
  const value = (kind: HistoryValue['kind']) => (of: { name: string; column: string; delay?: string }) => ({
    name: of.name,
    kind,
    column: of.column,
    delayMs: of.delay === undefined ? 0 : durationMs(of.delay),
  });
  const isUsed = ({ name }: { name: string }) => used.has(name);
  return [
    ...schema.labels.filter(isUsed).map(value('label')),
    ...(schema.history?.numbers ?? []).filter(isUsed).map(value('number')),
  ];
}

function hashOf(text: string): string {
  const key: KeyHalves = { lo: 0, hi: 0 };
  const bytes = new TextEncoder().encode(text);
  hashBytes(bytes, 0, bytes.length, key);
  return [key.hi, key.lo].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
}
