import { assert } from '../core/errors.ts';
import { durationMs } from '../schema/derivedFields.ts';
import type { IdField, Window } from '../schema/schema.ts';
import type { HistoryValue } from './historyPlan.ts';

/*
 * A family is the records of one list of keys. A record is `stride` float64s: a head of three, then window by window the sums of its
 * stats, then marks, which are what the last events were like. The plan is compiled to flat tables, so that taking in an event is a few
 * short loops over integers.
 */

/** A record's head: time of its newest impression, time its decayed sums are of, start of its session. */
export const lastAt = 0;
export const anchorAt = 1;
export const sessionAt = 2;
const headSize = 3;

/** Kinds of window. */
export const LIFETIME = 0;
export const SESSION = 1;
export const DECAY = 2;
export const RING = 3;

/** A ring window has so many buckets; its head (the newest bucket's number) lies before them. */
export const ringBuckets = 16;

/** Kinds of stat: impressions, impressions whose value is known, the sum of their values, and of those expected. */
export const EVENTS = 0;
export const KNOWN = 1;
export const SUM = 2;
export const EXPECTED = 3;

/** Kinds of mark. */
export const LABEL_MARK = 0;
export const LAST_MARK = 1;
export const SAME_MARK = 2;

/** A view's head: time of the newest impression, 1 where its session goes on. */
export const viewLast = 0;
export const viewAlive = 1;
const viewHead = 2;

export interface StatPlan {
  readonly kind: number;
  /** Index of the value; -1 of EVENTS. */
  readonly value: number;
  /** From which stage on it counts. */
  readonly stage: number;
}

export interface FamilyPlan {
  /** Indices of key fields: none, one, or a pair's owner and other. */
  readonly keys: Int32Array;
  /** Whether it changes at once; else at ticks. */
  readonly isUser: boolean;
  /** A pair's family of its owner, whose records it hangs from; -1 of others. */
  readonly owner: number;
  /** Which of its owner's families of pairs it is. */
  readonly ownedIndex: number;
  /** Families of pairs whose owner this is. */
  readonly owned: readonly number[];
  readonly stride: number;
  readonly stats: readonly StatPlan[];
  /** Of every window: its kind; a half-life as ln 2 / ms, a ring's ms a bucket; and the part of the record it takes. */
  readonly windowKinds: Int32Array;
  readonly windowRates: Float64Array;
  readonly windowFrom: Int32Array;
  readonly windowTo: Int32Array;
  /** By stage: (offset in the record, stat of the plan, window) of every sum that grows. */
  readonly sums: readonly Int32Array[];
  /** (kind, offset, value or key field, of the session, run's offset or -1) of every mark; its label's or number's stage in `markStages`. */
  readonly marks: Int32Array;
  /** By stage: marks whose value is known from it on. */
  readonly marksOfStage: readonly Int32Array[];
  /** A new record; what a session's part is reset to. */
  readonly fresh: Float64Array;
  /** Offsets of what a new session resets. */
  readonly sessionOffsets: Int32Array;
  /** Where its view lies in the plan's views, and how long it is. */
  readonly viewBase: number;
  readonly viewSize: number;
  /** (offset in the record, window) of each sum in the view, after its head. */
  readonly viewSums: Int32Array;
  /** The stat of each of those. */
  readonly viewStats: Int32Array;
  /** (offset in the record, of the session) of each number after those. */
  readonly viewMarks: Int32Array;
  /** The view of a key without a record. */
  readonly absent: Float64Array;
}

/** Marks take so many integers in `FamilyPlan.marks`. */
export const markSize = 5;

interface WindowDraft {
  readonly text: string;
  readonly window: Window;
  readonly stats: number[];
}

interface MarkDraft {
  readonly kind: number;
  readonly of: number;
  readonly session: boolean;
}

/** A number of a family's view, resolved to its place once the family is complete. */
export interface ViewRef {
  readonly family: FamilyDraft;
  readonly window: number;
  readonly stat: number;
  readonly mark: number;
  readonly part: number;
}

export class FamilyDraft {
  readonly keys: readonly number[];
  readonly windows: WindowDraft[] = [];
  readonly marks: MarkDraft[] = [];
  index = -1;

