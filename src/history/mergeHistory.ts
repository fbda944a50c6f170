import { assert, UserError } from '../core/errors.ts';
import { placeOf, turnRing } from './applyEvent.ts';
import type { Reducer } from './createHistory.ts';
import {
  anchorAt,
  DECAY,
  type FamilyPlan,
  LABEL_MARK,
  lastAt,
  markSize,
  markWidth,
  RING,
  ringBuckets,
  SESSION,
  sessionAt,
} from './familyPlan.ts';
import type { Records } from './records.ts';

/**
 * Adds another shard's state to one; both are advanced to the later time first, and the other is of no use afterwards. A key that one of
 * them lacks is copied. Of a key that both have, sums are added, sequences merged by time; what the last impressions were like is that of
 * the later one; sessions are joined where they lie within a session's gap, else the later one stands.
 */
export function mergeReducers(into: Reducer, other: Reducer): void {
  assert(
    into.base === undefined && other.base === undefined && into !== other,
    'two histories of their own are merged',
  );
  if (into.plan.hash !== other.plan.hash)
    throw new UserError('history: a state of another schema cannot be merged; make both with the same schema');
  const nowMs = Math.max(into.watermarkMs, other.watermarkMs);
  if (nowMs === Number.NEGATIVE_INFINITY) return;
  if (into.watermarkMs < nowMs) into.advance(nowMs);
  if (other.watermarkMs < nowMs) other.advance(nowMs);
  const slots = into.plan.families.map((_, f) => mergeFamily(into, other, f, nowMs));
  other.families.sequences.forEach((store, s) => {
    const to = into.families.sequences[s];
    slots[store.plan.family].forEach((slot, from) => {
      for (let i = 0; i < store.countOf(from); i++) to.insertEntry(slot, store, store.entryOf(from, i), into.order);
    });
  });
  mergePending(into, other);
  into.order += other.order;
  into.impressions += other.impressions;
}

/** @returns the slots that the other's records went to; a record that makes room for later ones may have gone since */
function mergeFamily(into: Reducer, other: Reducer, f: number, nowMs: number): Map<number, number> {
  const slots = new Map<number, number>();
  const from = other.families.records[f];
  const to = into.families.records[f];
  const { owner, stride } = to.plan;
  for (let slot = 0; slot < from.used; slot++) {
    if (!from.isLive(slot) || nowMs - from.lastMs(slot) > into.plan.limits.timeToLiveMs) continue;
    const [ownerSlot, lo, hi] = from.keys.subarray(4 * slot, 4 * slot + 3);
    let ownersSlot = 0;
    if (owner >= 0) {
      const owners = other.families.records[owner].keys;
      ownersSlot = into.families.records[owner].find(0, owners[4 * ownerSlot + 1], owners[4 * ownerSlot + 2]);
      if (ownersSlot < 0) continue;
    }
    let at = to.find(ownersSlot, lo, hi);
    if (at >= 0) addRecord(to, at, from, slot, into.plan.limits.sessionMs);
    else {
      at = into.families.create(f, ownersSlot, lo, hi, nowMs);
      to.numbers.set(from.numbers.subarray(slot * stride, (slot + 1) * stride), at * stride);
    }
    slots.set(slot, at);
  }
  to.evicted += from.evicted;
  // A slot that was freed on the way, and perhaps given to another key, is no place for this one's sequences.
  for (const [slot, at] of slots) {
    const [, lo, hi] = from.keys.subarray(4 * slot, 4 * slot + 3);
    if (owner < 0 && to.plan.keys.length > 0 && to.find(0, lo, hi) !== at) slots.delete(slot);
  }
  return slots;
}

