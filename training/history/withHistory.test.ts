import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom, shuffle } from '../../src/core/random.ts';
import { saveHistory } from '../../src/history/state.ts';
import { writeHistoryFile } from '../../src/model/bundleFiles.ts';
import type { Column, ColumnBatch } from '../../src/schema/columns.ts';
import { historyColumns } from '../../src/schema/derivedFields.ts';
import { columnToJson } from '../../src/schema/jsonColumns.ts';
import { parseSchema } from '../../src/schema/parseSchema.ts';
import type { Schema } from '../../src/schema/schema.ts';
import { selectRows } from '../../src/schema/selectRows.ts';
import { openTable, type Table } from '../../src/tables/parquetReader.ts';
import { backfill } from '../backfill.ts';
import { silentReporter } from '../reporter.ts';
import { dayOf, tinyHistorySchema, tinyLog, tinySchema, writeLog } from '../tinyLog.ts';
import { type HistoryOptions, withHistory } from './withHistory.ts';

const folder = mkdtempSync(join(tmpdir(), 'history-test-'));
const schema = parseSchema(tinyHistorySchema);
const made = [...historyColumns(schema)];
const rowCount = 1200;
const rows = tinyLog(rowCount);
const times = rows.columns.get('time_ms') as { values: BigInt64Array } & Column;
let log: string;
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeAll(async () => {
  log = await write(rows);
});

let files = 0;
const write = (batch: ColumnBatch, columns: Record<string, Column> = {}) =>
  writeLog(join(folder, `${++files}.parquet`), batch, { columns, rowGroupRows: 500 });

/** All that history makes for the rows of a table, a JSON text a row. */
async function seenIn(table: Table): Promise<string[]> {
  const seen: string[] = [];
  for await (const batch of table.scan({ columns: made, batchRows: 300 })) {
    const all = Array.from({ length: batch.rowCount }, (_, row) => row);
    const columns = made.map((name) => columnToJson(batch.columns.get(name) as Column, all));
    for (const row of all) seen.push(JSON.stringify(columns.map((values) => values[row])));
  }
  return seen;
}

async function seen(file: string, more: Partial<HistoryOptions> = {}): Promise<string[]> {
  const { tables } = await withHistory([await openTable(file)], { schema, reporter: silentReporter, ...more });
  return seenIn(tables[0]);
}

const firstRow = (day: number) => times.values.findIndex((time) => Number(time) >= dayOf(day));
const rowsFrom = (from: number, to: number) =>
  selectRows(
    rows,
    Int32Array.from({ length: to - from }, (_, i) => from + i),
  );

