import type { CounterField, CounterValue, HistorySettings, Window } from '../schema/schema.ts';
import {
  EVENTS,
  EXPECTED,
  type FamilyDraft,
  type FamilyDrafts,
  KNOWN,
  LABEL_MARK,
  LAST_MARK,
  SAME_MARK,
  SUM,
  type ViewRef,
  viewAlive,
  viewLast,
} from './familyPlan.ts';

/*
 * Counters compiled to flat tables over the plan's views (what is read of each family's record, side by side): first the priors, each
 * once a row whatever the number of rates that share it, then the values.
 */

/** Kinds of op; `a` and `b` are places in the views. */
export const COUNT = 0;
export const SINCE = 1;
export const RATE = 2;
export const COEC = 3;
export const SUM_OF = 4;
export const LAST = 5;
export const RUN = 6;
export const SAME = 7;
export const IDLE = 8;

/** What a rate, a mean or a coec without a strength of its own rests on, in events; priors have theirs (`priorStrength`). */
const defaultStrength = 5;

export interface CounterOps {
  readonly count: number;
  readonly kinds: Int32Array;
  readonly a: Int32Array;
  readonly b: Int32Array;
  /** Index of its prior, -1 where it has none. */
  readonly priors: Int32Array;
  readonly strengths: Float64Array;
  /** Of a value of the session's last impression: the place that says whether the session goes on; -1 of others. */
  readonly alive: Int32Array;
  /** Index of its family: whose time it is read at. */
  readonly families: Int32Array;
  /** Index of its counter, and its place in it. */
  readonly counters: Int32Array;
  readonly columns: Int32Array;
  /** Priors, those they rest on first: places of n and Σy, the prior's own prior or -1 of all events', whether of a label. */
  readonly priorN: Int32Array;
  readonly priorY: Int32Array;
  readonly priorBase: Int32Array;
  readonly priorIsLabel: Uint8Array;
  readonly priorFamilies: Int32Array;
  /** By value of the plan: the prior that is its expectation, -1 where none is asked for. */
  readonly expectations: Int32Array;
  /** Families and priors that expectations need, in order. */
  readonly expectedFamilies: Int32Array;
  readonly expectedPriors: Int32Array;
}

interface OpDraft {
  readonly kind: number;
  readonly family: FamilyDraft;
  readonly a: ViewRef;
  readonly b?: ViewRef;
  /** Of SAME: the key field whose value is compared. */
  readonly key?: number;
  readonly prior: number;
  readonly strength: number;
  readonly alive?: ViewRef;
  readonly counter: number;
  readonly column: number;
}

interface PriorDraft {
  readonly text: string;
  readonly family: FamilyDraft;
  readonly n: ViewRef;
  readonly y: ViewRef;
  readonly base: number;
  readonly isLabel: boolean;
}

