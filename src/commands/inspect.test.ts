import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createRandom } from '../core/random.ts';
import { writeBundle } from '../model/bundleFiles.ts';
import { randomBundle } from '../scoring/conformance/randomBundle.ts';
import { addInspect } from './inspect.ts';

const bundle = randomBundle({ random: createRandom(1), architecture: 'senet-dnn', options: { hidden: [8, 4] } });
let root: string;

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'limelight-inspect-'));
  await writeBundle(path.join(root, 'sample', '1'), bundle);
});
afterAll(() => rm(root, { recursive: true }));

async function inspect(...args: string[]): Promise<string> {
  const program = new Command().exitOverride();
  addInspect(program);
  let printed = '';
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += text;
    return true;
  });
  try {
    await program.parseAsync(['node', 'limelight', 'inspect', ...args]);
  } finally {
    spy.mockRestore();
  }
  return printed;
}

describe('limelight inspect', () => {
  it('shows steps with scopes, types and costs, tables, metrics and lineage', async () => {
    const text = await inspect(path.join(root, 'sample'));
    expect(text).toMatch(/^sample, version 1\n/);
    expect(text).toContain('click = σ(click.logit), calibrated at 3 knots');
    expect(text).toContain('conversion = σ(click.logit)·σ(conversion.logit)');
    expect(text).toMatch(/embeddings\.request +embed +request +fields\[3, 8\] +0 +0 +userId, clickedAds, age/);
    expect(text).toMatch(
      /hidden\.0 +dense units 8 relu bias +variant +vector\[8\] +560 +552 +gated, dense\.request, dense\.ad/,
    );
    expect(text).toMatch(/testHalf +click +0\.75 +0\.5/);
    expect(text).toMatch(/seed +1/);
    const rows = bundle.fitted.vocabularies.get('adId')?.rows as number;
    expect(text).toMatch(new RegExp(`adId +adId +${rows} +8 +${rows * 8} `));
    expect(text).toMatch(/userKeyword +cross +candidate +hashed, 52 rows +of userId × keywords/);
  });

  it('prints one JSON object and nothing else with --json', async () => {
    const json = JSON.parse(await inspect(path.join(root, 'sample', '1'), '--json'));
    expect(json).toMatchObject({ name: 'sample', version: '1', architecture: 'senet-dnn', goldenRequests: 4 });
    expect(json.precision).toEqual({ sampleRows: 200, limits: { auc: 0.0003, logLoss: 0.0003 } });
    expect(json.steps).toHaveLength(bundle.typed.model.steps.length);
    const numbers = [...bundle.weights.values()].reduce((sum, { values }) => sum + values.length, 0);
    expect(json.totals.stepParameters + json.totals.tableParameters).toBe(numbers);
    expect(json.totals.weightBytes).toBe(numbers * 4);
  });

  it('shows the plan and its costs beside the model’s own with --plan', async () => {
    const text = await inspect(path.join(root, 'sample'), '--plan', '--candidates', '200', '--precision', 'bf16');
    expect(text).toMatch(/^Plan of sample, version 1, for 200 candidates in bf16\n/);
    expect(text).toMatch(/matrix products +[\d.]+ multiply-adds\/ns/);
    expect(text).toMatch(/embeddings\.ad +embed +ad +\[2 × 8\] +kept +0 +64 +adId, keywords/);
    expect(text).toMatch(/hidden\.0\.fields\.request +projectField +request +\[3 × 8\] +192 /);
    expect(text).toMatch(/hidden\.0 +affine +variant .*relu\(Σ_f gates\[0…3\] ∘ hidden\.0\.fields\.request \+ /);
    expect(text).toMatch(/variant +[\d,]+ +[\d,]+ +\d+ % /);
    expect(text).toMatch(/request of 200, no ad kept yet +[\d,]+ +[\d,]+ +\d+ %/);
  });

  it('prints the plan as one JSON object with --plan --json', async () => {
    const json = JSON.parse(await inspect(path.join(root, 'sample'), '--plan', '--json'));
    expect(json).toMatchObject({ name: 'sample', plannedFor: { candidates: 500, precision: 'fp32' } });
    expect(json.steps[0]).toMatchObject({ op: 'embed', output: 'embeddings.request', scope: 'request', shape: [3, 8] });
    const sums = new Map<string, number>();
    for (const { scope, multiplyAdds } of json.steps) sums.set(scope, (sums.get(scope) ?? 0) + multiplyAdds);
    for (const { per, planned } of json.costs) if (sums.has(per)) expect(planned.multiplyAdds).toBe(sums.get(per));
    const total = json.costs.find(({ per }: { per: string }) => per === 'request of 500, all ads kept');
    const [request, variant, candidate] = ['request', 'variant', 'candidate'].map((scope) => sums.get(scope) ?? 0);
    expect(total.planned.multiplyAdds).toBe(request + 500 * (variant + candidate));
  });

  it('plans for several creatives of each candidate, whose values count so many times', async () => {
    const flags = ['--plan', '--candidates', '200', '--creatives', '5', '--precision', 'bf16'];
    const text = await inspect(path.join(root, 'sample'), ...flags);
    expect(text).toMatch(/^Plan of sample, version 1, for 200 candidates of 5 creatives in bf16\n/);
    const { costs, plannedFor } = JSON.parse(await inspect(path.join(root, 'sample'), ...flags, '--json'));
    expect(plannedFor).toMatchObject({ candidates: 200, variantsPerCandidate: 5 });
    const of = (scope: string) => costs.find(({ per }: { per: string }) => per === scope)?.planned.multiplyAdds ?? 0;
    expect(of('request of 200 × 5, all ads kept')).toBe(of('request') + 200 * (of('candidate') + 5 * of('variant')));
  });

  it('says where there is no bundle', async () => {
    await expect(inspect(path.join(root, 'absent'))).rejects.toThrow(/no bundle at '.*absent'/);
  });
});