describe('replaying a log', () => {
  it('lets no row see what comes after it, nor its own outcome', async () => {
    const before = await seen(log);
    const cut = firstRow(4);
    expect(await seen(await write(rowsFrom(0, cut)))).toEqual(before.slice(0, cut));

    const order = Int32Array.from({ length: rowCount - cut }, (_, i) => cut + i);
    shuffle(order, createRandom(3));
    const shuffled = selectRows(rows, Int32Array.from([...Array(cut).keys(), ...order]));
    const other = await seen(await write(shuffled, { time_ms: times }));
    expect(other.slice(0, cut)).toEqual(before.slice(0, cut));
    expect(other.slice(cut)).not.toEqual(before.slice(cut));

    const click = (rows.columns.get('click') as { values: BigInt64Array }).values.slice();
    click[cut] = 1n - click[cut];
    const flipped = await seen(await write(rows, { click: { type: 'integer', rowCount, values: click } }));
    expect(flipped.slice(0, cut + 1)).toEqual(before.slice(0, cut + 1));
    expect(flipped.slice(cut + 1)).not.toEqual(before.slice(cut + 1));
  });

  it('goes by time, whatever the order of the rows', async () => {
    const order = Int32Array.from({ length: rowCount }, (_, row) => row);
    shuffle(order, createRandom(4));
    const [inOrder, mixed] = [await seen(log), await seen(await write(selectRows(rows, order)))];
    expect(mixed).toEqual(Array.from(order, (row) => inOrder[row]));
  });

  it('lets rows of one time see nothing of each other', async () => {
    const values = new BigInt64Array(rowCount).fill(BigInt(dayOf(1)));
    const once = await seen(await write(rows, { time_ms: { type: 'integer', rowCount, values } }));
    const first = await seen(await write(rowsFrom(0, 1)));
    expect(new Set(once)).toEqual(new Set(first));
  });

  it('says which row of which file has a label or number that cannot be', async () => {
    const click = (rows.columns.get('click') as { values: BigInt64Array }).values.slice();
    click[700] = 2n;
    const labelled = await write(rows, { click: { type: 'integer', rowCount, values: click } });
    await expect(seen(labelled)).rejects.toThrow(
      `label 'click' (column 'click'): expected 0 or 1, got 2 in row 700 of ${labelled}`,
    );
    const weight = new Float64Array(rowCount).fill(1);
    weight[900] = Number.POSITIVE_INFINITY;
    const weighed = await write(rows, { weight: { type: 'number', rowCount, values: weight } });
    await expect(seen(weighed)).rejects.toThrow(`expected finite numbers, got Infinity in row 900 of ${weighed}`);
    const time = (times.values as BigInt64Array).slice();
    const valid = new Uint8Array(rowCount).fill(1);
    valid[600] = 0;
    const timeless = await write(rows, { time_ms: { type: 'integer', rowCount, values: time, valid } });
    await expect(seen(timeless)).rejects.toThrow(`expected a time in every row, got none in row 600 of ${timeless}`);
  });

  it('replays several tables as one', async () => {
    const odd = Int32Array.from({ length: rowCount / 2 }, (_, i) => 2 * i + 1);
    const even = odd.map((row) => row - 1);
    const parts = [await write(selectRows(rows, odd)), await write(selectRows(rows, even))];
    const opened = await Promise.all(parts.map((file) => openTable(file)));
    const { tables } = await withHistory(opened, { schema, reporter: silentReporter });
    const all = await seen(log);
    expect(await seenIn(tables[0])).toEqual(Array.from(odd, (row) => all[row]));
    expect(await seenIn(tables[1])).toEqual(Array.from(even, (row) => all[row]));
  });

  it('goes on from a state as if it had not stopped', async () => {
    const cut = firstRow(6);
    const early = await openTable(await write(rowsFrom(0, cut)));
    const { history } = await withHistory([early], { schema, reporter: silentReporter, keepsState: true });
    const state = join(folder, 'early.state');
    await writeHistoryFile(state, saveHistory(history as NonNullable<typeof history>));
    const late = await write(rowsFrom(cut, rowCount));
    expect(await seen(late, { from: state })).toEqual((await seen(log)).slice(cut));
    await expect(seen(log, { from: state })).rejects.toThrow('where the given state of history ends');
  });

  it('makes labels as late as it is told, where they are not later anyway', async () => {
    const later = (delay: string): Schema => ({
      ...schema,
      labels: schema.labels.map((label) => ({ ...label, delay })),
      history: { ...schema.history, numbers: [{ name: 'weight', column: 'weight', delay }] },
    });
    const hour = await seen(log, { labelDelay: '1h' });
    expect(hour).toEqual(await seen(log, { schema: later('1h') }));
    expect(hour).not.toEqual(await seen(log));
    expect(await seen(log, { schema: later('1h'), labelDelay: '10m' })).toEqual(hour);
  });

  it('leaves tables alone where the schema has no history', async () => {
    const tables = [await openTable(log)];
    const plain = { schema: parseSchema(tinySchema), reporter: silentReporter };
    expect((await withHistory(tables, plain)).tables).toEqual(tables);
    await expect(withHistory(tables, { ...plain, labelDelay: '1h' })).rejects.toThrow('no sequences and no counters');
  });

  it('says which labels a table lacks: its rows count as impressions without them', async () => {
    const unlabelled = await writeLog(join(folder, 'unlabelled.parquet'), rows, { without: ['click', 'conversion'] });
    const warnings: string[] = [];
    await seen(unlabelled, { reporter: { ...silentReporter, warn: (text) => warnings.push(text) } });
    expect(warnings).toEqual([expect.stringContaining("has no 'click' and 'conversion'")]);
  });
});

