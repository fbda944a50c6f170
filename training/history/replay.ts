import { UserError } from '../../src/core/errors.ts';
import type { EventRows, History } from '../../src/history/history.ts';
import type { HistoryBlocks } from './historyBlocks.ts';

/** One table's rows, and where their history goes; nowhere where only the state is wanted. */
export interface ReplayedTable {
  readonly events: EventRows;
  readonly blocks?: HistoryBlocks;
  /** How messages name it. */
  readonly source: string;
}

export interface ReplayOptions {
  /** Rows from this time on are left out: neither seen by others nor given a history. */
  readonly untilMs?: number;
  readonly onRows?: (done: number, all: number) => void;
}

/**
 * Replays rows of several tables: each impression is given what history knows at its time, and each row is added when it arrived, those of
 * one time in the order given. As history lets nobody see what has not happened by then, a row sees no row of its own time and no outcome
 * before its delay is over.
 *
 * @throws UserError if a row lies before what `history` begins with
 */
export function replay(
  history: History,
  tables: readonly ReplayedTable[],
  { untilMs, onRows }: ReplayOptions = {},
): void {
  const { order, arrivals, tableOf, rowOf } = rowsInOrder(tables, untilMs);
  if (order.length > 0) checkBegin(history, tables[tableOf(order[0])], rowOf(order[0]));
  let added = 0;
  const addUntil = (nowMs: number) => {
    for (; added < arrivals.length; added++) {
      const { events } = tables[tableOf(arrivals[added])];
      const row = rowOf(arrivals[added]);
      if (arrivalOf(events, row) >= nowMs) return;
      history.add(events, row);
    }
  };
  order.forEach((place, done) => {
    const { events, blocks } = tables[tableOf(place)];
    const row = rowOf(place);
    const nowMs = events.eventMs[row];
    addUntil(nowMs);
    history.advance(nowMs);
    if (blocks !== undefined && events.isOutcome?.[row] !== 1)
      history.readRow(events.keys, row, nowMs, blocks.blockOf(row), blocks.rowIn(row));
    if (done % 10_000 === 0) onRows?.(done, order.length);
  });
  addUntil(Number.POSITIVE_INFINITY);
}

const arrivalOf = ({ eventMs, arrivedMs = eventMs }: EventRows, row: number) => arrivedMs[row];

/** Places, counted through all tables, in order of time, and in order of arrival. */
function rowsInOrder(tables: readonly ReplayedTable[], untilMs = Number.POSITIVE_INFINITY) {
  const starts: number[] = [];
  let rowCount = 0;
  for (const { events } of tables) {
    starts.push(rowCount);
    rowCount += events.rowCount;
  }
  const times = new Float64Array(rowCount);
  const arrived = new Float64Array(rowCount);
  tables.forEach(({ events: { eventMs, arrivedMs = eventMs } }, t) => {
    times.set(eventMs, starts[t]);
    arrived.set(arrivedMs, starts[t]);
  });
  const kept = new Uint32Array(rowCount);
  let count = 0;
  for (let place = 0; place < rowCount; place++) if (times[place] < untilMs) kept[count++] = place;
  const order = inOrder(kept.subarray(0, count), times);
  const arrivals = tables.every(({ events }) => events.arrivedMs === undefined)
    ? order
    : inOrder(kept.slice(0, count), arrived);
  const tableOf = (place: number) => {
    let t = starts.length - 1;
    while (place < starts[t]) t--;
    return t;
  };
  return { order, arrivals, tableOf, rowOf: (place: number) => place - starts[tableOf(place)] };
}

/** Sorts places by their time, where they are not; those of one time stay as they are. */
function inOrder(places: Uint32Array, times: Float64Array): Uint32Array {
  const sorted = places.every((place, i) => i === 0 || times[place] >= times[places[i - 1]]);
  return sorted ? places : places.sort((a, b) => times[a] - times[b] || a - b);
}

function checkBegin({ watermarkMs }: History, { events, source }: ReplayedTable, row: number): void {
  const ms = events.eventMs[row];
  if (ms >= watermarkMs) return;
  const time = (t: number) => new Date(t).toISOString();
  throw new UserError(
    `${source}: has a row of ${time(ms)}, before ${time(watermarkMs)}, where the given state of history ends; leave such rows out, or start from an earlier state`,
  );
}
