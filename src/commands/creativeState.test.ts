import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createRandom } from '../core/random.ts';
import { createBandit } from '../creative/bandit.ts';
import { armsOf, randomCounts, range } from '../creative/banditRuns.ts';
import type { Arms } from '../creative/creative.ts';
import { mergeBanditStates } from '../creative/mergeStates.ts';
import { readBanditSettings } from '../creative/settings.ts';
import type { BanditState } from '../creative/state.ts';
import { saveBandit } from '../server/heldCreatives.ts';
import { addCreative } from './creative.ts';
import { mergeStateFiles } from './creativeStates.ts';

const nowMs = Date.UTC(2026, 0, 5, 12, 10);
const windowMs = 1_800_000;
const settings = readBanditSettings();
let folder: string;
let state: string;
const place = (name: string) => join(folder, name);

/** What the command prints. */
async function run(...args: string[]): Promise<string> {
  const program = new Command().exitOverride();
  addCreative(program);
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  try {
    await program.parseAsync(['creative', ...args], { from: 'user' });
    return write.mock.calls.map(([text]) => text).join('');
  } finally {
    write.mockRestore();
  }
}

const shown = async (...args: string[]) => JSON.parse(await run('state', '--state', state, '--json', ...args));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'creative-state-'));
  // Ad a has settled on a1, b has hardly been shown, c is gone, and so is the third creative of b.
  const bandit = createBandit(armsOf(2, 3, 1), settings);
  for (let window = 10; window >= 1; window--) {
    const timeMs = nowMs - window * windowMs;
    bandit.settle(timeMs);
    bandit.add({ arm: 0, timeMs, impressions: 2000, clicks: 40 });
    bandit.add({
      arm: 1,
      timeMs,
      impressions: 2000,
      clicks: 400,
      views: 4,
      viewMs: 4 * 2500,
      revenueMicros: 1_500_000,
    });
  }
  bandit.add({ arm: 2, timeMs: nowMs - windowMs, impressions: 30, clicks: 1 });
  bandit.add({ arm: 3, timeMs: nowMs - windowMs, impressions: 20 });
  bandit.add({ arm: 4, timeMs: nowMs - windowMs, impressions: 10 });
  bandit.add({ arm: 5, timeMs: nowMs - windowMs, impressions: 50, clicks: 5 });
  const fewer: Arms = { ...armsOf(2, 2), creativeKeys: ['a0', 'a1', 'b0', 'b1'] };
  const later = createBandit(fewer, settings, bandit.save());
  later.settle(nowMs);
  state = place('state.json');
  await saveBandit(state, later);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('limelight creative state', () => {
  it('prints totals, and of each ad its creatives and whether it explores, those shown most first', async () => {
    const { ads, ...totals } = await shown();
    expect(totals).toEqual({
      ...{ at: '2026-01-05T12:00:00.000Z', windowMs, policy: 'default', lambda: 0 },
      ...{
        adCount: 3,
        creativeCount: 6,
        goneCreatives: 2,
        impressions: 40_110,
        clicks: 4406,
        revenueMicros: 15_000_000,
      },
      ...{ exploringAds: 1, exitedAds: 1 },
    });
    expect(ads.map(({ ad, explores, leader }: never) => [ad, explores, leader])).toEqual([
      ['a', false, 'a1'],
      ['b', true, 'b0'],
      ['c', null, null],
    ]);
    expect(ads[0].creatives[1]).toEqual({
      ...{ creative: 'a1', impressions: 20_000, clicks: 4000, correctedCtr: 0.2 },
      ...{ revenueMicros: 15_000_000, viewMs: 2500, lastSeen: null },
    });
    expect(ads[2].lastSeen).toBe('2026-01-05T11:30:00.000Z');
    expect(ads[1].creatives.map(({ creative, lastSeen }: never) => [creative, lastSeen])).toEqual([
      ['b2', '2026-01-05T11:30:00.000Z'],
      ['b0', null],
      ['b1', null],
    ]);
  });

  it('judges ads as a server does that begins with the state, under the policy named', async () => {
    const random = createRandom(5);
    const arms: Arms = {
      offsets: Int32Array.from(range(301), (ad) => 2 * ad),
      adKeys: range(300).map(String),
      creativeKeys: range(600).map(String),
    };
    const bandit = createBandit(arms, settings);
    for (let window = 5; window >= 0; window--) {
      const timeMs = nowMs - window * windowMs;
      bandit.settle(timeMs);
      for (const arm of range(600))
        bandit.add({ arm, timeMs, impressions: 300, clicks: random.below(3 + 8 * (arm % 5)) });
    }
    const file = place('many.json');
    await saveBandit(file, bandit);
    const policy = place('policy.json');
    await writeFile(policy, '{"exitLoss": 0.05}');
    for (const named of ['default', policy, 'ucb1']) {
      const own = named === policy ? { exitLoss: 0.05 } : { policy: named };
      const again = createBandit(arms, readBanditSettings(own), bandit.save());
      const { ads, exitedAds } = JSON.parse(
        await run('state', '--state', file, '--json', '--ads', '300', '--policy', named),
      );
      expect(exitedAds).toBe(again.stats().exited);
      for (const { ad, explores, leader, expectedLoss } of ads) {
        const standing = again.standing(Number(ad));
        expect([!explores, leader, expectedLoss]).toEqual([
          standing.hasExited,
          `${standing.leader}`,
          standing.expectedLoss,
        ]);
      }
    }
  });

  it('prints tables, of the ads or of one', async () => {
    const text = await run('state', '--state', state, '--ads', '2');
    expect(text).toContain('6 creatives of 3 ads, 2 of them gone from the catalog; as of 2026-01-05 12:00 UTC');
    expect(text).toContain('under policy default 1 ads explore, 1 show their best');
    expect(text).toMatch(/^a +2 +40,000 +4,400 +0\.11000 +a1 +0\.\d+ +no +–$/m);
    expect(text).toMatch(/^b +3 +60 .* yes +–$/m);
    expect(text).toContain('… and 1 more; --ads lists so many');
    const one = await run('state', '--state', state, '--ad', 'a', '--ads', '0');
    expect(one).toMatch(/^ad a shows its best; its leader alone is expected to lose 0\.\d+$/m);
    expect(one).toMatch(/^a1 \* +20,000 +4,000 +0\.20000 +2500 +15\.00 +–$/m);
    expect(await run('state', '--state', state, '--ad', 'c')).toMatch(/^ad c is gone$/m);
  });

  it('refuses an ad that it does not hold, and files that are no state', async () => {
    await expect(shown('--ad', 'd')).rejects.toThrow(/state '.+': holds nothing of ad 'd'/);
    await expect(shown('--policy', 'thomson')).rejects.toThrow(/--policy 'thomson': .*did you mean 'thompson'/);
    const of = (name: string) => run('state', '--state', place(name));
    await expect(of('none.json')).rejects.toThrow(/state '.+none\.json': no such file/);
    await mkdir(place('folder'));
    await expect(of('folder')).rejects.toThrow(/state '.+folder': is a folder; name a file in it/);
    const text = await readFile(state, 'utf8');
    await writeFile(place('cut.json'), text.slice(0, -4));
    await expect(of('cut.json')).rejects.toThrow(/state '.+cut\.json': .*; take a copy of an earlier time/);
    await writeFile(place('damaged.json'), text.replace('"learned":[', '"learned":[-1,'));
    await expect(of('damaged.json')).rejects.toThrow(/damaged at creative 'a0' of ad 'a'/);
  });
});

