import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeTestTable } from '../tables/writeTestTable.ts';
import { type CreativeDays, type DayColumns, readDays } from './creativeDays.ts';
import { decayReport } from './creativeDecay.ts';

let folder: string;
let logs = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'creative-days-'));
});
afterAll(() => rm(folder, { recursive: true }));

const DAY = Date.UTC(2025, 0, 6);
const DAY_MS = 86_400_000;

/** What is read of a table of these columns, one ad's if it does not say which. */
async function read(columns: Record<string, readonly unknown[]>, names: DayColumns = {}): Promise<CreativeDays> {
  const path = join(folder, `log${logs++}.parquet`);
  const rowCount = Object.values(columns)[0].length;
  const all = { ad_id: new Array(rowCount).fill(1), click: new Array(rowCount).fill(0), ...columns };
  await writeTestTable(path, all);
  return (await readDays([path], names)) as CreativeDays;
}

describe('reading what was shown by day', () => {
  it('adds up rows of one creative, day and position', async () => {
    const { cells, days } = await read({
      creative_id: [8, 9, 8, 8, 8],
      time_ms: [0, 1, 2, DAY_MS, 3].map((ms) => DAY + ms),
      position: [1, 1, 1, 1, 2],
      impressions: [10, 20, 30, 40, 50],
      click: [1, 2, 3, 4, 5],
    });
    expect([...cells.items]).toEqual([0, 1, 0, 0]);
    expect([...days].map((day) => day - DAY / DAY_MS)).toEqual([0, 0, 1, 0]);
    expect([...cells.positions]).toEqual([1, 1, 1, 2]);
    expect([...cells.impressions]).toEqual([40, 20, 40, 50]);
    expect([...cells.clicks]).toEqual([4, 2, 4, 5]);
  });

  it('counts how often users have seen a creative, of those rows that have a user', async () => {
    const user_id = ['a', null, 'a', null, 'b', 'a', null, null];
    const creative_id = [7, 7, 7, 7, 7, 8, 7, 7];
    const time_ms = [0, 0, 0, 0, 0, 0, 1, 1].map((day) => DAY + day * DAY_MS);
    const { users } = await read({ creative_id, time_ms, user_id });
    expect([...(users?.known ?? [])]).toEqual([3, 1, 0]);
    expect([...(users?.seenBefore ?? [])]).toEqual([1, 0, 0]);
    expect((await read({ creative_id, time_ms })).users).toBeUndefined();
  });

  it.each([
    ['a column that is not there', { time: 'when' }, /no column 'when'; name it with --time; it has 'ad_id', 'click'/],
    ['a position that is none', { position: 'click' }, /'0' is no position, from 1 to 1000; name .* with --position/],
    ['a time before 1970', { time: 'long_ago' }, /column 'long_ago': has a time -1 days from 1970/],
    ['a time after 2149', { time: 'far_off' }, /column 'far_off': has a time 65536 days from 1970; .* with --time/],
  ])('refuses %s', async (_, names, message) => {
    const columns = { creative_id: [1], time_ms: [DAY], long_ago: ['1969-12-31'], far_off: ['2149-06-07'] };
    await expect(read(columns, names)).rejects.toThrow(message);
  });
});

describe('the report of decay', () => {
  /** Creative 0 for `days` days, falling after half of them, creative 1 for the first two. */
  async function logOf(days: number, user?: (day: number) => string | null) {
    const rows = [
      ...Array.from({ length: days }, (_, day) => ({ day, creative: 0 })),
      ...[0, 1].map((day) => ({ day, creative: 1 })),
    ];
    return read({
      creative_id: rows.map(({ creative }) => creative),
      time_ms: rows.map(({ day }) => DAY + day * DAY_MS),
      impressions: rows.map(() => 100_000),
      click: rows.map(({ day }) => (day < days / 2 ? 10_000 : 2000)),
      ...(user && { user_id: rows.map(({ day }) => user(day)) }),
    });
  }
  const factNames = (report: ReturnType<typeof decayReport>) =>
    'why' in report ? [] : report.warnings[0].facts.map(({ name }) => name);

  it('says which days it covers, and how many creatives have enough of them', async () => {
    expect(decayReport(await logOf(6))).toMatchObject({ creatives: 2, judged: 1, daysLeast: 6, warnings: [{}] });
    const short = decayReport(await logOf(5));
    expect(short).toMatchObject({ creatives: 2, judged: 0, warnings: [] });
    expect('why' in short ? [] : short.days).toEqual(['06', '07', '08', '09', '10'].map((day) => `2025-01-${day}`));
  });

  it('has an effect of frequency where each day has users that are known', async () => {
    expect(factNames(decayReport(await logOf(8, () => 'a')))).toContain('of frequency');
    expect(factNames(decayReport(await logOf(8, (day) => (day === 3 ? null : 'a'))))).not.toContain('of frequency');
    expect(factNames(decayReport(await logOf(8)))).not.toContain('of frequency');
  });
});
