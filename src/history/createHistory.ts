import { assert, UserError } from '../core/errors.ts';
import type { Keys } from '../schema/keys.ts';
import { EventApplier } from './applyEvent.ts';
import { checkArrival, checkClock } from './arrival.ts';
import { computePrior, writeValue } from './counterValues.ts';
import { DueQueue, TickQueue } from './dueQueue.ts';
import { batch, Families } from './families.ts';
import type { EventRows, History, HistoryRows, HistoryStats } from './history.ts';
import type { HistoryPlan } from './historyPlan.ts';
import { listEvent } from './listEvent.ts';
import { mergeReducers } from './mergeHistory.ts';
import { PendingEvents } from './pendingEvents.ts';
import { RowsAhead } from './rowsAhead.ts';
import { ViewRows } from './viewRows.ts';

export function createHistory(plan: HistoryPlan): History {
  return new Reducer(plan);
}

/**
 * The reducer. An event waits in `due` for its stages; what is due before the time advanced to is taken, in order of (time, arrival),
 * into the records with a user's key, and then waits in `ticked` for the next tick, at which all other records take it.
 */
export class Reducer implements History {
  readonly plan: HistoryPlan;
  readonly base: Reducer | undefined;
  readonly families: Families;
  readonly pending: PendingEvents;
  readonly due: DueQueue;
  readonly ticked = new TickQueue();
  /** `arrivedMs` up to which everything has been taken in. */
  watermarkMs = Number.NEGATIVE_INFINITY;
  /** Start of the tick of what was last taken. */
  tickMs = Number.NEGATIVE_INFINITY;
  /** Changes with everything that has no user's key, and when it is read. */
  sharedVersion = 0;
  /** Rows taken in, and impressions of them. */
  order = 0;
  impressions = 0;
  private readonly ahead: RowsAhead;
  private readonly applier: EventApplier;
  private readonly userFamilies: Int32Array;
  private readonly tickFamilies: Int32Array;
  /** One, of what is read. */
  private readonly rows: ViewRows;

  /** @param base whose records without a user's key are read in place of own ones, which it then has none of */
  constructor(plan: HistoryPlan, base?: Reducer) {
    this.plan = plan;
    this.base = base;
    this.families = new Families(plan, base?.families);
    this.ahead = new RowsAhead(plan, this.families);
    this.pending = new PendingEvents(plan);
    this.due = new DueQueue(plan.stageDelaysMs.length);
    this.applier = new EventApplier(plan);
    const indices = plan.families.map((_, f) => f);
    this.userFamilies = Int32Array.from(indices.filter((f) => plan.families[f].isUser));
    this.tickFamilies = Int32Array.from(indices.filter((f) => !plan.families[f].isUser && base === undefined));
    this.rows = new ViewRows(plan, 1);
  }

  add(rows: EventRows, row: number): void {
    this.check(rows, row);
    const { values } = this.plan;
    const eventMs = rows.eventMs[row];
    const isOutcome = rows.isOutcome !== undefined && rows.isOutcome[row] !== 0;
    const arrivedMs = Math.max(rows.arrivedMs === undefined ? eventMs : rows.arrivedMs[row], this.watermarkMs);
    this.advance(arrivedMs);
    this.order++;
    if (!isOutcome) this.impressions++;
    const { pending } = this;
    const { valueCount } = pending;
    const known = isOutcome ? pending.find(rows, row) : -1;
    let at = isOutcome ? -1 : this.take(rows, row, eventMs, arrivedMs, false);
    for (let v = 0; v < valueCount; v++) {
      const y = rows.values[v][row];
      const isLabel = values[v].kind === 'label';
      if (!Number.isFinite(y) || (isOutcome && isLabel && y === 0)) continue;
      if (known >= 0 && pending.stage[known] <= this.stageOf(v)) {
        pending.values[known * valueCount + v] = y;
        continue;
      }
      if (at < 0) at = this.take(rows, row, eventMs, arrivedMs, true);
      pending.values[at * valueCount + v] = y;
    }
  }

