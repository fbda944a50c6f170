import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Choices, choiceQuality, drawChoices } from '../benchmarks/creativeChoice/choices.ts';
import { createMarket } from '../data/simulator/market.ts';
import { marketPresets } from '../data/simulator/presets.ts';
import { createScorer, loadBundle, train } from '../src/index.ts';
import type { NumberColumn } from '../src/schema/columns.ts';
import { createEncoder } from '../src/schema/encoder.ts';
import { scoreInBlocks } from '../src/scoring/scoreInBlocks.ts';
import { writeTypeOf } from '../src/tables/arrowBatches.ts';
import { createTableWriter } from '../src/tables/parquetWriter.ts';

const folder = mkdtempSync(join(tmpdir(), 'creative-choice-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const preset = { ...marketPresets.get('creatives')!, userCount: 200, adCount: 20, advertiserCount: 10 };
const market = { seed: 3, impressionCount: 16_000 };
const fromMs = preset.startMs + 11 * 86_400_000;

async function writeMarket(): Promise<string> {
  const path = join(folder, 'log.parquet');
  const batch = createMarket(preset, market).nextBatch(market.impressionCount);
  const columns = [...batch.columns].map(([name, column]) => ({ name, type: writeTypeOf(column) }));
  const writer = await createTableWriter(path, { columns });
  await writer.append(batch);
  await writer.close();
  return path;
}

describe('a dual tower trained on a market’s log', () => {
  it('chooses creatives far better than chance, also among those that it has hardly seen', async () => {
    const schema = JSON.parse(
      await readFile(new URL('../data/simulator/schema.creatives.json', import.meta.url), 'utf8'),
    );
    const out = join(folder, 'model');
    const training = {
      batchSize: 128,
      learningRate: 0.003,
      embeddingLearningRate: 0.03,
      embeddingScale: 0.05,
      epochs: 2,
    };
    await train({
      schema,
      config: { architecture: 'dual-tower', model: { hidden: [16] }, training },
      train: await writeMarket(),
      valid: { fromMs },
      out,
      seed: 1,
    });
    const bundle = await loadBundle(out);
    const choices = drawChoices(preset, { ...market, fromMs, count: 800 });
    const { scorer } = await createScorer(bundle, { engine: 'reference' });
    const input = createEncoder(bundle.typed.schema, bundle.fitted).encode(choices.rows);
    const scores = scoreInBlocks(scorer, input);
    const click = scores.get('click') as Float32Array;
    const rare = (row: number) => choices.shownBefore[row] < 100;
    expect(shareOfBest(choices, click)).toBeGreaterThan(0.4);
    expect(shareOfBest(choices, click, rare)).toBeGreaterThan(0.35);
    // The ad's own logit cannot tell its creatives apart.
    expect(shareOfBest(choices, scores.get('click.ad') as Float32Array)).toBeCloseTo(0, 9);
  });
});

/** Of what the best creative has over any, what the model's favourite has. */
function shareOfBest(choices: Choices, scores: ArrayLike<number>, among?: (row: number) => boolean): number {
  const { chosen, random, best, impressions } = choiceQuality(choices, scores, among);
  expect(impressions).toBeGreaterThan(20);
  return (chosen - random) / (best - random);
}

describe('the quality of a choice', () => {
  const choices = drawChoices(preset, { ...market, fromMs, count: 200 });
  const truth = (choices.rows.columns.get('true_p_click') as NumberColumn).values;

  it('is the best for the truth, the worst for its opposite, and chance for a constant', () => {
    expect(shareOfBest(choices, truth)).toBeCloseTo(1, 12);
    expect(
      shareOfBest(
        choices,
        truth.map((p) => -p),
      ),
    ).toBeLessThan(-0.3);
    expect(shareOfBest(choices, new Float64Array(truth.length))).toBeCloseTo(0, 12);
  });
});
