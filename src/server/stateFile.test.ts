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
  it.each([1, 99, 100, 101, 450])('of %i ads is one JSON value, written and read in lines', async (ads) => {
    const bandit = banditOf(ads, 20 * ads);
    await saveBandit(file, bandit);
    const state: BanditState = bandit.save();
    expect(state.ads.length).toBe(ads);
    const text = await readFile(file, 'utf8');
    expect(JSON.parse(text)).toEqual(state);
    expect(text.split('\n').length).toBe(Math.ceil(ads / 100) + 3);
    expect(await readStateFile(file, 'state')).toEqual(state);
  });

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
    await saveBandit(file, banditOf(250));
    const text = await readFile(file, 'utf8');
    const lineEnds = [...text.matchAll(/\n/g)].map(({ index }) => index);
    for (const length of [0, 20, ...lineEnds.slice(0, -1).flatMap((end) => [end - 1, end, end + 1]), text.length - 2]) {
      await writeFile(file, text.slice(0, length));
      await expect(readStateFile(file, 'state.json')).rejects.toThrow(UserError);
    }
  });
});
