import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import type { ColumnBatch } from '../../src/schema/columns.ts';
import { columnValue, type Value } from '../../src/tables/columnBuilder.ts';
import { createAds } from './inventory.ts';
import { createMarket } from './market.ts';
import { createPopulation } from './population.ts';
import { endMsOf, marketPresets } from './presets.ts';
import { unitVectors } from './sampling.ts';
import { createWording } from './wording.ts';

const preset = marketPresets.get('creatives')!;
const hamlet = { ...preset, userCount: 60, adCount: 40, advertiserCount: 12 };
const valuesOf = ({ columns, rowCount }: ColumnBatch, name: string): Value[] =>
  Array.from({ length: rowCount }, (_, row) => columnValue(columns.get(name)!, row));

/** The rows of each impression. */
function impressionsOf(batch: ColumnBatch): number[][] {
  const rows = new Map<Value, number[]>();
  valuesOf(batch, 'impression_id').forEach((id, row) => {
    rows.set(id, [...(rows.get(id) ?? []), row]);
  });
  return [...rows.values()];
}

describe('what creatives say', () => {
  it('draws a user by the terms they have in common, wherever those stand', () => {
    const effects = { ...preset.wording!, taste: 0, styleByAge: 1e-9, appeal: 0 };
    const random = createRandom(3);
    const vectors = unitVectors(12, preset.latentSize, random.fork('topics'));
    const users = createPopulation(hamlet, vectors, random.fork('users'));
    const ads = createAds(hamlet, vectors, random.fork('ads'));
    const wording = createWording(hamlet, effects, users, ads, random.fork('wording'));
    const texts = (columns: ReadonlyMap<string, unknown>, name: string, row: number) =>
      columnValue(columns.get(name) as never, row) as string[];
    const counts = new Set<number>();
    for (let user = 0; user < hamlet.userCount; user++) {
      const cares = texts(wording.userColumns, 'interest_terms', user);
      for (let creative = 0; creative < 40; creative++) {
        const said = ['title_terms', 'ocr_tokens', 'entity_terms'].flatMap((name) =>
          texts(wording.creativeColumns, name, creative),
        );
        const matches = [...new Set(said)].filter((term) => cares.includes(term)).length;
        counts.add(matches);
        expect(wording.clickLogit(user, creative)).toBeCloseTo(effects.match * Math.log1p(matches), 6);
      }
    }
    expect(counts.size).toBeGreaterThan(3);
  });
});

describe('creatives that are added', () => {
  const market = createMarket(hamlet, { seed: 2, impressionCount: 12_000 });
  const log = market.nextBatch(12_000);

  it('are shown only from then on, and an ad’s first from the start', () => {
    const { ads, creatives } = market;
    const first = new Map<Value, number>();
    const times = valuesOf(log, 'time_ms').map(Number);
    valuesOf(log, 'creative_id').forEach((id, row) => {
      if (!first.has(id)) first.set(id, times[row]);
    });
    const half = (hamlet.startMs + endMsOf(hamlet)) / 2;
    const isLate = (creative: number) =>
      (first.get(columnValue(creatives.columns.get('creative_id')!, creative)) ?? 0) > half;
    const numbers = Array.from({ length: creatives.count }, (_, creative) => creative);
    const isFirst = (creative: number) => ads.creativeOffsets.includes(creative);
    const late = numbers.filter(isLate);
    expect(late.length).toBeGreaterThan(0.1 * creatives.count);
    // Rare ads may be shown late for the first time.
    expect(late.filter(isFirst).length).toBeLessThan(0.1 * late.length);
  });
});

describe('the choices of a market', () => {
  const options = { seed: 4, impressionCount: 4000 };
  const choices = createMarket(hamlet, options).nextChoices(1500);
  const impressions = impressionsOf(choices);

  it('are the impressions its log has, each with every creative of the ad', () => {
    const log = createMarket(hamlet, options).nextBatch(1500);
    const shown = valuesOf(choices, 'shown');
    const kept = impressions.map((rows) => rows.filter((row) => shown[row] === true || shown[row] === 1));
    expect(kept.every((rows) => rows.length === 1)).toBe(true);
    for (const name of ['impression_id', 'time_ms', 'user_id', 'ad_id', 'creative_id', 'position', 'true_p_click']) {
      const values = valuesOf(choices, name);
      expect(kept.map(([row]) => values[row])).toEqual(valuesOf(log, name));
    }
    const creatives = valuesOf(choices, 'creative_id');
    for (const rows of impressions) expect(new Set(rows.map((row) => creatives[row])).size).toBe(rows.length);
  });

  it('matter: the best creative is clicked half as often again as any', () => {
    const p = valuesOf(choices, 'true_p_click') as number[];
    let best = 0;
    let mean = 0;
    for (const rows of impressions) {
      best += Math.max(...rows.map((row) => p[row]));
      mean += rows.reduce((sum, row) => sum + p[row], 0) / rows.length;
    }
    expect(best / mean).toBeGreaterThan(1.5);
  });
});