  check(rows: EventRows, row: number): void {
    checkArrival(rows, row, this.watermarkMs, this.plan.limits.latenessMs);
  }

  advance(nowMs: number): void {
    const { plan, due, pending } = this;
    checkClock(nowMs, this.watermarkMs, plan.limits.latenessMs);
    if (nowMs <= this.watermarkMs) return;
    this.watermarkMs = nowMs;
    const { tickMs } = plan.limits;
    while (due.seek(nowMs)) {
      const { event: at, ms } = due;
      const stage = pending.stage[at];
      due.pop();
      this.tickTo(Math.floor(ms / tickMs) * tickMs);
      this.takeStage(at, stage, ms);
      this.ticked.push(ms, at, stage);
      pending.stage[at] = stage + 1;
      if (stage + 1 < plan.stageDelaysMs.length) this.schedule(at);
    }
    this.tickTo(Math.floor(nowMs / tickMs) * tickMs);
  }

  readRow(keys: readonly Keys[], row: number, nowMs: number, out: HistoryRows, to: number): void {
    assert(nowMs <= this.watermarkMs, 'history is read where it was advanced to');
    const { plan, families, rows } = this;
    const { ops, sequencePlans } = plan;
    const { times } = rows;
    this.setKeys(keys, row);
    for (let f = 0; f < times.length; f++) times[f] = this.readMs(f);
    families.viewAll(rows, this.ahead.slots, this.ahead.next(keys, row));
    for (let p = 0; p < ops.priorN.length; p++) computePrior(ops, p, rows, 1);
    for (let op = 0; op < ops.count; op++) {
      const counter = out.counters[ops.counters[op]];
      const width = counter.length / out.rowCount;
      writeValue(ops, op, rows, 0, counter, to * width + ops.columns[op]);
    }
    for (let s = 0; s < sequencePlans.length; s++) {
      const { family } = sequencePlans[s];
      families.sequences[s].read(families.seen[family], times[family], out.sequences[s], to);
    }
  }

  private setKeys(keys: readonly Keys[], row: number): void {
    const { words, valid } = this.rows;
    for (let k = 0; k < valid.length; k++) {
      const { words: from, valid: has } = keys[k];
      valid[k] = has === undefined || has[row] !== 0 ? 1 : 0;
      words[2 * k] = from[2 * row];
      words[2 * k + 1] = from[2 * row + 1];
    }
  }

  /** When a family is read: now, or at the start of the tick. */
  readMs(family: number): number {
    return this.plan.families[family].isUser ? this.watermarkMs : this.sharedMs();
  }

  /** When what has no user's key is read. */
  sharedMs(): number {
    return this.base === undefined ? this.tickMs : this.base.sharedMs();
  }

  overlay(): History {
    return new Reducer(this.plan, this);
  }

  forget(keyField: string, lo: number, hi: number): boolean {
    const key = this.plan.keyFields.findIndex(({ name }) => name === keyField);
    if (key < 0)
      throw new UserError(
        `history: '${keyField}' is no key of its sequences and counters; name one of ${this.plan.keyFields.map(({ name }) => name).join(', ')}`,
      );
    this.sharedVersion++;
    const wasPending = this.pending.forget(key, lo, hi);
    return this.families.forget(key, lo, hi) || wasPending;
  }

  merge(other: History): void {
    assert(other instanceof Reducer, 'histories are merged with their like');
    mergeReducers(this, other);
    this.sharedVersion++;
  }

  stats(): HistoryStats {
    const { keys, bytes, evicted } = this.families.stats();
    const { pending, due, ticked, impressions } = this;
    const pendingBytes = pending.bytes() + due.bytes() + ticked.bytes();
    return { keys, events: impressions, pending: pending.count, bytes: bytes + pendingBytes, evicted };
  }

