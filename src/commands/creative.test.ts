import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createRandom } from '../core/random.ts';
import { writeTestTable } from '../tables/writeTestTable.ts';
import { addCreative } from './creative.ts';
import { replayedPolicies } from './creativePolicies.ts';

let folder: string;
let tests: string;
let log: string;

const write = (name: string, columns: Record<string, readonly unknown[]>) =>
  writeTestTable(join(folder, name), columns);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'creative-'));
  const random = createRandom(1);
  const arms = Array.from({ length: 40 }, (_, i) => ({ test: `t${i >> 2}`, arm: i % 4, impressions: 1500 }));
  tests = await write('tests.parquet', {
    test: arms.map(({ test }) => test),
    arm: arms.map(({ arm }) => arm),
    impressions: arms.map(({ impressions }) => impressions),
    clicks: arms.map(() => 15 + random.below(60)),
  });
  // Two creatives over 14 days, of which the first falls from 12 % to 3 % in the second week; the lower slot gets half of the clicks.
  const rows = Array.from({ length: 14 * 800 }, (_, i) => ({
    day: Math.floor(i / 800),
    creative: i % 2,
    slot: 1 + ((i >> 1) % 2),
  }));
  log = await write('log.parquet', {
    ad_id: rows.map(() => 7),
    creative_id: rows.map(({ creative }) => 70 + creative),
    time_ms: rows.map(({ day }, i) => Date.UTC(2025, 0, 6 + day) + (i % 800) * 1000),
    position: rows.map(({ slot }) => slot),
    user_id: rows.map((_, i) => i % 97),
    click: rows.map(({ day, creative, slot }) =>
      random.next() < (creative === 0 && day >= 7 ? 0.03 : 0.12) / slot ? 1 : 0,
    ),
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What the last command said on the way. */
let said = '';

/** What the command prints. */
async function run(...args: string[]): Promise<string> {
  const program = new Command().exitOverride();
  addCreative(program);
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  const quiet = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  try {
    await program.parseAsync(['creative', ...args], { from: 'user' });
    return write.mock.calls.map(([text]) => text).join('');
  } finally {
    said = quiet.mock.calls.map(([text]) => text).join('');
    write.mockRestore();
    quiet.mockRestore();
  }
}

const replayed = async (...args: string[]) => JSON.parse(await run('replay', '--data', tests, '--json', ...args));

describe('limelight creative replay', () => {
  it('prints each policy in the order asked for, with intervals, the same for the same seed', async () => {
    const result = await replayed('--policy', 'default,ucb1,random', '--seed', '5');
    expect(result).toMatchObject({ tests: 10, arms: 40, impressions: 60_000, seed: 5, batch: 100 });
    expect(result.policies.map(({ policy }: { policy: string }) => policy)).toEqual(['default', 'ucb1', 'random']);
    for (const { clicks, regret, bestArmShare, exposuresToExit, interval } of result.policies) {
      for (const [value, [low, high]] of [
        [clicks, interval.clicks],
        [regret, interval.regret],
        [bestArmShare, interval.bestArmShare],
      ]) {
        expect(low).toBeLessThanOrEqual(value);
        expect(high).toBeGreaterThanOrEqual(value);
      }
      expect(exposuresToExit === null).toBe(interval.exposuresToExit === null);
    }
    const [ours, , random] = result.policies;
    expect(ours.regret).toBeLessThan(random.regret);
    expect(random.bestArmShare).toBeCloseTo(0.25, 1);
    expect(random.exposuresToExit).toBeNull();
    expect(await replayed('--policy', 'default,ucb1,random', '--seed', '5')).toEqual(result);
    expect((await replayed('--policy', 'random', '--seed', '6')).policies[0].clicks).not.toBe(random.clicks);
  });

  it('tells on the way how much of a policy has been played', async () => {
    let nowMs = 0;
    const clock = vi.spyOn(Date, 'now').mockImplementation(() => (nowMs += 4000));
    try {
      await run('replay', '--data', tests, '--policy', 'random', '--batch', '1000');
    } finally {
      clock.mockRestore();
    }
    expect(said).toMatch(/^playing random\nplaying random [1-9]\d?% · \d+ s left\n/);
  });

  it('plays every policy that it names, and prints a table', async () => {
    const text = await run('replay', '--data', tests, '--policy', replayedPolicies.join(','), '--batch', '500');
    for (const name of replayedPolicies) expect(text).toMatch(new RegExp(`^${name} `, 'm'));
    expect(text).toContain('10 tests, 40 arms, 60,000 impressions');
  });

  it('takes settings, under which ours may not leave exploration, or at once', async () => {
    const settings = join(folder, 'settings.json');
    await writeFile(settings, '{"exit": false}');
    const flags = ['--policy', 'default,default-no-exit', '--settings', settings];
    const [first, second] = (await replayed(...flags)).policies;
    expect({ ...second, policy: 'default' }).toEqual(first);
    expect(first.exitedShare).toBe(0);
    await writeFile(settings, '{"exitLoss": 1, "exitBand": 1000, "exitWindows": 0}');
    const [ours] = (await replayed('--policy', 'default', '--settings', settings)).policies;
    expect(ours.exitedShare).toBe(1);
  });

  it.each([
    ['default,thomson', /there is no policy 'thomson' to replay; did you mean 'thompson'\? there are default, ucb1/],
    ['linucb', /there is no policy 'linucb'.*linucb chooses by a context/],
    ['ucb1,ucb1', /policy 'ucb1' is named twice/],
    ['ucb1,,random', /expected names with commas between/],
  ])('refuses the policies %s', async (names, message) => {
    await expect(run('replay', '--data', tests, '--policy', names)).rejects.toThrow(message);
  });

  it.each([
    ['[1]', /expected an object/],
    ['{', /JSON/],
    ['{"epsilon": 0}', /epsilon is 0/],
    ['{"epsilom": 0.1}', /did you mean 'epsilon'/],
    ['{"policy": "ucb1"}', /policies are named by --policy/],
  ])('refuses the settings %s', async (text, message) => {
    const settings = join(folder, 'wrong.json');
    await writeFile(settings, text);
    await expect(run('replay', '--data', tests, '--settings', settings)).rejects.toThrow(message);
  });
});

describe('limelight creative report', () => {
  it('writes a page with exploration curves, and says where there is no time to see decay by', async () => {
    const out = join(folder, 'report.html');
    await run('report', '--data', tests, '--out', out, '--policy', 'default,random');
    const page = await readFile(out, 'utf8');
    for (const text of ['Cumulative regret', 'Exposure on the best creative', 'The rows have no time'])
      expect(page).toContain(text);
    expect(page).not.toMatch(/https?:|<script/);
  });

  it('warns of the creative of an impression log that has worn out, with the evidence', async () => {
    const out = join(folder, 'decay.html');
    await run('report', '--data', log, '--out', out, '--policy', 'default');
    const page = await readFile(out, 'utf8');
    expect(page).toContain('1 of 2 creatives has fallen');
    expect(page).toMatch(/<h3><bdi>70<\/bdi> <small>ad <bdi>7<\/bdi>/);
    expect(page).toMatch(/since<\/dt><dd>2025-01-1[1-4]/);
    // The lower slot is looked at half as much, which is taken out of the rates.
    const examined = /looked at: 1\.00, (0\.\d\d)/.exec(page)?.[1];
    expect(Math.abs(Number(examined) - 0.5)).toBeLessThan(0.08);
    expect(page).toMatch(/of frequency<\/dt>/);
  });

  it('refuses columns that are not there, times that are none, and a folder that is not there', async () => {
    const report = (...args: string[]) => run('report', '--data', log, '--out', join(folder, 'x.html'), ...args);
    await expect(report('--time', 'when')).rejects.toThrow(/has no column 'when'; name it with --time/);
    await expect(report('--position', 'click')).rejects.toThrow(/'0' is no position/);
    const bad = await write('dates.parquet', {
      ad_id: [1, 1],
      creative_id: [1, 2],
      click: [1, 0],
      date: ['soon', 'x'],
    });
    await expect(run('report', '--data', bad, '--out', join(folder, 'x.html'))).rejects.toThrow(/'soon' is no date/);
    await expect(run('report', '--data', tests, '--out', join(folder, 'none', 'x.html'))).rejects.toThrow(
      /cannot be written \(ENOENT\)/,
    );
  });

  it('refuses a page that cannot be written before it plays anything', async () => {
    const report = (out: string) => run('report', '--data', join(folder, 'not there'), '--out', out);
    await expect(report(folder)).rejects.toThrow(/is a folder; name a file in it/);
    await expect(report(join(folder, 'none', 'x.html'))).rejects.toThrow(/cannot be written \(ENOENT\)/);
    await expect(report(join(folder, 'x.html'))).rejects.toThrow(/not there/);
  });

  it('names the default policies in its help as they are typed', () => {
    const program = new Command();
    addCreative(program);
    const [creative] = program.commands;
    for (const name of ['replay', 'report']) {
      const help = creative.commands.find((command) => command.name() === name)?.helpInformation() ?? '';
      expect(help.replaceAll(/\s+/g, ' ')).toContain('default: default,default-no-exit,thompson,kl-ucb,ucb1,random)');
    }
  });
});