describe('backfill', () => {
  const run = (name: string, more: Partial<Parameters<typeof backfill>[0]> = {}) =>
    backfill({ schema, data: log, out: join(folder, name), reporter: silentReporter, ...more });

  it('writes all rows and columns, and what a replay computes, bit for bit', async () => {
    const out = join(folder, 'all');
    expect(await run('all')).toEqual({ rows: rowCount, files: 1, columns: made });
    const table = await openTable(out);
    expect(table.columns.map(({ name }) => name)).toEqual([...rows.columns.keys(), ...made]);
    const fileTypes = new Map(table.columns.map(({ name, fileType }) => [name, fileType]));
    expect(fileTypes.get('user_stats')).toBe('LIST of FLOAT');
    expect(fileTypes.get('recent.adId')).toBe('LIST of INT64');
    expect(await seenIn(table)).toEqual(await seen(log));
    for await (const batch of table.scan({ columns: ['user_id', 'tags'] }))
      for (const name of ['user_id', 'tags']) {
        const all = Array.from({ length: batch.rowCount }, (_, row) => row);
        const from = batch.origin?.firstRow ?? 0;
        const given = columnToJson(
          rows.columns.get(name) as Column,
          all.map((row) => from + row),
        );
        expect(columnToJson(batch.columns.get(name) as Column, all)).toEqual(given);
      }
  });

  it('keeps folders, stops where it is told, and writes a state to go on from', async () => {
    const days = join(folder, 'days');
    const [a, b, c] = [0, firstRow(3), firstRow(7)];
    await writeLog(join(days, 'part=x', '0.parquet'), rowsFrom(a, b));
    await writeLog(join(days, 'part=y', '0.parquet'), rowsFrom(b, c));
    const state = join(folder, 'until.state');
    const summary = await run('until', { data: days, untilMs: dayOf(5), state });
    expect(summary).toMatchObject({ rows: firstRow(5), files: 2 });
    const table = await openTable(join(folder, 'until'));
    expect(table.files).toEqual(['part=x', 'part=y'].map((part) => join(folder, 'until', part, '0.parquet')));
    const all = await seen(log);
    expect(await seenIn(table)).toEqual(all.slice(0, firstRow(5)));
    const rest = await write(rowsFrom(firstRow(5), rowCount));
    expect(await seen(rest, { from: state })).toEqual(all.slice(firstRow(5)));
  });

  it('makes only the columns that a table lacks, unless a state or a delay is given', async () => {
    const noise = { type: 'integer', rowCount, values: new Int32Array(rowCount) } as const;
    const zeros = {
      type: 'list',
      rowCount,
      offsets: new Int32Array(rowCount + 1),
      items: { ...noise, rowCount: 0 },
    } as const;
    const part = await write(rows, { 'recent.gap': zeros });
    const at = made.indexOf('recent.gap');
    const gaps = (lines: string[]) => lines.map((line) => JSON.parse(line)[at]);
    expect(gaps(await seen(part)).flat()).toEqual([]);
    expect(gaps(await seen(part, { labelDelay: '1ms' }))).toEqual(gaps(await seen(log)));
  });

  it('refuses what it cannot do, and leaves nothing behind', async () => {
    const cases: [Partial<Parameters<typeof backfill>[0]>, string][] = [
      [{ schema: parseSchema(tinySchema) }, 'nothing to backfill'],
      [{ schema: { ...schema, time: undefined } }, 'add "time"'],
      [{ untilMs: dayOf(-1) }, 'no rows before that time'],
      [{ state: log }, 'exists; name another'],
      [{ history: join(folder, 'nowhere') }, 'no state of history'],
    ];
    for (const [more, message] of cases) await expect(run('never', more), message).rejects.toThrow(message);
    await expect(run('all')).rejects.toThrow('not empty');
    expect(await run('never')).toMatchObject({ rows: rowCount });
  });
});

describe('a state', () => {
  it('of another schema, cut short or changed is refused', async () => {
    const state = join(folder, 'whole.state');
    await backfill({
      schema,
      data: log,
      out: join(folder, 'whole'),
      state,
      reporter: silentReporter,
      untilMs: dayOf(1),
    });
    const late = await write(rowsFrom(firstRow(1), rowCount));
    const other = parseSchema({ ...tinyHistorySchema, history: { ...tinyHistorySchema.history, session: '10m' } });
    await expect(seen(late, { from: state, schema: other })).rejects.toThrow(state);
    const bytes = readFileSync(state);
    const refused = async (content: Uint8Array) => {
      const bad = join(folder, 'bad.state');
      writeFileSync(bad, content);
      await expect(seen(late, { from: bad })).rejects.toThrow(bad);
    };
    await refused(bytes.subarray(0, bytes.length - 1));
    const changed = Uint8Array.from(bytes);
    changed[changed.length >> 1] ^= 1;
    await refused(changed);
  });
});
