import {
  anchorAt,
  DECAY,
  EVENTS,
  EXPECTED,
  type FamilyPlan,
  KNOWN,
  LABEL_MARK,
  LAST_MARK,
  LIFETIME,
  lastAt,
  markSize,
  ringBuckets,
  SAME_MARK,
  SESSION,
  type StatPlan,
  sessionAt,
} from './familyPlan.ts';
import type { HistoryPlan } from './historyPlan.ts';
import type { PendingEvents } from './pendingEvents.ts';
import type { Records } from './records.ts';

/** Takes stages of events into records, one at a time: its numbers are computed once for all families. */
export class EventApplier {
  private readonly sessionMs: number;
  private readonly stats: readonly StatPlan[];
  private readonly isLabel: Uint8Array;
  /** By stat of the plan: what the stage adds to it. */
  private readonly amounts: Float64Array;
  /** By window of a family: how much the event counts in it, and the place of a ring's bucket. */
  private readonly weights: Float64Array;
  private readonly shifts: Int32Array;

  constructor(plan: HistoryPlan) {
    this.sessionMs = plan.limits.sessionMs;
    this.stats = plan.families[0].stats;
    this.isLabel = Uint8Array.from(plan.values, ({ kind }) => (kind === 'label' ? 1 : 0));
    this.amounts = new Float64Array(this.stats.length);
    const windows = Math.max(0, ...plan.families.map(({ windowKinds }) => windowKinds.length));
    this.weights = new Float64Array(windows);
    this.shifts = new Int32Array(windows);
  }

  /** Sets what stage `stage` of event `at` adds; to be called before it is applied to records. */
  prepare(events: PendingEvents, at: number, stage: number): void {
    const { stats, amounts } = this;
    const impression = events.isOutcome[at] === 0 ? 1 : 0;
    for (let s = 0; s < stats.length; s++) {
      const { kind, value, stage: due } = stats[s];
      if (due !== stage) continue;
      if (kind === EVENTS) {
        amounts[s] = impression;
        continue;
      }
      const y = events.values[at * events.valueCount + value];
      const known = Number.isNaN(y) ? 0 : 1;
      if (kind === KNOWN) amounts[s] = this.isLabel[value] !== 0 ? impression : known;
      else if (kind === EXPECTED) amounts[s] = impression * events.expected[at * events.valueCount + value];
      else amounts[s] = known === 1 ? y : 0;
    }
  }

  /** Adds the prepared stage to a record. */
  apply(records: Records, slot: number, events: PendingEvents, at: number, stage: number): void {
    const { plan, numbers } = records;
    const base = slot * plan.stride;
    const eventMs = events.eventMs[at];
    const isArrival = stage === 0 && events.isOutcome[at] === 0;
    if (isArrival) this.arrive(plan, numbers, base, events, at);
    const inSession = eventMs >= numbers[base + sessionAt];
    this.weigh(plan, numbers, base, eventMs, inSession);
    const { amounts, weights, shifts } = this;
    const sums = plan.sums[stage];
    for (let i = 0; i < sums.length; i += 3) {
      const window = sums[i + 2];
      numbers[base + sums[i] + shifts[window]] += weights[window] * amounts[sums[i + 1]];
    }
    this.mark(plan, numbers, base, events, at, stage, inSession);
  }

  /** What an impression changes whatever comes of it: the session and which one is the last. */
  private arrive(plan: FamilyPlan, numbers: Float64Array, base: number, events: PendingEvents, at: number): void {
    const eventMs = events.eventMs[at];
    const lastMs = numbers[base + lastAt];
    if (eventMs - lastMs > this.sessionMs) {
      numbers[base + sessionAt] = eventMs;
      const { sessionOffsets, fresh } = plan;
      for (let i = 0; i < sessionOffsets.length; i++) numbers[base + sessionOffsets[i]] = fresh[sessionOffsets[i]];
    } else if (eventMs < numbers[base + sessionAt] && eventMs >= numbers[base + sessionAt] - this.sessionMs) {
      numbers[base + sessionAt] = eventMs;
    }
    if (eventMs < lastMs) return;
    numbers[base + lastAt] = eventMs;
    const { marks } = plan;
    for (let m = 0; m < marks.length; m += markSize) {
      const offset = base + marks[m + 1];
      if (marks[m] === LAST_MARK) numbers[offset] = 0;
      if (marks[m] !== SAME_MARK) continue;
      const key = at * events.keyCount + marks[m + 2];
      const has = events.valid[key] !== 0;
      numbers[offset] = has ? events.words[2 * key] : Number.NaN;
      numbers[offset + 1] = has ? events.words[2 * key + 1] : Number.NaN;
    }
  }

