import { assert, UserError } from '../core/errors.ts';
import { Reducer } from './createHistory.ts';
import type { History } from './history.ts';
import { type HistoryPlan, isTime } from './historyPlan.ts';
import { isCount, StateReader } from './stateReader.ts';

/** One of a state's arrays, as a safetensors file holds it. */
export interface StateTensor {
  readonly shape: readonly number[];
  readonly values: Float64Array | Int32Array | Float32Array | BigInt64Array;
}

/** Of the layout of the arrays; a state of another version is refused. */
const stateVersion = 2;

/** What a state's head holds, in order. */
const headLength = 7;

/**
 * All that a history holds, as named arrays: a history loaded from them goes on to the same bits. Keys beyond their time to live are
 * not among them. The arrays are views that the next event changes.
 */
export function saveHistory(history: History): Map<string, StateTensor> {
  assert(history instanceof Reducer && history.base === undefined, 'a history of its own is saved');
  const { plan, families, pending } = history;
  const tensors = new Map<string, StateTensor>();
  const put = (name: string, values: StateTensor['values'], ...shape: number[]) => {
    const count = shape.reduce((product, n) => product * n, 1);
    tensors.set(name, { shape, values: values.length === count ? values : values.subarray(0, count) });
  };
  const [hi, lo] = hashHalves(plan);
  const { watermarkMs, tickMs, order, impressions } = history;
  put('head', Float64Array.of(stateVersion, hi, lo, watermarkMs, tickMs, order, impressions), headLength);
  families.records.forEach((records, f) => {
    families.sweep(f, records.plan.isUser ? watermarkMs : tickMs);
    const { used, free, evicted, numbers, keys, heads } = records;
    put(`family${f}.head`, Float64Array.of(used, free, evicted), 3);
    put(`family${f}.numbers`, numbers, used, records.plan.stride);
    put(`family${f}.keys`, keys, used, 4);
    put(`family${f}.heads`, heads, used, records.plan.owned.length, 2);
  });
  families.sequences.forEach((store, s) => {
    put(`sequence${s}.blocks`, store.blocks, store.blocks.length / 4, 4);
    put(`sequence${s}.free`, store.free, store.free.length);
    put(`sequence${s}.words`, store.words, store.used, store.stride);
  });
  const at = pending.living();
  const { keyCount, valueCount } = pending;
  const floats = (from: Float64Array, width: number, to = new Float64Array(at.length * width), shift = 0) => {
    for (const [i, event] of at.entries()) to.set(from.subarray(event * width, (event + 1) * width), shift + i * width);
    return to;
  };
  const ints = (from: Int32Array | Uint8Array, width: number, to = new Int32Array(at.length * width), shift = 0) => {
    for (const [i, event] of at.entries()) to.set(from.subarray(event * width, (event + 1) * width), shift + i * width);
    return to;
  };
  const times = new Float64Array(3 * at.length);
  for (const [i, of] of [pending.eventMs, pending.arrivedMs, pending.order].entries())
    floats(of, 1, times, i * at.length);
  const stages = ints(pending.isOutcome, 1, new Int32Array(2 * at.length));
  put('pending.times', times, 3, at.length);
  put('pending.stages', ints(pending.stage, 1, stages, at.length), 2, at.length);
  put('pending.words', ints(pending.words, 2 * keyCount), at.length, keyCount, 2);
  put('pending.valid', ints(pending.valid, keyCount), at.length, keyCount);
  put('pending.values', floats(pending.values, valueCount), at.length, valueCount);
  put('pending.expected', floats(pending.expected, valueCount), at.length, valueCount);
  const { ticked } = history;
  const places = new Map(at.map((event, i) => [event, i]));
  const waiting = new Int32Array(2 * ticked.count);
  for (let i = 0; i < ticked.count; i++) waiting[i] = places.get(ticked.events[i]) ?? -1;
  waiting.set(ticked.stages.subarray(0, ticked.count), ticked.count);
  put('ticked.ms', ticked.ms, ticked.count);
  put('ticked.events', waiting, 2, ticked.count);
  return tensors;
}

/**
 * The history that `saveHistory` saved.
 *
 * @param source how messages name it
 * @throws UserError if it is of another schema or version, or its arrays do not fit together
 */
