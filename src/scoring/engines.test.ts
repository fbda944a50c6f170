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
      "engine 'fpga' is unknown; use one of auto, tfjs, reference",
    );
    await expect(createScorer(bundle, { backend: 'abacus' })).rejects.toThrow(/backend 'abacus' is unknown/);
    await expect(createScorer(bundle, { engine: 'reference', backend: 'wasm' })).rejects.toThrow(/has no backends/);
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