  /** Brings decayed sums to the newest event's time and rings to its bucket, and sets how much this event counts in each window. */
  private weigh(plan: FamilyPlan, numbers: Float64Array, base: number, eventMs: number, inSession: boolean): void {
    const { windowKinds, windowRates, windowFrom, windowTo } = plan;
    const anchorMs = numbers[base + anchorAt];
    const age = eventMs - anchorMs;
    if (age > 0) numbers[base + anchorAt] = eventMs;
    for (let w = 0; w < windowKinds.length; w++) {
      const kind = windowKinds[w];
      // Another family's window of this index may have been a ring.
      this.shifts[w] = 0;
      if (kind === LIFETIME) this.weights[w] = 1;
      else if (kind === SESSION) this.weights[w] = inSession ? 1 : 0;
      else if (kind === DECAY) {
        this.weights[w] = age < 0 ? Math.exp(age * windowRates[w]) : 1;
        if (age > 0 && anchorMs > Number.NEGATIVE_INFINITY) {
          const factor = Math.exp(-age * windowRates[w]);
          for (let i = base + windowFrom[w]; i < base + windowTo[w]; i++) numbers[i] *= factor;
        }
      } else {
        const bucket = Math.floor(eventMs / windowRates[w]);
        const head = base + windowFrom[w];
        if (bucket > numbers[head]) turnRing(numbers, head, base + windowTo[w], bucket);
        this.weights[w] = bucket > numbers[head] - ringBuckets ? 1 : 0;
        this.shifts[w] = placeOf(bucket);
      }
    }
  }

  private mark(
    plan: FamilyPlan,
    numbers: Float64Array,
    base: number,
    events: PendingEvents,
    at: number,
    stage: number,
    inSession: boolean,
  ): void {
    const { marks } = plan;
    const due = plan.marksOfStage[stage];
    const eventMs = events.eventMs[at];
    for (let i = 0; i < due.length; i++) {
      const m = due[i] * markSize;
      const value = marks[m + 2];
      const y = events.values[at * events.valueCount + value];
      const offset = base + marks[m + 1];
      if (marks[m] === LAST_MARK) {
        // A label stays 1 once one impression of that time has it; of numbers the last to be known stands.
        if (eventMs === numbers[base + lastAt] && !Number.isNaN(y) && (y !== 0 || this.isLabel[value] === 0))
          numbers[offset] = y;
        continue;
      }
      if (marks[m] !== LABEL_MARK || (marks[m + 3] !== 0 && !inSession)) continue;
      if (y === 1) {
        if (eventMs < numbers[offset]) continue;
        numbers[offset] = eventMs;
        numbers[offset + 1] = 0;
      } else if (events.isOutcome[at] === 0 && eventMs > numbers[offset]) numbers[offset + 1]++;
    }
  }
}

/** The place of a bucket in its ring. */
export function placeOf(bucket: number): number {
  return bucket - ringBuckets * Math.floor(bucket / ringBuckets);
}

/** Empties the buckets from the ring's newest to the one that now is. */
export function turnRing(numbers: Float64Array, head: number, to: number, bucket: number): void {
  for (let old = Math.max(numbers[head] + 1, bucket - ringBuckets + 1); old <= bucket; old++)
    for (let at = head + 1 + placeOf(old); at < to; at += ringBuckets) numbers[at] = 0;
  numbers[head] = bucket;
}
