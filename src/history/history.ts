import type { Keys } from '../schema/keys.ts';
import type { HistoryPlan } from './historyPlan.ts';

/**
 * Impressions and what came of them, one a row, in the order they arrived. An impression may carry its outcome already, as a row
 * of a log does; an outcome that comes later is a row of its own with the keys and `eventMs` of its impression.
 *
 * History sees an impression from `arrivedMs` on, and a value of it from max(arrivedMs of the row that brings it, eventMs + the
 * value's delay) on: a click that arrives at once is held until its delay is over, so that training, which knows only the delay, and
 * service see it at the same time. A label that no row brings by then counts as 0, and is corrected where one comes later.
 */
export interface EventRows {
  readonly rowCount: number;
  /** When the impression was, [rowCount]; ms since 1970. */
  readonly eventMs: Float64Array;
  /** When the row came, [rowCount]; `eventMs` where absent. */
  readonly arrivedMs?: Float64Array;
  /** 1 for an outcome, [rowCount]; all are impressions where absent. */
  readonly isOutcome?: Uint8Array;
  /** One a key field of the plan, in its order; of kind `id`, so without offsets. */
  readonly keys: readonly Keys[];
  /** One a value of the plan, in its order: labels 0 or 1, and numbers; NaN where the row does not say. [rowCount] each. */
  readonly values: readonly Float64Array[];
}

/** Where one row's history is written: raw, as `limelight backfill` writes it and the encoder reads it. */
export interface HistoryRows {
  readonly rowCount: number;
  /** By counter of the plan, [rowCount, width], row-major. */
  readonly counters: readonly Float32Array[];
  readonly sequences: readonly SequenceRows[];
}

/** Row `r` has `counts[r]` events at `r · length` and on, latest first. */
export interface SequenceRows {
  readonly counts: Int32Array;
  /** By item of the sequence: 64-bit keys as pairs of halves, [rowCount, length, 2]. */
  readonly items: readonly Int32Array[];
  /** By item: 1 where the event had a value. [rowCount, length] */
  readonly valid: readonly Uint8Array[];
  /** Bits of the actions, [rowCount, length]; see `SequenceField.actions`. */
  readonly actions: Uint8Array;
  /** Buckets of the time since, [rowCount, length]; see `gapBuckets`. */
  readonly gaps: Uint8Array;
}

/**
 * What all keys' events add up to. Pure: time comes with the events. Features at `nowMs` rest on what history sees before it
 * (strictly: rows of one request do not see each other); counters without a user's key on what it saw before the last tick.
 */
export interface History {
  readonly plan: HistoryPlan;
  /** The newest `arrivedMs` added or time advanced to; -Infinity at first. */
  readonly watermarkMs: number;
  /**
   * Takes one row in, after advancing to its arrival. Costs the same whatever the size of the state, but where its arrays double or a family
   * of `maxKeys` keys is full and an eighth of them goes: of a million, .2 s once in 125,000 new keys. What arrived before the watermark, by
   * `lateness` at most, counts as arriving at it.
   *
   * @throws UserError if it has no time, arrived longer than `lateness` before the watermark, is an impression longer than `lateness`
   * before its arrival, or is of a time longer than `lateness` after it; the state is unchanged then
   */
  add(rows: EventRows, row: number): void;
  /** Throws what `add` would, and changes nothing: several rows are taken in all or none. */
  check(rows: EventRows, row: number): void;
  /** Lets history see all it may at `nowMs`; going back is a no-op up to `lateness`, then a UserError. What is read does not depend on how often it is called. */
  advance(nowMs: number): void;
  /**
   * What a model sees of row `row` of `keys` at `nowMs`, to which history must have been advanced.
   *
   * @param keys one a key field of the plan
   * @param out row `to` of it is written in full
   */
  readRow(keys: readonly Keys[], row: number, nowMs: number, out: HistoryRows, to: number): void;
  /** Erases all that is held under a value of a key field, its part in pairs and the events still pending included. @returns whether there was any */
  forget(keyField: string, lo: number, hi: number): boolean;
  /** Adds another shard's state: exact for disjoint keys, whole numbers and sequences, within 1e-12 for decayed sums. */
  merge(other: History): void;
  /**
   * An empty history of one user, for a request that brings its own: `add` to it changes nothing here, and what it holds of no user
   * (priors, expected clicks, ads) is read from here, as of now. It is cheap to make, and of use until this history changes.
   */
  overlay(): History;
  /** What is held, and the memory it takes. */
  stats(): HistoryStats;
}

/**
 * What a request's user and context see of the rows of a catalog (ads, or creatives with their ads' keys): the same bits as
 * `History.readRow` of each, much faster. `createAdHistory(history, adKeys)` makes it.
 */
export interface AdHistory {
  /** By counter and by sequence of the plan: whether it depends on the catalog's row, so that every row of `out` is written; else row 0 alone, of those that are read. */
  readonly counterIsOfAd: readonly boolean[];
  readonly sequenceIsOfAd: readonly (boolean | undefined)[];
  /**
   * @param keys the request's, one a key field of the plan, of which row `row` is read; those the catalog has are not looked at
   * @param ads the first `count` are rows of the catalog
   * @param out at least `count` rows
   */
  read(keys: readonly Keys[], row: number, nowMs: number, ads: Int32Array, count: number, out: HistoryRows): void;
}

export interface HistoryStats {
  readonly keys: number;
  readonly events: number;
  /** Events of which something is still to be seen: impressions until their longest delay is over and the next tick begins. */
  readonly pending: number;
  readonly bytes: number;
  readonly evicted: number;
}