export function loadHistory(plan: HistoryPlan, tensors: ReadonlyMap<string, StateTensor>, source = 'history'): History {
  const reader = new StateReader(tensors, source);
  const head = reader.floats('head', headLength);
  const [hi, lo] = hashHalves(plan);
  if (head[0] !== stateVersion)
    throw new UserError(
      `${source}: a history of version ${head[0]}, where ${stateVersion} is read; make it anew from the logs`,
    );
  if (head[1] !== hi || head[2] !== lo)
    throw new UserError(
      `${source}: a history of another schema: its keys, labels, delays, windows or sequences differ; make it anew with this schema`,
    );
  const history = new Reducer(plan);
  const [watermarkMs, tickMs, order, impressions] = head.subarray(3);
  const { tickMs: tick } = plan.limits;
  reader.check(watermarkMs === Number.NEGATIVE_INFINITY || isTime(watermarkMs), 'head');
  reader.check(tickMs === Math.floor(watermarkMs / tick) * tick, 'head');
  reader.check(isCount(order) && isCount(impressions) && impressions <= order, 'head');
  Object.assign(history, { watermarkMs, tickMs, order, impressions });
  const { families } = history;
  for (const [f, records] of families.records.entries()) reader.readRecords(records, `family${f}`);
  for (const [f, records] of families.records.entries())
    reader.checkPairs(records, families.records[records.plan.owner], `family${f}`);
  for (const [s, store] of families.sequences.entries())
    reader.readSequence(store, families.records[store.plan.family], `sequence${s}`);
  readPending(reader, history);
  return history;
}

function readPending(reader: StateReader, history: Reducer): void {
  const { plan, pending, ticked } = history;
  const { keyCount, valueCount } = pending;
  const times = reader.floats('pending.times', 3, -1);
  const count = times.length / 3;
  const stages = reader.ints('pending.stages', 2, count);
  const words = reader.ints('pending.words', count, keyCount, 2);
  const valid = reader.ints('pending.valid', count, keyCount);
  const values = reader.floats('pending.values', count, valueCount);
  const expected = reader.floats('pending.expected', count, valueCount);
  const stageCount = plan.stageDelaysMs.length;
  for (let i = 0; i < count; i++) {
    const [eventMs, arrivedMs, order] = [times[i], times[count + i], times[2 * count + i]];
    reader.check(isTime(eventMs) && isTime(arrivedMs) && isCount(order), 'pending.times');
    reader.check(order > (i === 0 ? -1 : times[2 * count + i - 1]) && order <= history.order, 'pending.times');
    const stage = stages[count + i];
    reader.check(stage >= 0 && stage <= stageCount && (stages[i] === 0 || stages[i] === 1), 'pending.stages');
    const at = pending.take(eventMs, arrivedMs, order, stages[i] === 1);
    pending.words.set(words.subarray(i * keyCount * 2, (i + 1) * keyCount * 2), at * keyCount * 2);
    pending.valid.set(valid.subarray(i * keyCount, (i + 1) * keyCount), at * keyCount);
    pending.values.set(values.subarray(i * valueCount, (i + 1) * valueCount), at * valueCount);
    pending.expected.set(expected.subarray(i * valueCount, (i + 1) * valueCount), at * valueCount);
    pending.stage[at] = stage;
    if (stages[i] === 0) pending.enter(at);
    if (stage < stageCount) history.schedule(at);
  }
  const ms = reader.floats('ticked.ms', -1);
  const events = reader.ints('ticked.events', 2, ms.length);
  // Every stage that was seen waits for the tick once, so that none waits for an event that is gone.
  const next = new Int32Array(count).fill(-1);
  for (let i = 0; i < ms.length; i++) {
    const [event, stage] = [events[i], events[ms.length + i]];
    reader.check(isTime(ms[i]), 'ticked.ms');
    reader.check(event >= 0 && event < count && stage >= 0 && stage < stages[count + event], 'ticked.events');
    reader.check(next[event] < 0 || stage === next[event], 'ticked.events');
    next[event] = stage + 1;
    ticked.push(ms[i], event, stage);
  }
  for (let i = 0; i < count; i++) {
    const stage = stages[count + i];
    reader.check(next[i] < 0 ? stage < stageCount : next[i] === stage, 'ticked.events');
  }
}

function hashHalves({ hash }: HistoryPlan): [hi: number, lo: number] {
  return [Number.parseInt(hash.slice(0, 8), 16), Number.parseInt(hash.slice(8), 16)];
}
