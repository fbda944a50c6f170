import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drawMarket, rankMarket } from '../benchmarks/positions/market.ts';
import {
  countShown,
  heldOutLosses,
  ratesByHalf,
  readPages,
  type Shown,
  tauOfHalves,
} from '../benchmarks/positions/yandex.ts';
import { importYandex } from '../data/yandex/importYandex.ts';
import { estimateExamination } from '../src/creative/examination.ts';
import { realData } from './realData.ts';

const real = realData('yandex');

describe.skipIf('missing' in real)(`on real result pages${'missing' in real ? ` (${real.missing})` : ''}`, () => {
  let shown: Shown;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pages-'));
    shown = await readPages((real as { folder: string }).folder);
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('are 35,064 of 10 results', async () => {
    const { rowCount, warnings } = await importYandex((real as { folder: string }).folder, join(folder, 'pages'));
    expect(rowCount).toBe(350_640);
    expect(warnings).toEqual(['417 of 50321 clicks are on results that their page does not list; they are left out']);
    // Counted by a Python program over the file.
    const clicks = new Array(10).fill(0);
    shown.positions.forEach((position, row) => {
      clicks[position - 1] += shown.clicks[row];
    });
    expect(clicks.map((count) => Math.round((1e4 * count) / 35_064))).toEqual([
      2566, 2485, 1699, 1536, 1058, 728, 687, 467, 504, 447,
    ]);
    expect(new Set(shown.items).size).toBe(1_024);
  });

  it('examination times attraction predicts held-out clicks better than the CTR by position, or by result', () => {
    const { table, result, fit } = heldOutLosses(shown);
    expect(fit).toBeLessThan(0.94 * table);
    expect(fit).toBeLessThan(result);
  });

  it('corrected CTRs rank results alike in different positions, raw ones less', () => {
    const { examination } = estimateExamination(countShown(shown));
    const all = countShown(shown, true);
    const corrected = tauOfHalves(ratesByHalf(all, examination, 100));
    const raw = tauOfHalves(ratesByHalf(all, new Float64Array(10).fill(1), 100));
    expect(raw.crossed).toBeLessThan(0.65);
    expect(corrected.crossed).toBeGreaterThan(raw.crossed + 0.1);
    // What agreement there can be, with the clicks there are: where all have the same side's positions.
    expect(corrected.crossed).toBeGreaterThan(raw.straight - 0.03);
  });
});

describe('in a market whose better creatives have the better slots', () => {
  it.each([1, 2])('ECOI ranks creatives by their true CTR, the raw CTR does not (seed %i)', (seed) => {
    const { raw, table, fit, random } = rankMarket(drawMarket(50_000, seed));
    expect(raw).toBeLessThan(0.7);
    expect(fit).toBeGreaterThan(0.9);
    expect(random).toBeGreaterThan(0.9);
    // The CTRs by position of such a log hold what the creatives did too.
    expect(table).toBeLessThan(fit - 0.05);
  });
});
