import { expect, it } from 'vitest';
import { createRandom } from '../src/core/random.ts';
import { buildModel } from '../src/model/architectures.ts';
import { createEncoder } from '../src/schema/encoder.ts';
import { Fitter } from '../src/schema/fit.ts';
import { parseSchema } from '../src/schema/parseSchema.ts';
import type { Schema } from '../src/schema/schema.ts';
import { columnTypes } from '../src/scoring/conformance/randomBundle.ts';
import { createTfjsLearner } from '../src/scoring/engines/tfjs/learner.ts';
import { loadBackend } from '../src/scoring/engines/tfjs/load.ts';
import { batchFromJson } from '../src/scoring/golden.ts';
import type { LearnerOptions } from '../src/scoring/learner.ts';
import { trainingDefaults } from './config.ts';
import { Trainer } from './trainer.ts';

const backend = await loadBackend('wasm');
const schemaOf = (scope: string) =>
  parseSchema({
    name: 'past',
    labels: [{ name: 'click', column: 'click' }],
    user: 'userId',
    time: 'time',
    fields: [
      { name: 'userId', kind: 'id', scope: 'request', size: 4 },
      { name: 'adId', kind: 'id', scope, size: 8 },
      { name: 'past', kind: 'sequence', by: 'userId', length: 4, items: ['adId'] },
    ],
  });

/** Rows of one user, an ad and 0 to 4 past ones: clicked where it is among those, which neither side tells by itself. */
function chunkOf(schema: Schema, rowCount: number) {
  const random = createRandom(1);
  const adId = Array.from({ length: rowCount }, () => random.below(10));
  const past = adId.map((ad) => {
    const others = Array.from({ length: random.below(4) }, () => (ad + 1 + random.below(9)) % 10);
    if (random.next() < 0.5) others.splice(random.below(others.length + 1), 0, ad);
    return others;
  });
  const gaps = past.map((list) => list.map(() => random.below(20)));
  const columns = { userId: adId.map(() => 1), adId, 'past.adId': past, 'past.gap': gaps };
  const batch = batchFromJson(columns, rowCount, columnTypes(schema));
  const fitter = new Fitter(schema, random);
  fitter.observe(batch);
  const fitted = fitter.finish();
  const { fields } = createEncoder(schema, fitted).encode(batch);
  const click = Float32Array.from(past, (list, row) => (list.includes(adId[row]) ? 1 : 0));
  return { fitted, chunk: { rowCount, fields, labels: new Map([['click', click]]) } };
}

it.each([
  ['senet-dnn', { hidden: [16] }],
  ['din', { hidden: [16], attention: { units: 8, weights: 'sigmoid' } }],
  // Which asks by the creative.
  ['dual-tower', { hidden: [16], right: { hidden: [16] } }, 'creative'],
])('%s learns from a sequence what no other field tells', (architecture, model, scope = 'ad') => {
  const schema = schemaOf(scope);
  const { fitted, chunk } = chunkOf(schema, 512);
  const typed = buildModel(architecture, schema, model);
  const options = { ...trainingDefaults, learningRate: 0.02, embeddingLearningRate: 0.05, embeddingScale: 0.1 };
  const createLearner = (given: LearnerOptions) => createTfjsLearner(typed, backend, given);
  const trainer = new Trainer({ typed, fitted, options, seed: 1, createLearner });
  const losses = Array.from({ length: 150 }, () => trainer.step(chunk as never, 1)[0]);
  expect(losses[0]).toBeGreaterThan(0.6);
  expect(losses[149]).toBeLessThan(0.2);
  trainer.dispose();
});
