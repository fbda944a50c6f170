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
 * Replays rows of several tables in order of time, those of one time in the order given: each is given what history knows before it, then is
 * added. As history lets nobody see what has not happened by then, a row sees no row of its own time and no outcome before its delay is over.
 *
 * @throws UserError if a row lies before what `history` begins with
 */
export function replay(
  history: History,
  tables: readonly ReplayedTable[],
  { untilMs, onRows }: ReplayOptions = {},
): void {
  const { order, tableOf, rowOf } = rowsInOrder(tables, untilMs);
  if (order.length > 0) checkBegin(history, tables[tableOf(order[0])], rowOf(order[0]));
  order.forEach((place, done) => {
    const { events, blocks } = tables[tableOf(place)];
    const row = rowOf(place);
    const nowMs = events.eventMs[row];
    history.advance(nowMs);
    if (blocks !== undefined) history.readRow(events.keys, row, nowMs, blocks.blockOf(row), blocks.rowIn(row));
    history.add(events, row);
    if (done % 10_000 === 0) onRows?.(done, order.length);
  });
}

/** Places, counted through all tables, in order of time. */
function rowsInOrder(tables: readonly ReplayedTable[], untilMs = Number.POSITIVE_INFINITY) {
  const starts: number[] = [];
  let rowCount = 0;
  for (const { events } of tables) {
    starts.push(rowCount);
    rowCount += events.rowCount;
  }
  const times = new Float64Array(rowCount);
  tables.forEach(({ events }, t) => {
    times.set(events.eventMs, starts[t]);
  });
  const kept = new Uint32Array(rowCount);
  let count = 0;
  let sorted = true;
  for (let place = 0; place < rowCount; place++) {
    if (times[place] >= untilMs) continue;
    if (count > 0 && times[place] < times[kept[count - 1]]) sorted = false;
    kept[count++] = place;
  }
  const order = kept.subarray(0, count);
  if (!sorted) order.sort((a, b) => times[a] - times[b] || a - b);
  const tableOf = (place: number) => {
    let t = starts.length - 1;
    while (place < starts[t]) t--;
    return t;
  };
  return { order, tableOf, rowOf: (place: number) => place - starts[tableOf(place)] };
}

function checkBegin({ watermarkMs }: History, { events, source }: ReplayedTable, row: number): void {
  const ms = events.eventMs[row];
  if (ms >= watermarkMs) return;
  const time = (t: number) => new Date(t).toISOString();
  throw new UserError(
    `${source}: has a row of ${time(ms)}, before ${time(watermarkMs)}, where the given state of history ends; leave such rows out, or start from an earlier state`,
  );
}
