import { afterAll, describe, expect, it } from 'vitest';
import { messageOf } from '../../../core/errors.ts';
import { createRandom } from '../../../core/random.ts';
import { describeScorer } from '../../conformance/describeScorer.ts';
import { randomBundle, randomInput } from '../../conformance/randomBundle.ts';
import type { LoadedBackend } from './backend.ts';
import { loadBackend } from './load.ts';
import { createTfjsScorer } from './scorer.ts';

/** TensorFlow is the user's to install; the others come with us. */
const tensorflow = await loadBackend('tensorflow').catch((error) => messageOf(error));
if (typeof tensorflow === 'string') describe.skip(tensorflow);
else describeBackend(tensorflow);
describeBackend(await loadBackend('wasm'));
describeBackend(await loadBackend('cpu'));

function describeBackend(backend: LoadedBackend): void {
  // Products in bfloat16, and in TF32 on a GPU, keep 8 and 11 bits.
  const tolerance = /bfloat16|CUDA/.test(backend.device) ? 5e-3 : 1e-6;

  describe(backend.device, () => {
    const tensors = () => backend.tf.memory().numTensors;
    const before = tensors();

    describeScorer(`tfjs (${backend.backend})`, (bundle) => createTfjsScorer(bundle, backend), tolerance);

    it('keeps as many tensors however often it scores or refuses to, and none once disposed of', () => {
      const bundle = randomBundle({ random: createRandom(1) });
      const empty = tensors();
      const scorer = createTfjsScorer(bundle, backend);
      const loaded = tensors();
      expect(loaded).toBeGreaterThan(empty);
      for (let round = 0; round < 20; round++) {
        scorer.score(randomInput(bundle, round, createRandom(round), 'request'));
        expect(() => scorer.score({ rowCount: 1, fields: new Map() })).toThrow(/is missing/);
      }
      expect(tensors()).toBe(loaded);
      scorer.dispose();
      expect(tensors()).toBe(empty);
    });

    afterAll(() => expect(tensors()).toBe(before));
  });
}
