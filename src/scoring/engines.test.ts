import { describe, expect, it } from 'vitest';
import { createRandom } from '../core/random.ts';
import { randomBundle, randomInput } from './conformance/randomBundle.ts';
import { createScorer, engines } from './engines.ts';

const bundle = randomBundle({ random: createRandom(1) });
const input = randomInput(bundle, 3, createRandom(2));

describe('createScorer', () => {
  it('takes the first engine of the list for auto, and says why', async () => {
    const { scorer, reason } = await createScorer(bundle);
    expect(scorer.engine).toMatch(new RegExp(`^${engines[0].name}`));
    expect(reason).toMatch(/^the fastest engine that loads: /);
    expect(scorer.score(input).get('click')).toHaveLength(3);
    scorer.dispose();
  });

  it('takes the engine and backend asked for', async () => {
    const reference = await createScorer(bundle, { engine: 'reference' });
    expect(reference.scorer.engine).toBe('reference');
    const cpu = await createScorer(bundle, { engine: 'tfjs', backend: 'cpu' });
    expect(cpu.scorer.engine).toBe('tfjs (cpu)');
    expect(cpu.reason).toMatch(/^asked for: /);
    cpu.scorer.dispose();
  });

  it('takes an engine with backends when a backend is named', async () => {
    const { scorer } = await createScorer(bundle, { backend: 'wasm' });
    expect(scorer.engine).toBe('tfjs (wasm)');
    scorer.dispose();
  });

  it('refuses an engine or backend it does not know, and a backend where there are none', async () => {
    await expect(createScorer(bundle, { engine: 'fpga' })).rejects.toThrow(
      "engine 'fpga' is unknown; use one of auto, native, tfjs, reference",
    );
    await expect(createScorer(bundle, { backend: 'abacus' })).rejects.toThrow(/backend 'abacus' is unknown/);
    await expect(createScorer(bundle, { engine: 'reference', backend: 'wasm' })).rejects.toThrow(/has no backends/);
  });

  it('refuses a precision that the engine named does not have, and takes fp32 of any', async () => {
    await expect(createScorer(bundle, { engine: 'tfjs', precision: 'bf16' })).rejects.toThrow(
      /^engine 'tfjs' computes in fp32 alone, got precision 'bf16'; leave it out/,
    );
    await expect(createScorer(bundle, { backend: 'wasm', precision: 'int8' })).rejects.toThrow(
      "no engine has both backend 'wasm' and precision 'int8'; leave one of them out",
    );
    await expect(createScorer(bundle, { precision: 'fp16' as 'fp32' })).rejects.toThrow(
      "precision 'fp16' is unknown; use one of auto, fp32, bf16, int8",
    );
    for (const precision of ['auto', 'fp32'] as const)
      expect((await createScorer(bundle, { engine: 'reference', precision })).scorer.engine).toBe('reference');
  });

  it('refuses an ad cache of an engine named that keeps none, and of no size', async () => {
    await expect(createScorer(bundle, { engine: 'reference', adCacheMb: 64 })).rejects.toThrow(
      /^engine 'reference' keeps nothing of ads, got an ad cache of 64 MB; leave it out/,
    );
    for (const adCacheMb of [-1, Number.NaN, Number.POSITIVE_INFINITY])
      await expect(createScorer(bundle, { adCacheMb })).rejects.toThrow(/expected a number of megabytes from 0 up/);
    const { scorer } = await createScorer(bundle, { adCacheMb: 64 });
    expect(scorer.score(input).get('click')).toHaveLength(3);
    scorer.dispose();
    expect((await createScorer(bundle, { engine: 'reference', adCacheMb: 0 })).scorer.engine).toBe('reference');
  });

  it('scores on two backends side by side', async () => {
    const wasm = await createScorer(bundle, { engine: 'tfjs', backend: 'wasm' });
    const before = [...(wasm.scorer.score(input).get('click') ?? [])];
    const cpu = await createScorer(bundle, { engine: 'tfjs', backend: 'cpu' });
    const other = [...(cpu.scorer.score(input).get('click') ?? [])];
    expect([...(wasm.scorer.score(input).get('click') ?? [])]).toEqual(before);
    other.forEach((p, row) => {
      expect(p).toBeCloseTo(before[row], 6);
    });
    wasm.scorer.dispose();
    cpu.scorer.dispose();
  });
});