/** Collects what the counters need of their families; what it returns compiles them once the families are complete. */
export function draftCounters(
  counters: readonly CounterField[],
  expected: HistorySettings['expected'],
  drafts: FamilyDrafts,
): () => CounterOps {
  const priors: PriorDraft[] = [];
  const expectations = new Int32Array(drafts.values.length).fill(-1);

  const priorOf = (value: number, by: readonly string[], over: Window, isGlobal = false): number => {
    const base = isGlobal ? -1 : priorOf(value, [], 'lifetime', true);
    const text = JSON.stringify([value, by, over, isGlobal]);
    const found = priors.findIndex((other) => other.text === text);
    if (found >= 0) return found;
    const family = drafts.of(by);
    const n = drafts.sum(family, over, KNOWN, value);
    const y = drafts.sum(family, over, SUM, value);
    return priors.push({ text, family, n, y, base, isLabel: drafts.values[value].kind === 'label' }) - 1;
  };

  const opOf = (value: CounterValue, family: FamilyDraft, over: Window): Omit<OpDraft, 'counter' | 'column'> => {
    const session = over === 'session';
    const alive = session ? drafts.head(family, viewAlive) : undefined;
    const last = drafts.head(family, viewLast);
    const plain = { family, prior: -1, strength: 0 };
    if (value === 'count') return { ...plain, kind: COUNT, a: drafts.sum(family, over, EVENTS, -1) };
    if (value === 'sinceLast') return { ...plain, kind: SINCE, a: last, alive };
    if ('rate' in value || 'mean' in value) {
      const of = drafts.valueIndex('rate' in value ? value.rate : value.mean);
      const prior = value.prior
        ? priorOf(of, value.prior.by, value.prior.over ?? 'lifetime')
        : priorOf(of, [], 'lifetime', true);
      const n = drafts.sum(family, over, KNOWN, of);
      const y = drafts.sum(family, over, SUM, of);
      return { family, kind: RATE, a: n, b: y, prior, strength: value.strength ?? defaultStrength };
    }
    if ('coec' in value) {
      const of = drafts.valueIndex(value.coec);
      expectations[of] = expected
        ? priorOf(of, expected.by, expected.over ?? 'lifetime')
        : priorOf(of, [], 'lifetime', true);
      const y = drafts.sum(family, over, SUM, of);
      const e = drafts.sum(family, over, EXPECTED, of);
      return { ...plain, kind: COEC, a: y, b: e, strength: value.strength ?? defaultStrength };
    }
    if ('sum' in value)
      return { ...plain, kind: SUM_OF, a: drafts.sum(family, over, SUM, drafts.valueIndex(value.sum)) };
    if ('sinceLast' in value)
      return { ...plain, kind: SINCE, a: drafts.mark(family, LABEL_MARK, drafts.valueIndex(value.sinceLast), session) };
    if ('run' in value)
      return { ...plain, kind: RUN, a: drafts.mark(family, LABEL_MARK, drafts.valueIndex(value.run), session, 1) };
    if ('last' in value)
      return { ...plain, kind: LAST, a: drafts.mark(family, LAST_MARK, drafts.valueIndex(value.last), session), alive };
    if ('same' in value) {
      const key = drafts.keyIndex(value.same);
      return { ...plain, kind: SAME, a: drafts.mark(family, SAME_MARK, key, session), key, alive };
    }
    const number = drafts.mark(family, LAST_MARK, drafts.valueIndex(value.idle), session);
    return { ...plain, kind: IDLE, a: last, b: number, alive };
  };

  const ops = counters.flatMap(({ by, over = ['lifetime'], values }, counter) =>
    over.flatMap((window, w) =>
      values.map((value, v): OpDraft => {
        const column = w * values.length + v;
        return { ...opOf(value, drafts.of(by), window), counter, column };
      }),
    ),
  );
  return () => compile(ops, priors, expectations, drafts);
}

function compile(
  ops: readonly OpDraft[],
  priors: readonly PriorDraft[],
  expectations: Int32Array,
  drafts: FamilyDrafts,
): CounterOps {
  const ints = <T>(list: readonly T[], of: (item: T) => number) => Int32Array.from(list, of);
  const place = (ref: ViewRef | undefined) => (ref === undefined ? -1 : drafts.place(ref));
  const expectedPriors = new Set<number>();
  for (const prior of expectations) {
    if (prior < 0) continue;
    if (priors[prior].base >= 0) expectedPriors.add(priors[prior].base);
    expectedPriors.add(prior);
  }
  // A pair is found through its owner, so that an owner's view comes along.
  const withOwner = (index: number) => [drafts.plans[index].owner, index].filter((family) => family >= 0);
  const expectedFamilies = new Set([...expectedPriors].flatMap((prior) => withOwner(priors[prior].family.index)));
  return {
    count: ops.length,
    kinds: ints(ops, (op) => op.kind),
    a: ints(ops, (op) => place(op.a)),
    b: ints(ops, (op) => op.key ?? place(op.b)),
    priors: ints(ops, (op) => op.prior),
    strengths: Float64Array.from(ops, (op) => op.strength),
    alive: ints(ops, (op) => place(op.alive)),
    families: ints(ops, (op) => op.family.index),
    counters: ints(ops, (op) => op.counter),
    columns: ints(ops, (op) => op.column),
    priorN: ints(priors, (prior) => place(prior.n)),
    priorY: ints(priors, (prior) => place(prior.y)),
    priorBase: ints(priors, (prior) => prior.base),
    priorIsLabel: Uint8Array.from(priors, (prior) => Number(prior.isLabel)),
    priorFamilies: ints(priors, (prior) => prior.family.index),
    expectations,
    expectedFamilies: Int32Array.from(expectedFamilies).sort(),
    expectedPriors: Int32Array.from(expectedPriors).sort(),
  };
}