  constructor(keys: readonly number[]) {
    this.keys = keys;
  }
}

/** Numbers that a mark takes in the record and in the view. */
export const markWidth = (kind: number) => (kind === LAST_MARK ? 1 : 2);
const markFresh = (kind: number, part: number) =>
  kind === LABEL_MARK ? [Number.NEGATIVE_INFINITY, 0][part] : kind === LAST_MARK ? 0 : Number.NaN;

export class FamilyDrafts {
  readonly keyFields: readonly IdField[];
  readonly user: number;
  readonly values: readonly HistoryValue[];
  readonly stages: readonly number[];
  readonly stats: StatPlan[] = [];
  readonly all: FamilyDraft[] = [];
  plans: FamilyPlan[] = [];

  constructor(keyFields: readonly IdField[], user: number, values: readonly HistoryValue[], stages: readonly number[]) {
    this.keyFields = keyFields;
    this.user = user;
    this.values = values;
    this.stages = stages;
    this.of([]);
  }

  keyIndex(name: string): number {
    return this.keyFields.findIndex((field) => field.name === name);
  }

  valueIndex(name: string): number {
    const index = this.values.findIndex((value) => value.name === name);
    assert(index >= 0, `history names value '${name}'`);
    return index;
  }

  /** The family of these keys in any order; a pair brings that of its owner: the user, else what is not the request's. */
  of(names: readonly string[]): FamilyDraft {
    const keys = [...new Set(names.map((name) => this.keyIndex(name)))];
    if (keys.length === 2) {
      const rank = (key: number) => (key === this.user ? 0 : this.keyFields[key].scope !== 'request' ? 1 : 2);
      keys.sort((a, b) => rank(a) - rank(b) || a - b);
      this.of([this.keyFields[keys[0]].name]);
    }
    const found = this.all.find((draft) => draft.keys.join() === keys.join());
    if (found !== undefined) return found;
    const draft = new FamilyDraft(keys);
    this.all.push(draft);
    return draft;
  }

  sum(family: FamilyDraft, window: Window, kind: number, value: number): ViewRef {
    let stat = this.stats.findIndex((other) => other.kind === kind && other.value === value);
    if (stat < 0) stat = this.stats.push({ kind, value, stage: kind === EVENTS ? 0 : this.stages[value] }) - 1;
    const text = JSON.stringify(window);
    let w = family.windows.findIndex((other) => other.text === text);
    if (w < 0) w = family.windows.push({ text, window, stats: [] }) - 1;
    const { stats } = family.windows[w];
    let s = stats.indexOf(stat);
    if (s < 0) s = stats.push(stat) - 1;
    return { family, window: w, stat: s, mark: -1, part: 0 };
  }

  /** @param session whether it is of the session alone; marks of the last impression need no such copy */
  mark(family: FamilyDraft, kind: number, of: number, session: boolean, part = 0): ViewRef {
    const own = session && kind === LABEL_MARK;
    let mark = family.marks.findIndex((other) => other.kind === kind && other.of === of && other.session === own);
    if (mark < 0) mark = family.marks.push({ kind, of, session: own }) - 1;
    return { family, window: -1, stat: -1, mark, part };
  }

  head(family: FamilyDraft, part: number): ViewRef {
    return { family, window: -1, stat: -1, mark: -1, part };
  }

  /** Where a number lies in the plan's views. */
  place({ family, window, stat, mark, part }: ViewRef): number {
    const base = this.plans[family.index].viewBase;
    if (window < 0 && mark < 0) return base + part;
    let at = base + viewHead;
    const widths = family.windows.map(({ stats }) => stats.length);
    if (window >= 0) return at + widths.slice(0, window).reduce((sum, n) => sum + n, 0) + stat;
    at += widths.reduce((sum, n) => sum + n, 0);
    for (let m = 0; m < mark; m++) at += markWidth(family.marks[m].kind);
    return at + part;
  }

  /** What decides the layout of records, for the plan's hash. */
  shape(): object {
    return this.all.map(({ keys, windows, marks }) => ({
      keys,
      windows: windows.map(({ window, stats }) => [
        window,
        stats.map((s) => [this.stats[s].kind, this.stats[s].value]),
      ]),
      marks,
    }));
  }

