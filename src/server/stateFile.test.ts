import { existsSync } from 'node:fs';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { UserError } from '../core/errors.ts';
import { createRandom } from '../core/random.ts';
import { createBandit } from '../creative/bandit.ts';
import { randomCounts, range } from '../creative/banditRuns.ts';
import { readBanditSettings } from '../creative/settings.ts';
import type { BanditState } from '../creative/state.ts';
import { saveBandit } from './heldCreatives.ts';
import { readStateFile } from './stateFile.ts';

const nowMs = 1_700_000_000_000;
const folder = await mkdtemp(path.join(tmpdir(), 'limelight-state-'));
const file = path.join(folder, 'state.json');

/** A bandit of as many ads, one of whose ids looks like two lines. */
function banditOf(ads: number, counts = 2 * ads) {
  const arms = {
    offsets: Int32Array.from(range(ads + 1)),
    adKeys: range(ads).map((ad) => (ad === 1 ? 'two\u2028"lines",\n]}' : `${ad}`)),
    creativeKeys: range(ads).map((ad) => `${ad}`),
  };
  const bandit = createBandit(arms, readBanditSettings());
  bandit.settle(nowMs);
  bandit.addAll(randomCounts(createRandom(ads), arms, nowMs, counts));
  return bandit;
}

describe('a state file', () => {
  it.each([1, 99, 450, 1500])(
    'of %i ads is one JSON value, written and read in lines that are no longer than they must',
    async (ads) => {
      const bandit = banditOf(ads, 20 * ads);
      await saveBandit(file, bandit);
      const state: BanditState = bandit.save();
      expect(state.ads.length).toBe(ads);
      const text = await readFile(file, 'utf8');
      expect(JSON.parse(text)).toEqual(state);
      const lengths = text.split('\n').map((line) => line.length);
      expect(Math.max(...lengths)).toBeLessThanOrEqual(2 ** 16 + 1);
      const ofAds = lengths.slice(1, -2);
      for (const [i, length] of ofAds.slice(1).entries()) expect(ofAds[i] + length).toBeGreaterThan(2 ** 16);
      expect(ofAds.length > 1).toBe(ads >= 450);
      expect(await readStateFile(file, 'state')).toEqual(state);
    },
  );

  it('of nothing, or in other lines, is read as well', async () => {
    const empty = banditOf(3, 0);
    await saveBandit(file, empty);
    expect(await readStateFile(file, 'state')).toEqual(empty.save());
    const state = banditOf(5).save();
    for (const indent of [undefined, 2]) {
      await writeFile(file, JSON.stringify(state, null, indent));
      expect(await readStateFile(file, 'state')).toEqual(state);
    }
  });

  it('that is cut off anywhere is refused', async () => {
    await saveBandit(file, banditOf(450, 9000));
    const text = await readFile(file, 'utf8');
    const lineEnds = [...text.matchAll(/\n/g)].map(({ index }) => index);
    expect(lineEnds.length).toBeGreaterThan(3);
    for (const length of [0, 20, ...lineEnds.slice(0, -1).flatMap((end) => [end - 1, end, end + 1]), text.length - 2]) {
      await writeFile(file, text.slice(0, length));
      const read = readStateFile(file, 'state.json');
      await expect(read).rejects.toThrow(UserError);
      await expect(read).rejects.toThrow(/^state\.json: .*; take a copy of an earlier time$/);
    }
  });

  it('of an ad whose creatives fill more than a line is whole', async () => {
    const creatives = range(1200);
    const arms = { offsets: Int32Array.of(0, 1200), adKeys: ['ad'], creativeKeys: creatives.map(String) };
    const bandit = createBandit(arms, readBanditSettings());
    bandit.settle(nowMs);
    for (const arm of creatives) bandit.add({ arm, timeMs: nowMs, impressions: 1 });
    await saveBandit(file, bandit);
    expect((await readFile(file)).length).toBeGreaterThan(2 ** 16);
    expect(await readStateFile(file, 'state')).toEqual(bandit.save());
  });

  it('is written into folders that are made for it, and not where there can be none', async () => {
    const deep = path.join(folder, 'a', 'b', 'state.json');
    await saveBandit(deep, banditOf(1));
    expect(await readStateFile(deep, 'state')).toHaveProperty('ads');
    for (const nowhere of [path.join(file, 'state.json'), ...(existsSync('/proc') ? ['/proc/none/a/state.json'] : [])])
      await expect(saveBandit(nowhere, banditOf(1))).rejects.toThrow(/cannot be written/);
  });
});
