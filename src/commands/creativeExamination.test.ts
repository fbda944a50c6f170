import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createRandom } from '../core/random.ts';
import { readBanditSettings } from '../creative/settings.ts';
import { writeTestTable } from '../tables/writeTestTable.ts';
import { addCreative } from './creative.ts';

let folder: string;
let log: string;

const write = (name: string, columns: Record<string, readonly unknown[]>) =>
  writeTestTable(join(folder, name), columns);

/** What the command prints. */
async function run(...args: string[]): Promise<string> {
  const program = new Command().exitOverride();
  addCreative(program);
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  try {
    await program.parseAsync(['creative', 'examination', ...args], { from: 'user' });
    return write.mock.calls.map(([text]) => text).join('');
  } finally {
    write.mockRestore();
  }
}

const found = async (...args: string[]) => JSON.parse(await run('--data', log, '--json', ...args));
const truth = [1, 0.6, 0.3];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'creative-examination-'));
  // The best creative is mostly shown at the top, the worst mostly below, but for one row in five, whose order is random.
  const random = createRandom(3);
  const rows = Array.from({ length: 60_000 }, () => {
    const creative = random.below(6);
    const isRandom = random.next() < 0.2;
    const position = isRandom || random.next() < 0.3 ? random.below(3) : Math.floor(creative / 2);
    const click = random.next() < (0.5 - 0.07 * creative) * truth[position] ? 1 : 0;
    return { creative, isRandom, position, click };
  });
  log = await write('log.parquet', {
    ad_id: rows.map(() => 1),
    creative_id: rows.map(({ creative }) => creative),
    position: rows.map(({ position }) => position + 1),
    randomized: rows.map(({ isRandom }) => isRandom),
    placement: rows.map(() => 'feed'),
    click: rows.map(({ click }) => click),
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('limelight creative examination', () => {
  it('estimates examination where good creatives are in good positions, as settings take it', async () => {
    const { method, impressions, creatives, clicks, examination, positions } = await found();
    expect([method, impressions, creatives]).toEqual(['estimated', 60_000, 6]);
    expect(examination).toHaveLength(3);
    expect(examination[0]).toBe(1);
    expect(Math.abs(examination[1] - truth[1])).toBeLessThan(0.04);
    expect(Math.abs(examination[2] - truth[2])).toBeLessThan(0.04);
    expect(readBanditSettings({ examination }).examination).toEqual(examination);
    expect(positions.map(({ examination }: { examination: number }) => examination)).toEqual(examination);
    expect(positions.reduce((sum: number, one: { clicks: number }) => sum + one.clicks, 0)).toBe(clicks);
    const [best, second] = positions;
    expect([best.low, best.high]).toEqual([null, null]);
    expect(second.low).toBeLessThan(truth[1]);
    expect(second.high).toBeGreaterThan(truth[1]);
    // The CTRs alone take good creatives for good positions.
    expect(second.ctr / best.ctr).toBeLessThan(0.55);
  });

  it('takes CTRs over the best where the order was random, with their intervals', async () => {
    const { method, positions } = await found(
      '--randomised',
      '--where',
      'randomized=true',
      '--where',
      'placement=feed',
    );
    expect(method).toBe('randomised');
    const [best, ...others] = positions;
    for (const [i, one] of others.entries()) {
      expect(one.examination).toBeCloseTo(one.ctr / best.ctr, 12);
      const error = 1 / one.clicks - 1 / one.impressions + 1 / best.clicks - 1 / best.impressions;
      expect(Math.log(one.high / one.low)).toBeCloseTo(2 * 1.96 * Math.sqrt(error), 12);
      expect(Math.abs(one.examination - truth[i + 1])).toBeLessThan(0.06);
    }
  });

  it('prints a table, and a line to paste', async () => {
    const text = await run('--data', log);
    expect(text).toContain('60,000 impressions of 6 creatives');
    expect(text).toMatch(/^1 .* 1\.0000 +– +–$/m);
    const pasted = /^("examination": \[.*\])$/m.exec(text)?.[1];
    expect(readBanditSettings(JSON.parse(`{${pasted}}`)).examination).toHaveLength(3);
  });

  it.each([
    [['--where', 'randomized'], /--where 'randomized': expected COLUMN=VALUE/],
    [['--where', 'slot=1'], /has no column 'slot'; name it with --where/],
    [['--where', 'placement=search'], /no row has placement=search; the first has placement=feed/],
    [['--where', 'position=1'], /all impressions are in position 1, so that there is nothing to compare/],
    [['--where', 'position=2'], /position 1 of 2 has no impressions/],
    [['--position', 'slot'], /has no column 'slot'; name it with --position/],
    [['--position', 'click'], /'0' is no position/],
  ])('refuses %s', async (flags, message) => {
    await expect(found(...flags)).rejects.toThrow(message);
  });

  it('refuses positions that cannot be compared', async () => {
    const apart = await write('apart.parquet', {
      ad_id: [1, 1, 1, 1],
      creative_id: [1, 1, 2, 2],
      position: [1, 1, 2, 2],
      click: [1, 0, 1, 0],
    });
    await expect(run('--data', apart)).rejects.toThrow(/position 2 cannot be compared with position 1/);
    expect(JSON.parse(await run('--data', apart, '--randomised', '--json')).examination).toEqual([1, 1]);
    await expect(run('--data', log, '--randomised', '--clicks', 'none')).rejects.toThrow(/has no column 'none'/);
    const rare = await write('rare.parquet', {
      test: [1, 1],
      arm: [1, 1],
      position: [1, 2],
      impressions: [1000, 2000],
      clicks: [10, 0],
    });
    await expect(run('--data', rare, '--randomised')).rejects.toThrow(/position 2 has no click in 2,000 impressions/);
  });
});