  private stageOf(value: number): number {
    return this.plan.stageDelaysMs.indexOf(this.plan.values[value].delayMs);
  }

  private take(rows: EventRows, row: number, eventMs: number, arrivedMs: number, isOutcome: boolean): number {
    const { pending } = this;
    const at = pending.take(eventMs, arrivedMs, this.order, isOutcome);
    pending.setKeys(at, rows.keys, row);
    // Often the row that was read just before: where its records are is known then.
    pending.setSlots(at, this.families.seen);
    if (!isOutcome) pending.enter(at);
    this.schedule(at);
    return at;
  }

  /** Puts an event in line for its next stage: no stage is seen before the row arrived, nor before the event's time. */
  schedule(at: number): void {
    const { pending, plan, due } = this;
    const ms = Math.max(pending.arrivedMs[at], pending.eventMs[at] + plan.stageDelaysMs[pending.stage[at]]);
    due.push(ms, pending.order[at], at, pending.stage[at]);
  }

  /** A stage as the records with a user's key see it, and before them what an impression's outcome is expected to be. */
  private takeStage(at: number, stage: number, ms: number): void {
    const { pending } = this;
    if (stage > 0) this.families.touch(this.userFamilies, pending, at);
    if (stage === 0 && pending.isOutcome[at] === 0) this.expect(at, ms);
    this.applier.prepare(pending, at, stage);
    this.applyTo(this.userFamilies, at, stage, ms);
  }

  private tickTo(tickMs: number): void {
    if (tickMs <= this.tickMs) return;
    this.tickMs = tickMs;
    this.sharedVersion++;
    const { ticked, pending, plan } = this;
    const last = plan.stageDelaysMs.length - 1;
    for (let i = 0; i < ticked.count; i++) {
      const at = ticked.events[i];
      if (i % batch === 0)
        for (let j = i; j < Math.min(i + batch, ticked.count); j++)
          this.families.touch(this.tickFamilies, pending, ticked.events[j]);
      this.applier.prepare(pending, at, ticked.stages[i]);
      this.applyTo(this.tickFamilies, at, ticked.stages[i], ticked.ms[i]);
      if (ticked.stages[i] === last) pending.release(at);
    }
    ticked.count = 0;
  }

  private applyTo(indices: Int32Array, at: number, stage: number, ms: number): void {
    const { families, pending, applier } = this;
    for (let i = 0; i < indices.length; i++) {
      const slot = families.slotOf(indices[i], pending, at, stage, ms);
      if (slot < 0) continue;
      applier.apply(families.records[indices[i]], slot, pending, at, stage);
      const sequences = families.sequencesOf[indices[i]];
      for (let s = 0; s < sequences.length; s++) listEvent(families.sequences[sequences[s]], slot, pending, at, stage);
    }
  }

  private expect(at: number, ms: number): void {
    const { pending, families, plan, rows } = this;
    const { expectedFamilies, expectedPriors, expectations } = plan.ops;
    if (expectedPriors.length === 0) return;
    const { keyCount, valueCount } = pending;
    for (let k = 0; k < keyCount; k++) {
      rows.valid[k] = pending.valid[at * keyCount + k];
      rows.words[2 * k] = pending.words[2 * (at * keyCount + k)];
      rows.words[2 * k + 1] = pending.words[2 * (at * keyCount + k) + 1];
    }
    for (let i = 0; i < expectedFamilies.length; i++) {
      const f = expectedFamilies[i];
      rows.times[f] = plan.families[f].isUser ? ms : this.sharedMs();
      families.view(f, rows);
    }
    for (let i = 0; i < expectedPriors.length; i++) computePrior(plan.ops, expectedPriors[i], rows, 1);
    for (let v = 0; v < valueCount; v++)
      if (expectations[v] >= 0) pending.expected[at * valueCount + v] = rows.priors[expectations[v]];
  }
}
