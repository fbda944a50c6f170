import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../src/core/random.ts';
import { buildModel } from '../src/model/architectures.ts';
import { tableWeight } from '../src/model/bundle.ts';
import { readBundle } from '../src/model/bundleFiles.ts';
import { createEncoder } from '../src/schema/encoder.ts';
import { missingId, unknownId } from '../src/schema/fields.ts';
import { Fitter } from '../src/schema/fit.ts';
import { parseSchema } from '../src/schema/parseSchema.ts';
import { createReferenceScorer } from '../src/scoring/engines/reference/scorer.ts';
import { createTfjsLearner } from '../src/scoring/engines/tfjs/learner.ts';
import { loadBackend } from '../src/scoring/engines/tfjs/load.ts';
import { parseConfig, trainingDefaults } from './config.ts';
import { encodeBatch } from './dataset/prepare.ts';
import { evaluate } from './evaluate.ts';
import { decayAt } from './fitLoop.ts';
import { initialWeights } from './parameters.ts';
import { silentReporter } from './reporter.ts';
import { dayOf, tinyLog, tinySchema, writeLog } from './tinyLog.ts';
import { train } from './train.ts';
import { exportedWeights, Trainer } from './trainer.ts';

const folder = mkdtempSync(join(tmpdir(), 'trainer-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const backend = await loadBackend('wasm');

const schema = parseSchema(tinySchema);
const batch = tinyLog(256);
const fitted = (() => {
  const fitter = new Fitter(schema, createRandom(1));
  fitter.observe(batch);
  return fitter.finish();
})();
const chunk = encodeBatch(batch, createEncoder(schema, fitted));

function trainerOf(options: object, model: object = { hidden: [8] }, architecture = 'senet-dnn') {
  const typed = buildModel(architecture, schema, model);
  return new Trainer({
    typed,
    fitted,
    options: { ...trainingDefaults, ...options },
    seed: 1,
    createLearner: (o) => createTfjsLearner(typed, backend, o),
  });
}

describe('a trainer', () => {
  it('touches only the rows of its batch, on every table', () => {
    const trainer = trainerOf({});
    const before = trainer.weights();
    trainer.step(chunk, 1);
    const after = trainer.weights();
    for (const { name, vocabulary, size } of buildModel('senet-dnn', schema, { hidden: [8] }).model.tables) {
      const touched = new Set<number>();
      const column = chunk.fields.get(schema.fields.find((f) => f.name === vocabulary)?.name ?? '');
      if (column === undefined || column.kind === 'dense') continue;
      for (const id of column.ids) touched.add(id);
      if (column.kind === 'ids' && column.offsets.some((at, row) => at === column.offsets[row + 1]))
        touched.add(missingId);
      const [was, is] = [before, after].map((weights) => weights.get(tableWeight(name))?.values as Float32Array);
      for (let row = 0; row < was.length / size; row++) {
        const same = was.subarray(row * size, (row + 1) * size).every((w, d) => w === is[row * size + d]);
        expect(same, `${name}, row ${row}`).toBe(!touched.has(row));
      }
    }
  });

  it('learns: the loss of a batch falls step by step', () => {
    for (const architecture of ['senet-dnn', 'lr', 'fm', 'deep-fm', 'dcn-v2', 'dual-tower']) {
      const model = architecture === 'lr' || architecture === 'fm' ? {} : { hidden: [8] };
      for (const embeddingOptimizer of ['adam', 'adagrad']) {
        const rates = { learningRate: 0.02, embeddingLearningRate: 0.05 };
        const trainer = trainerOf({ embeddingOptimizer, ...rates }, model, architecture);
        const losses = Array.from({ length: 30 }, () => trainer.step(chunk, 1).reduce((a, b) => a + b));
        expect(losses[29], `${architecture}, ${embeddingOptimizer}`).toBeLessThan(losses[0] - 0.1);
        trainer.dispose();
      }
    }
  });

  it('drops rare ids in favour of the unknown row, in training only', () => {
    const rare = trainerOf({ idDropout: { max: 1, scale: 1e9 } });
    const before = rare.weights();
    const predicted = rare.predict(chunk);
    expect(trainerOf({}).predict(chunk)).toEqual(predicted);
    rare.step(chunk, 1);
    // max·e^(−count/1e9) is 1: every id of a vocabulary is replaced.
    const [was, is] = [before, rare.weights()].map(
      (weights) => weights.get(tableWeight('adId'))?.values as Float32Array,
    );
    const changed = new Set<number>();
    was.forEach((w, i) => {
      if (w !== is[i]) changed.add(Math.floor(i / 4));
    });
    expect([...changed]).toEqual([unknownId]);
  });

  it('drops ids of the fields named alone', () => {
    const dropping = (fields: string[]) => {
      const trainer = trainerOf({ idDropout: { max: 1, scale: 1e9, fields } });
      trainer.step(chunk, 1);
      return trainer.weights();
    };
    const [none, ofAds] = [dropping([]), dropping(['adId'])];
    const plain = trainerOf({});
    plain.step(chunk, 1);
    expect(none).toEqual(plain.weights());
    const rowsOf = (name: string) => [none, ofAds].map((weights) => weights.get(tableWeight(name))?.values.slice(4, 8));
    expect(rowsOf('adId')[1]).not.toEqual(rowsOf('adId')[0]);
    expect(rowsOf('placement')[1]).toEqual(rowsOf('placement')[0]);
  });

  it('puts back weights and state as they were', () => {
    const one = trainerOf({});
    for (let i = 0; i < 3; i++) one.step(chunk, 1);
    const kept = structuredClone({ weights: one.weights(), state: one.state() });
    one.step(chunk, 1);
    const two = trainerOf({});
    two.load(kept.weights);
    two.restore(kept.state);
    two.step(chunk, 1);
    expect(two.weights()).toEqual(one.weights());
  });
});

describe('the first weights', () => {
  const typed = buildModel('senet-dnn', schema, { hidden: [64] });

  it('are drawn by the seed and the tensor’s name, biases 0', () => {
    expect(initialWeights(typed, fitted, 0.01, 5)).toEqual(initialWeights(typed, fitted, 0.01, 5));
    expect(initialWeights(typed, fitted, 0.01, 5)).not.toEqual(initialWeights(typed, fitted, 0.01, 6));
    const weights = initialWeights(typed, fitted, 0.01, 5);
    expect(weights.get('hidden.0.b')?.values).toEqual(new Float32Array(64));
    const values = [...weights.values()].map((tensor) => tensor.values.slice(0, 4).join());
    expect(new Set(values.filter((text) => !/^0(,0)*$/.test(text))).size).toBe(
      values.filter((text) => !/^0(,0)*$/.test(text)).length,
    );
  });

  it('have the deviations they should: the given one of embeddings, Glorot’s of matrices', () => {
    const weights = initialWeights(typed, fitted, 0.3, 5);
    const deviation = (name: string) => {
      const { values } = weights.get(name) as { values: Float32Array };
      return Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);
    };
    expect(deviation('tables/userId') / 0.3).toBeCloseTo(1, 0);
    const [inputs, outputs] = weights.get('hidden.0.w')?.shape ?? [];
    expect(deviation('hidden.0.w') / Math.sqrt(2 / (inputs + outputs))).toBeCloseTo(1, 1);
    const limit = Math.sqrt(6 / (inputs + outputs));
    expect(weights.get('hidden.0.w')?.values.every((w) => Math.abs(w) <= limit)).toBe(true);
  });
});

describe('the learning rates', () => {
  it('rise over the warm-up, then fall in a line to what is left', () => {
    const options = { ...trainingDefaults, warmupSteps: 4, decayTo: 0.1 };
    expect([0, 1, 3].map((step) => decayAt(step, 100, options))).toEqual([0.25, 0.5 * (1 - 0.009), 1 - 0.9 * 0.03]);
    expect(decayAt(50, 100, options)).toBeCloseTo(0.55, 12);
    expect(decayAt(100, 100, options)).toBeCloseTo(0.1, 12);
    expect(decayAt(500, 100, options)).toBeCloseTo(0.1, 12);
    expect(decayAt(0, 0, { ...trainingDefaults })).toBe(1);
  });
});

describe('negative sampling', () => {
  const log = join(folder, 'log.parquet');
  beforeAll(() => writeLog(log, tinyLog(20_000)));

  it('is undone: predictions and the served bundle are as right as without, though trained on a fifth', async () => {
    const rates: number[] = [];
    for (const negativeSampling of [1, 0.2]) {
      const out = join(folder, `sampled${negativeSampling}`);
      const lines: string[] = [];
      const summary = await train({
        schema,
        config: parseConfig({
          training: { negativeSampling, epochs: 4, learningRate: 0.02, embeddingLearningRate: 0.02 },
        }),
        architecture: 'lr',
        train: log,
        valid: { fromMs: dayOf(6) },
        out,
        seed: 1,
        loadLearner: async () => (typed, o) => createTfjsLearner(typed, backend, o),
        reporter: { ...silentReporter, line: (text) => void lines.push(text) },
        nowMs: () => 0,
        createdBy: 'test',
      });
      const all = summary.metrics.all as Record<string, { pcoc: number; auc: number }>;
      const bundle = await readBundle(out);
      const { tasks } = await evaluate(bundle, createReferenceScorer(bundle), log, silentReporter, {
        fromMs: dayOf(6),
      });
      for (const task of ['click', 'conversion']) {
        // 8,000 rows with some 2,000 clicks and 800 conversions: standard errors of 2 % and 3.5 %.
        expect(Math.abs(all[task].pcoc - 1)).toBeLessThan(0.12);
        expect(tasks[task].raw.pcoc).toBeCloseTo(all[task].pcoc, 5);
        expect(tasks[task].raw.auc).toBeCloseTo(all[task].auc, 5);
      }
      rates.push(all.click.pcoc);
      const examples = Number(/^(\d+) examples/.exec(lines.at(-1) ?? '')?.[1]);
      const clicked = (tasks.click.positives ?? 0) / tasks.click.rows;
      expect(examples / 48_000).toBeCloseTo(clicked + (1 - clicked) * negativeSampling, 1);
    }
    expect(Math.abs(rates[1] / rates[0] - 1)).toBeLessThan(0.05);
  });

  it('moves its correction into the biases of first logits alone, once', () => {
    const typed = buildModel('senet-dnn', schema, { hidden: [8] });
    const weights = initialWeights(typed, fitted, 0.01, 1);
    const exported = exportedWeights(weights, typed, 0.25);
    for (const [name, { values }] of weights) {
      const moved = name === 'click.logit.b' ? Math.log(0.25) : 0;
      expect(exported.get(name)?.values).toEqual(values.map((value) => value + moved));
    }
    expect(exportedWeights(weights, typed, 1)).toBe(weights);
    // The logit of a creative is that of its ad and a change: only the first moves.
    const towers = buildModel('dual-tower', schema, { hidden: [8] });
    const drawn = initialWeights(towers, fitted, 0.01, 1);
    const moved = [...exportedWeights(drawn, towers, 0.25)].filter(
      ([name, { values }]) => values !== drawn.get(name)?.values,
    );
    expect(moved.map(([name, { values }]) => [name, values[0]])).toEqual([
      ['click.ad.logit.b', Math.fround(Math.log(0.25))],
    ]);
    const back = exportedWeights(exported, typed, 4);
    expect(back.get('click.logit.b')?.values[0]).toBeCloseTo(0, 6);
  });
});