describe('limelight creative merge', () => {
  const states: string[] = [];
  const sumOf = async (): Promise<BanditState> => {
    const read = await Promise.all(
      states.map(async (file): Promise<BanditState> => JSON.parse(await readFile(file, 'utf8'))),
    );
    return read.reduce(mergeBanditStates);
  };

  beforeAll(async () => {
    for (const replica of range(3)) {
      const bandit = createBandit(armsOf(2, 3, 1, 4, 2 + replica), settings);
      bandit.settle(nowMs + replica * windowMs);
      bandit.addAll(randomCounts(createRandom(replica), bandit.arms, nowMs, 40));
      states.push(place(`replica${replica}.json`));
      await saveBandit(states[replica], bandit);
    }
  });

  it('adds states up as the library does', async () => {
    const out = place('sum/all.json');
    const sum = await sumOf();
    const creatives = sum.ads.flatMap((ad) => ad.creatives);
    const impressions = creatives.reduce((all, { totals: [n] }) => all + n, 0);
    expect(await run('merge', '--out', out, ...states)).toBe(
      `merged 3 states into ${out}: ${impressions.toLocaleString('en-US')} impressions of ${creatives.length} creatives of 5 ads\n`,
    );
    expect(JSON.parse(await readFile(out, 'utf8'))).toEqual(sum);
  });

  it('reads what is larger than memory in parts, to the same sum', async () => {
    const { ads, ...head } = await sumOf();
    for (const maxBytes of [100, 1000, 3000]) {
      const out = place('parts.json');
      await mergeStateFiles(states, out, maxBytes);
      const { ads: merged, ...mergedHead }: BanditState = JSON.parse(await readFile(out, 'utf8'));
      expect(mergedHead).toEqual(head);
      expect([...merged].sort((a, b) => (a.ad < b.ad ? -1 : 1))).toEqual(ads);
    }
  });

  it('may write over one of them', async () => {
    const sum = await sumOf();
    const copy = place('copy.json');
    await writeFile(copy, await readFile(states[0]));
    await run('merge', '--out', copy, copy, states[1], states[2]);
    expect(JSON.parse(await readFile(copy, 'utf8'))).toEqual(sum);
  });

  it('refuses what does not add up, and writes nothing', async () => {
    const out = place('refused.json');
    const merge = (...files: string[]) => run('merge', '--out', out, ...files);
    await expect(merge(states[0])).rejects.toThrow(/expected two or more states, got 1/);
    await expect(merge(states[0], states[1], states[0])).rejects.toThrow(/replica0\.json': is named twice/);
    await expect(merge(states[0], place('none.json'))).rejects.toThrow(/none\.json': no such file/);
    const { ads, ...head } = await sumOf();
    const other = place('other.json');
    await writeFile(other, JSON.stringify({ ...head, windowMs: 60_000, ads }));
    await expect(merge(states[0], other)).rejects.toThrow(/has windows of 60000 ms, '.+' of 1800000/);
    await writeFile(other, JSON.stringify({ ...head, ads: [...ads, ads[0]] }));
    await expect(merge(states[0], other)).rejects.toThrow(/other\.json': damaged at ads/);
    await expect(readFile(out)).rejects.toThrow(/ENOENT/);
    const below = join(states[0], 'sum.json');
    await expect(run('merge', '--out', below, states[0], states[1])).rejects.toThrow(/cannot be written \(ENOTDIR\)/);
  });
});
