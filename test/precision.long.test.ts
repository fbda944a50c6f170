import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { importKuairand } from '../data/kuairand/importKuairand.ts';
import { train } from '../src/index.ts';
import { aucsByPrecision, largestDifference } from './precisions.ts';
import { realData } from './realData.ts';

const folder = mkdtempSync(join(tmpdir(), 'limelight-precision-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const kuairand = realData('kuairand');
const readJson = (path: string) =>
  JSON.parse(readFileSync(new URL(`../data/kuairand/${path}`, import.meta.url), 'utf8'));

describe.skipIf('missing' in kuairand)(`KuaiRand${'missing' in kuairand ? ` (${kuairand.missing})` : ''}`, () => {
  it('keeps its AUC within 2e-4 in bf16 and 5e-4 in int8, of engine native’s fp32', async (test) => {
    if ('missing' in kuairand) return;
    const log = join(folder, 'log');
    await importKuairand(kuairand.folder, log);
    const out = join(folder, 'model');
    const fromMs = Date.parse('2022-05-05T00:00:00+08:00');
    await train({
      schema: readJson('schema.json'),
      config: readJson('config.json'),
      train: log,
      valid: { fromMs },
      out,
    });
    // All days: history is replayed over those before as well.
    const aucs = await aucsByPrecision(out, [log], fromMs);
    if (!aucs.has('fp32')) return test.skip('engine native is not built here');
    console.log([...aucs].map(([precision, tasks]) => `${precision} ${JSON.stringify([...tasks])}`).join('\n'));
    expect(aucs.get('fp32')?.get('click')).toBeGreaterThan(0.745);
    if (aucs.has('bf16')) expect(largestDifference(aucs, 'bf16')).toBeLessThanOrEqual(2e-4);
    if (aucs.has('int8')) expect(largestDifference(aucs, 'int8')).toBeLessThanOrEqual(5e-4);
  });
});
