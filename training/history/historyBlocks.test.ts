import { expect, it } from 'vitest';
import { createHistoryPlan, type HistoryPlan } from '../../src/history/historyPlan.ts';
import type { Column } from '../../src/schema/columns.ts';
import { columnToJson } from '../../src/schema/jsonColumns.ts';
import { parseSchema } from '../../src/schema/parseSchema.ts';
import { HistoryBlocks } from './historyBlocks.ts';

const schema = parseSchema({
  name: 'blocks',
  labels: [{ name: 'click', column: 'click' }],
  time: 'time_ms',
  fields: [
    { name: 'user', kind: 'id', scope: 'request' },
    { name: 'stats', kind: 'counter', by: ['user'], values: ['count', 'sinceLast'] },
    { name: 'recent', kind: 'sequence', by: 'user', length: 2, items: ['user'], gapSize: 4 },
  ],
});

it('gives any stretch of rows as columns, also over the ends of blocks', () => {
  const rowCount = 140_000;
  const blocks = new HistoryBlocks(createHistoryPlan(schema) as HistoryPlan, rowCount);
  const eventsOf = (row: number) => row % 3;
  for (let row = 0; row < rowCount; row++) {
    const [to, at] = [blocks.blockOf(row), blocks.rowIn(row)];
    to.counters[0].set([row, -row], 2 * at);
    const { counts, items, valid, gaps } = to.sequences[0];
    counts[at] = eventsOf(row);
    for (let i = 0; i < counts[at]; i++) {
      items[0].set([row, i], 2 * (2 * at + i));
      valid[0][2 * at + i] = 1;
      gaps[2 * at + i] = (row + i) % 48;
    }
  }
  for (const [from, count] of [
    [0, 5],
    [65_530, 12],
    [65_536, 1],
    [131_000, 9000],
    [1000, 135_000],
  ]) {
    const columns = blocks.columns(from, count);
    const picked = [0, 1, 2, 5, 6, count >> 1, count - 1].filter((row) => row < count);
    const of = (name: string) => columnToJson(columns.get(name) as Column, picked);
    const rows = picked.map((row) => from + row);
    const events = (value: (row: number, i: number) => unknown) =>
      rows.map((row) => Array.from({ length: eventsOf(row) }, (_, i) => value(row, i)));
    expect(of('stats')).toEqual(rows.map((row) => [row, -row]));
    const key = (row: number, i: number) => String(BigInt(row) + (BigInt(i) << 32n));
    expect(of('recent.user').map((keys) => (keys as unknown[]).map(String))).toEqual(events(key));
    expect(of('recent.gap')).toEqual(events((row, i) => (row + i) % 48));
  }
});
