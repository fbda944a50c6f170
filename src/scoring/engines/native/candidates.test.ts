import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../core/random.ts';
import { nativeAddon } from '../../conformance/nativeAddon.ts';
import { randomBundle } from '../../conformance/randomBundle.ts';
import { variantFields, variantInput } from '../../conformance/variantInput.ts';
import { defaultRates } from '../../planner/defaultRates.ts';
import type { Stage, ValueSpec } from './addon.ts';
import { lowerFor } from './scorer.ts';
import { InputStage } from './stage.ts';

const loaded = nativeAddon();
if (typeof loaded === 'string') it.skip(`engine native: ${loaded}`, () => {});
else {
  const { addon } = loaded;
  const bundle = randomBundle({ random: createRandom(3), options: { hidden: [24] }, fields: variantFields });

  describe.each(addon.kernelNames())('a program of candidates for kernels %s', (kernels) => {
    const options = { kernels, precision: 'fp32', rates: defaultRates('fp32'), cacheBytes: 2 ** 20 } as const;
    const lowered = lowerFor(bundle, addon, options, 'creatives');
    const { spec } = lowered;
    const packed = addon.pack(kernels, spec);

    it('is refused where a value is of a stage that cannot know what it is made of', () => {
      const create = (values: readonly ValueSpec[], candidates = true) =>
        addon.dispose(addon.createProgram(kernels, { ...spec, values, candidates }, packed));
      expect(() => create(spec.values)).not.toThrow();
      expect(() => create(spec.values, false)).toThrow(/without candidates/);
      const wrong: [Stage, Stage][] = [
        ['row', 'candidate'],
        ['row', 'ad'],
        ['candidate', 'ad'],
        ['candidate', 'request'],
        ['creative', 'candidate'],
        ['creative', 'ad'],
      ];
      for (const [from, to] of wrong) {
        const changed = spec.values.map((value) =>
          value.stage === from ? { ...value, stage: to, kept: false } : value,
        );
        expect(() => create(changed), `${from} as ${to}`).toThrow(/native program/);
      }
    });

    it('answers nothing for candidates of rows that do not follow each other, or lie outside the words', () => {
      const program = addon.createProgram(kernels, spec, packed);
      let words = new Int32Array(0);
      const stage = new InputStage(lowered, (buffer) => {
        words = new Int32Array(buffer);
        addon.setStage(program, buffer);
      });
      const input = variantInput(bundle, [2, 1, 40, 3], createRandom(5));
      expect(stage.write(input)).toBe(true);
      expect(addon.run(program)).toBe(true);
      const at = words[3];
      const extremes = [-1, -(2 ** 31), 2 ** 31 - 1, 2, 4, 5, 46, words.length];
      const tries: [number, number][] = [
        ...extremes.filter((value) => value !== 4).map((value): [number, number] => [2, value]),
        ...extremes.map((value): [number, number] => [3, value < 0 || value > 100 ? value : words.length - value]),
        ...[0, 1, 2, 20, 42, 45].flatMap((row) =>
          extremes.filter((value) => value !== words[at + row]).map((value): [number, number] => [at + row, value]),
        ),
      ];
      for (const [word, value] of tries) {
        const before = words[word];
        words[word] = value;
        expect(addon.run(program), `word ${word - at} from the candidates, ${value}`).toBe(false);
        words[word] = before;
      }
      expect(addon.run(program)).toBe(true);
      addon.dispose(program);
    });
  });
}
