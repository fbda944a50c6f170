import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { simulate } from '../data/simulator/simulate.ts';
import { train } from '../src/index.ts';
import { aucsByPrecision, largestDifference } from './precisions.ts';

const folder = mkdtempSync(join(tmpdir(), 'limelight-precision-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('orders a simulated market’s ads nearly alike in every precision of engine native', async (test) => {
  const market = join(folder, 'market');
  const { days } = await simulate({ outDir: market, impressionCount: 20_000, seed: 1, preset: 'static' });
  const fromMs = Date.parse(days[0]) + 0.8 * days.length * 86_400_000;
  const data = join(market, 'log');
  const schema = JSON.parse(readFileSync(new URL('../data/simulator/schema.json', import.meta.url), 'utf8'));
  const config = { model: { hidden: [48, 24] }, training: { embeddingScale: 0.1, validationsPerEpoch: 1 } };
  const out = join(folder, 'model');
  await train({ schema, config, train: data, valid: { fromMs }, out, backend: 'wasm' });
  const aucs = await aucsByPrecision(out, [data], fromMs);
  if (!aucs.has('fp32')) return test.skip('engine native is not built here');
  for (const precision of aucs.keys())
    expect(largestDifference(aucs, precision), precision).toBeLessThan(precision === 'int8' ? 5e-3 : 2e-3);
});