  finish(stageCount: number): FamilyPlan[] {
    // Owners before what hangs from them.
    this.all.sort((a, b) => a.keys.length - b.keys.length);
    this.all.forEach((draft, index) => {
      draft.index = index;
    });
    const ownerOf = ({ keys }: FamilyDraft) =>
      keys.length < 2 ? -1 : this.all.findIndex((other) => other.keys.length === 1 && other.keys[0] === keys[0]);
    let viewBase = 0;
    for (const draft of this.all) {
      const owner = ownerOf(draft);
      const owned = this.all.filter((other) => ownerOf(other) === draft.index).map(({ index }) => index);
      const siblings = this.all.filter((other) => owner >= 0 && ownerOf(other) === owner);
      const plan = layOut(draft, this.stats, this.stages, stageCount, viewBase);
      this.plans.push({
        ...plan,
        isUser: draft.keys.includes(this.user),
        owner,
        ownedIndex: siblings.indexOf(draft),
        owned,
      });
      viewBase += plan.viewSize;
    }
    return this.plans;
  }
}

function layOut(
  draft: FamilyDraft,
  stats: readonly StatPlan[],
  stages: readonly number[],
  stageCount: number,
  viewBase: number,
) {
  const fresh: number[] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  assert(fresh.length === headSize, 'a head is whole');
  const absent: number[] = [Number.NEGATIVE_INFINITY, 0];
  const sums: number[][] = Array.from({ length: stageCount }, () => []);
  const kinds: number[] = [];
  const rates: number[] = [];
  const from: number[] = [];
  const to: number[] = [];
  const viewSums: number[] = [];
  const viewStats: number[] = [];
  const sessionOffsets: number[] = [];
  draft.windows.forEach(({ window, stats: of }, w) => {
    const [kind, rate] = windowOf(window);
    kinds.push(kind);
    rates.push(rate);
    from.push(fresh.length);
    if (kind === RING) fresh.push(Number.NEGATIVE_INFINITY);
    for (const stat of of) {
      sums[stats[stat].stage].push(fresh.length, stat, w);
      viewSums.push(fresh.length, w);
      viewStats.push(stat);
      if (kind === SESSION) sessionOffsets.push(fresh.length);
      for (let i = 0; i < (kind === RING ? ringBuckets : 1); i++) fresh.push(0);
      absent.push(0);
    }
    to.push(fresh.length);
  });
  const marks: number[] = [];
  const marksOfStage: number[][] = Array.from({ length: stageCount }, () => []);
  const viewMarks: number[] = [];
  draft.marks.forEach(({ kind, of, session }, m) => {
    if (kind !== SAME_MARK) marksOfStage[stages[of]].push(m);
    marks.push(kind, fresh.length, of, session ? 1 : 0, kind === LABEL_MARK ? fresh.length + 1 : -1);
    for (let part = 0; part < markWidth(kind); part++) {
      viewMarks.push(fresh.length, session ? 1 : 0);
      if (session) sessionOffsets.push(fresh.length);
      fresh.push(markFresh(kind, part));
      absent.push(markFresh(kind, part));
    }
  });
  return {
    keys: Int32Array.from(draft.keys),
    stride: fresh.length,
    stats,
    windowKinds: Int32Array.from(kinds),
    windowRates: Float64Array.from(rates),
    windowFrom: Int32Array.from(from),
    windowTo: Int32Array.from(to),
    sums: sums.map((list) => Int32Array.from(list)),
    marks: Int32Array.from(marks),
    marksOfStage: marksOfStage.map((list) => Int32Array.from(list)),
    fresh: Float64Array.from(fresh),
    sessionOffsets: Int32Array.from(sessionOffsets),
    viewBase,
    viewSize: absent.length,
    viewSums: Int32Array.from(viewSums),
    viewStats: Int32Array.from(viewStats),
    viewMarks: Int32Array.from(viewMarks),
    absent: Float64Array.from(absent),
  };
}

function windowOf(window: Window): [kind: number, rate: number] {
  if (window === 'lifetime') return [LIFETIME, 0];
  if (window === 'session') return [SESSION, 0];
  if ('halfLife' in window) return [DECAY, Math.LN2 / durationMs(window.halfLife)];
  return [RING, durationMs(window.window) / ringBuckets];
}
