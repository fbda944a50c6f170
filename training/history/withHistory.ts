import { UserError } from '../../src/core/errors.ts';
import { createHistory } from '../../src/history/createHistory.ts';
import type { History } from '../../src/history/history.ts';
import { createHistoryPlan, type HistoryPlan } from '../../src/history/historyPlan.ts';
import { loadHistory } from '../../src/history/state.ts';
import { readHistoryFile } from '../../src/model/bundleFiles.ts';
import { durationMs, historyColumns } from '../../src/schema/derivedFields.ts';
import type { Schema } from '../../src/schema/schema.ts';
import type { Table } from '../../src/tables/parquetReader.ts';
import { withColumns } from '../../src/tables/withColumns.ts';
import type { Reporter } from '../reporter.ts';
import { HistoryBlocks } from './historyBlocks.ts';
import { readEvents } from './readEvents.ts';
import { type ReplayedTable, replay } from './replay.ts';

export interface HistoryOptions {
  readonly schema: Schema;
  readonly reporter: Reporter;
  /** A state to begin with, alone or in a bundle; nothing is known at first where absent. */
  readonly from?: string;
  /** Labels and numbers are known no earlier than so long after the impression: `10m`. */
  readonly labelDelay?: string;
  /** Rows from this time on are left out. */
  readonly untilMs?: number;
  /** Whether the state after the last row is wanted. */
  readonly keepsState?: boolean;
  /** Whether to compute columns that a table has already, as `from` and `labelDelay` do. */
  readonly recompute?: boolean;
}

export interface WithHistory {
  readonly tables: readonly Table[];
  /** After the last row; undefined where the schema has no history, or nothing had to be replayed. */
  readonly history?: History;
}

/**
 * Tables with the columns that sequences and counters read. They are computed by replaying the rows of all tables together, in order
 * of time; a table that `limelight backfill` wrote has them already.
 *
 * @throws UserError if the schema names no time, the state is damaged or of another schema, or rows lie before its end
 */
export async function withHistory(tables: readonly Table[], options: HistoryOptions): Promise<WithHistory> {
  const { schema, reporter, from, labelDelay, untilMs, keepsState = false } = options;
  const recompute = options.recompute ?? (from !== undefined || labelDelay !== undefined);
  const plan = createHistoryPlan(labelDelay === undefined ? schema : delayed(schema, labelDelay));
  if (plan === undefined) {
    if (recompute)
      throw new UserError(
        `schema '${schema.name}' has no sequences and no counters, so no history to compute; add some, or leave the option out`,
      );
    return { tables };
  }
  const lacking = tables.map((table) => columnsToMake(schema, table, recompute));
  if (!keepsState && lacking.every(({ length }) => length === 0)) return { tables };
  const history = await begin(plan, from, labelDelay);
  const replayed: ReplayedTable[] = [];
  for (const [t, table] of tables.entries()) {
    const events = await readEvents(table, schema, plan, reporter);
    const blocks = lacking[t].length > 0 ? new HistoryBlocks(plan, table.rowCount) : undefined;
    replayed.push({ events, blocks, source: table.files[0] });
  }
  replay(history, replayed, { untilMs, onRows: (done, all) => reporter.progress('history', done, all) });
  const { keys, bytes, events, evicted } = history.stats();
  reporter.line(
    `history: ${events} impressions, ${keys} keys in ${Math.ceil(bytes / 2 ** 20)} MB${evicted > 0 ? `; ${evicted} keys had to go for others: see maxKeys and maxPairs` : ''}`,
  );
  const decorated = tables.map((table, t) => {
    const { blocks } = replayed[t];
    if (blocks === undefined) return table;
    const make = ({ rowCount }: { rowCount: number }, firstRow: number) => blocks.columns(firstRow, rowCount);
    return withColumns(table, { columns: lacking[t], reads: [], make });
  });
  return { tables: decorated, history };
}

function columnsToMake(schema: Schema, table: Table, recompute: boolean) {
  const made = historyColumns(schema);
  const has = new Set(recompute ? [] : table.columns.map(({ name }) => name));
  return schema.fields
    .filter(({ name }) => made.has(name) && !has.has(name))
    .map(({ name, kind }) => ({ name, type: kind === 'vector' ? 'list of number' : 'list of integer' }) as const);
}

/** A schema whose outcomes come later. */
function delayed(schema: Schema, least: string): Schema {
  const later = <T extends { delay?: string }>(value: T): T =>
    durationMs(value.delay ?? '1ms') >= durationMs(least) ? value : { ...value, delay: least };
  const { history = {} } = schema;
  const numbers = history.numbers?.map(later);
  return { ...schema, labels: schema.labels.map(later), history: { ...history, ...(numbers && { numbers }) } };
}

async function begin(plan: HistoryPlan, from: string | undefined, labelDelay: string | undefined): Promise<History> {
  if (from !== undefined && labelDelay !== undefined)
    throw new UserError(
      'a state of history has the delays it was made with; give --history or --label-delay, and with the latter all rows that matter',
    );
  return from === undefined ? createHistory(plan) : loadHistory(plan, await readHistoryFile(from), from);
}