function addRecord(to: Records, at: number, from: Records, slot: number, sessionMs: number): void {
  const { plan, numbers: a } = to;
  const { numbers: b } = from;
  const [i, j] = [at * plan.stride, slot * plan.stride];
  const otherIsLater = b[j + lastAt] > a[i + lastAt];
  const [laterStart, earlierLast] = otherIsLater
    ? [b[j + sessionAt], a[i + lastAt]]
    : [a[i + sessionAt], b[j + lastAt]];
  const isOneSession = laterStart - earlierLast <= sessionMs;
  const anchorMs = Math.max(a[i + anchorAt], b[j + anchorAt]);
  for (const [w, kind] of plan.windowKinds.entries()) {
    const [first, end, rate] = [plan.windowFrom[w], plan.windowTo[w], plan.windowRates[w]];
    if (kind === RING) addRing(a, i + first, b, j + first, end - first);
    if (kind === SESSION && !isOneSession && otherIsLater) a.set(b.subarray(j + first, j + end), i + first);
    if (kind === RING || (kind === SESSION && !isOneSession)) continue;
    const decay = (ms: number) => (kind === DECAY && ms < anchorMs ? Math.exp((ms - anchorMs) * rate) : 1);
    const [ours, theirs] = [decay(a[i + anchorAt]), decay(b[j + anchorAt])];
    for (let n = first; n < end; n++) a[i + n] = a[i + n] * ours + b[j + n] * theirs;
  }
  addMarks(plan, a, i, b, j, otherIsLater, isOneSession);
  a[i + anchorAt] = anchorMs;
  if (isOneSession) a[i + sessionAt] = Math.min(a[i + sessionAt], b[j + sessionAt]);
  else if (otherIsLater) a[i + sessionAt] = b[j + sessionAt];
  a[i + lastAt] = Math.max(a[i + lastAt], b[j + lastAt]);
}

function addRing(a: Float64Array, i: number, b: Float64Array, j: number, size: number): void {
  if (b[j] === Number.NEGATIVE_INFINITY) return;
  if (b[j] > a[i]) turnRing(a, i, i + size, b[j]);
  for (let bucket = Math.max(a[i] - ringBuckets + 1, b[j] - ringBuckets + 1); bucket <= b[j]; bucket++)
    for (let n = 1 + placeOf(bucket); n < size; n += ringBuckets) a[i + n] += b[j + n];
}

function addMarks(
  { marks }: FamilyPlan,
  a: Float64Array,
  i: number,
  b: Float64Array,
  j: number,
  otherIsLater: boolean,
  isOneSession: boolean,
): void {
  for (let m = 0; m < marks.length; m += markSize) {
    const offset = marks[m + 1];
    const isOfOneSession = marks[m + 3] !== 0 && !isOneSession;
    let takesOther = otherIsLater;
    if (marks[m] === LABEL_MARK && !isOfOneSession) {
      if (b[j + offset] === a[i + offset]) {
        a[i + offset + 1] += b[j + offset + 1];
        continue;
      }
      takesOther = b[j + offset] > a[i + offset];
    }
    const width = markWidth(marks[m]);
    if (takesOther) a.set(b.subarray(j + offset, j + offset + width), i + offset);
  }
}

function mergePending(into: Reducer, other: Reducer): void {
  const { pending, ticked } = into;
  const places = new Map<number, number>();
  const stageCount = into.plan.stageDelaysMs.length;
  for (const event of other.pending.living()) {
    const at = pending.copyFrom(other.pending, event, into.order);
    places.set(event, at);
    if (pending.stage[at] < stageCount) into.schedule(at);
  }
  const waiting: [ms: number, event: number, stage: number][] = [];
  for (let i = 0; i < ticked.count; i++) waiting.push([ticked.ms[i], ticked.events[i], ticked.stages[i]]);
  for (let i = 0; i < other.ticked.count; i++)
    waiting.push([other.ticked.ms[i], places.get(other.ticked.events[i]) ?? -1, other.ticked.stages[i]]);
  ticked.count = 0;
  for (const [ms, event, stage] of waiting.sort((a, b) => a[0] - b[0])) ticked.push(ms, event, stage);
}
