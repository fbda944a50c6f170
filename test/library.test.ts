import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { simulate } from '../data/simulator/simulate.ts';
import {
  coec,
  createBandit,
  createRandom,
  createRanker,
  createScorer,
  ecoi,
  estimateExamination,
  loadBundle,
  loadCatalog,
  loadCreatives,
  mergeBanditStates,
  openTable,
  parseSchema,
  slotCtrs,
  train,
  UserError,
} from '../src/index.ts';
import { columnOf, isMade } from '../src/schema/fields.ts';
import { columnToJson } from '../src/schema/jsonColumns.ts';

const folder = mkdtempSync(join(tmpdir(), 'limelight-library-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What docs/library.md shows, on a market of a few thousand impressions. */
test('a program reads a log, trains, loads the bundle and ranks a request', async () => {
  await simulate({ outDir: join(folder, 'market'), impressionCount: 3000, seed: 1, preset: 'static' });
  const table = await openTable(join(folder, 'market/log'));
  expect(table.rowCount).toBe(3000);

  const json = JSON.parse(readFileSync(new URL('../data/simulator/schema.json', import.meta.url), 'utf8'));
  const out = join(folder, 'models/ctr/1');
  const config = { model: { hidden: [8] } };
  const { trainRows } = await train({
    schema: json,
    config,
    train: join(folder, 'market/log'),
    valid: { fromMs: Date.parse('2025-01-17') },
    out,
  });
  expect(trainRows).toBeGreaterThan(0);

  const bundle = await loadBundle(join(folder, 'models/ctr'));
  const { scorer, reason } = await createScorer(bundle);
  expect(reason).toMatch(/^the fastest engine that loads: /);
  const catalog = await loadCatalog(join(folder, 'market/catalog/ads.parquet'), bundle);
  const ranker = await createRanker(bundle, scorer, { catalog });
  const user: Record<string, unknown> = {};
  for await (const batch of table.scan()) {
    for (const field of (await parseSchema(json)).fields) {
      if (!isMade(field) && field.scope === 'request' && field.servingValue === undefined)
        [user[field.name]] = columnToJson(batch.columns.get(columnOf(field))!, [0]);
    }
    break;
  }
  const [first, second] = [catalog.valueOf('adId', 0), catalog.valueOf('adId', 1)];
  const { slots } = ranker.rank({ user, slots: 2, candidates: [first, second] });
  expect(new Set(slots.map(({ adId }) => adId))).toEqual(new Set([first, second]));

  const creatives = await loadCreatives(join(folder, 'market/catalog/creatives.parquet'), catalog, bundle);
  const bandit = await createBandit(catalog, creatives, { policy: 'thompson' });
  const exploring = await createRanker(bundle, scorer, { catalog, creatives, bandit });
  const request = { user, slots: 1, candidates: [first] };
  const [slot] = exploring.rank(request, undefined, createRandom(1)).slots;
  expect(slot).toMatchObject({ creativeId: expect.anything(), exploring: true });
  expect(slot.propensity).toBeGreaterThan(0);
  bandit.settle(0);
  bandit.add({ arm: 0, timeMs: 0, impressions: 3, clicks: 1 });
  const state = bandit.save();
  const twice = await createBandit(catalog, creatives, {}, await mergeBanditStates(state, state));
  expect(twice.record.totals.clicks[0]).toBe(2);
  scorer.dispose();
});

test('a program takes positions out of click rates', async () => {
  // Two items, of which the second draws half as much, in two positions, of which the second is looked at half as much.
  const counts = {
    items: Int32Array.of(0, 0, 1, 1),
    positions: Int32Array.of(1, 2, 1, 2),
    impressions: Float64Array.of(300, 100, 100, 300),
    clicks: Float64Array.of(120, 20, 20, 30),
  };
  const ctrs = await slotCtrs(counts);
  expect([...ctrs]).toEqual([140 / 400, 50 / 400]);
  const { examination } = await estimateExamination(counts);
  expect(examination[0]).toBe(1);
  expect(examination[1]).toBeCloseTo(0.5, 9);
  const rates = await ecoi(counts, examination);
  expect(rates[0]).toBeCloseTo(0.4, 9);
  expect(rates[1]).toBeCloseTo(0.2, 9);
  expect([...(await coec(counts, ctrs))]).toEqual([
    140 / (300 * ctrs[0] + 100 * ctrs[1]),
    50 / (100 * ctrs[0] + 300 * ctrs[1]),
  ]);
});

test('a mistake is thrown as UserError', async () => {
  await expect(loadBundle(join(folder, 'none'))).rejects.toThrow(UserError);
});
