import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { readBundle } from '../src/model/bundleFiles.ts';
import type { TypedModel } from '../src/model/checkModel.ts';
import { parseSchema } from '../src/schema/parseSchema.ts';
import { measureActivations } from '../src/scoring/activations.ts';
import { createTfjsLearner } from '../src/scoring/engines/tfjs/learner.ts';
import { loadBackend } from '../src/scoring/engines/tfjs/load.ts';
import { createScorer } from '../src/scoring/engines.ts';
import { replayGolden } from '../src/scoring/golden.ts';
import type { LearnerOptions } from '../src/scoring/learner.ts';
import type { ScoringInput } from '../src/scoring/scorer.ts';
import { parseConfig } from './config.ts';
import { evaluate } from './evaluate.ts';
import { silentReporter } from './reporter.ts';
import { tinyLog, tinySchema, writeLog } from './tinyLog.ts';
import { tinyInputs } from './tinyTraining.ts';
import { type TrainInputs, train } from './train.ts';

const folder = mkdtempSync(join(tmpdir(), 'train-test-'));
const log = join(folder, 'log.parquet');
const backend = await loadBackend('wasm');
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});
beforeAll(() => {
  // Encoded rows are kept where TMPDIR says: a place of our own, to see that nothing stays behind.
  mkdirSync(join(folder, 'tmp'));
  vi.stubEnv('TMPDIR', join(folder, 'tmp'));
  return writeLog(log, tinyLog(3000));
});

const config = parseConfig({
  model: { hidden: [8], dropout: 0.1 },
  training: { batchSize: 128, validationsPerEpoch: 3, idDropout: { max: 0.2, scale: 5 }, embeddingL2: 0.01 },
});

function inputsOf(name: string, more: Partial<TrainInputs> = {}): TrainInputs {
  return {
    schema: parseSchema(tinySchema),
    config,
    ...tinyInputs(folder, name, log, backend),
    ...more,
  };
}

/** The files whose bytes must be the same for the same model. */
const bytesOf = (name: string) =>
  ['weights.safetensors', 'vocabularies.safetensors', 'golden.json', 'sample.safetensors'].map((file) =>
    readFileSync(join(folder, name, file)).toString('base64'),
  );

/** Learning curve and all. */
const report = (name: string) => readFileSync(join(folder, name, 'report.html'), 'utf8');

/** Stops a training after so many steps. */
function interruptedAfter(steps: number): () => boolean {
  let asked = 0;
  return () => ++asked === steps;
}

describe('train', () => {
  it('gives bit-identical bundles for the same seed, data and backend, others for another seed', async () => {
    await train(inputsOf('one'));
    await train(inputsOf('two'));
    await train(inputsOf('three', { seed: 2 }));
    expect(bytesOf('two')).toEqual(bytesOf('one'));
    expect(bytesOf('three')).not.toEqual(bytesOf('one'));
    expect(readdirSync(process.env.TMPDIR as string)).toEqual([]);
    expect(existsSync(join(folder, 'one.checkpoint'))).toBe(false);
  });

  it('keeps in the bundle what a lower precision is judged and made by', async () => {
    const strict = { ...config, precisionLimits: { auc: 0.001, logLoss: 0 } };
    await train(inputsOf('limited', { config: strict }));
    const { sample, manifest, weights, typed } = await readBundle(join(folder, 'limited'));
    expect(sample?.input.rowCount).toBeGreaterThan(200);
    expect([...(sample?.labels.keys() ?? [])]).toEqual(['click', 'conversion']);
    expect(manifest.precision?.limits).toEqual({ auc: 0.001, logLoss: 0 });
    expect(manifest.precision?.activations).toEqual(measureActivations(typed, weights, sample?.input as ScoringInput));
    expect(Object.keys(manifest.precision?.activations ?? {})).toContain('gated');
  });

  // 2,400 rows to train on: 19 steps an epoch, validations after the 7th and the 14th and at its end.
  it.each([1, 7, 8, 14, 18, 19, 20, 33, 38])(
    'gives a bit-identical bundle when interrupted after step %i and resumed',
    async (steps) => {
      const twoEpochs = { ...config, training: { ...config.training, epochs: 2, patience: 9 } };
      if (!existsSync(join(folder, 'whole'))) await train(inputsOf('whole', { config: twoEpochs }));
      const name = `resumed${steps}`;
      const lines: string[] = [];
      const reporter = { ...silentReporter, line: (text: string) => void lines.push(text) };
      const given = inputsOf(name, { config: twoEpochs, reporter });
      const stopped = await train({ ...given, isInterrupted: interruptedAfter(steps) });
      const checkpoint = `${given.out}.checkpoint`;
      expect([stopped.interrupted, stopped.out]).toEqual([true, checkpoint]);
      expect(existsSync(given.out)).toBe(false);
      expect(lines.at(-1)).toContain(`resume with the same command and --from ${checkpoint}`);
      const resumed = await train({ ...given, from: checkpoint });
      expect(resumed.interrupted).toBe(false);
      expect(bytesOf(name)).toEqual(bytesOf('whole'));
      expect(existsSync(checkpoint)).toBe(false);
      expect(report(name)).toBe(report('whole'));
    },
  );

  it('resumes as often as it is interrupted, with sampled negatives too', async () => {
    const sampled = { ...config, training: { ...config.training, negativeSampling: 0.6 } };
    await train(inputsOf('sampled', { config: sampled }));
    const given = inputsOf('often', { config: sampled });
    const checkpoint = `${given.out}.checkpoint`;
    await train({ ...given, isInterrupted: interruptedAfter(3) });
    for (const steps of [2, 4]) await train({ ...given, from: checkpoint, isInterrupted: interruptedAfter(steps) });
    await train({ ...given, from: checkpoint });
    expect(bytesOf('often')).toEqual(bytesOf('sampled'));
  });

  it('goes on with its best validation and its patience where it was interrupted', async () => {
    // Rates so high that validation gets worse before the end.
    const rates = { learningRate: 0.02, embeddingLearningRate: 0.05, decayTo: 1 };
    const wild = parseConfig({
      model: { hidden: [8] },
      training: { batchSize: 64, epochs: 3, validationsPerEpoch: 6, patience: 3, ...rates },
    });
    const shown: string[] = [];
    const line = (text: string) => void shown.push(text);
    await train(inputsOf('wild', { config: wild, reporter: { ...silentReporter, line } }));
    const examples = shown.flatMap((text) => /^(\d+) examples: validation/.exec(text)?.[1] ?? []).map(Number);
    // It ended early: three validations after the best, which lies before the interruptions below.
    const steps = Math.ceil((examples.at(-1) as number) / 64);
    expect(steps).toBeLessThan(3 * 38);
    expect(examples.length).toBeGreaterThan(4);
    for (const back of [1, 4, 9]) {
      const given = inputsOf(`wild${back}`, { config: wild });
      await train({ ...given, isInterrupted: interruptedAfter(steps - back) });
      await train({ ...given, from: `${given.out}.checkpoint` });
      expect(bytesOf(`wild${back}`)).toEqual(bytesOf('wild'));
      expect(report(`wild${back}`)).toBe(report('wild'));
    }
  });

  it('resumes from the checkpoint of a process that died, without validating twice', async () => {
    const given = inputsOf('died');
    let steps = 0;
    const dying = async () => (typed: TypedModel, options: LearnerOptions) => {
      const learner = createTfjsLearner(typed, backend, options);
      const step = learner.step.bind(learner);
      learner.step = (batch, rate) => {
        if (++steps > 9) throw new Error('killed');
        return step(batch, rate);
      };
      return learner;
    };
    await expect(train({ ...given, loadLearner: dying })).rejects.toThrow('killed');
    const shown: string[] = [];
    const reporter = { ...silentReporter, line: (text: string) => void shown.push(text) };
    await train({ ...given, from: `${given.out}.checkpoint`, reporter });
    await train(inputsOf('lived'));
    expect(bytesOf('died')).toEqual(bytesOf('lived'));
    expect(report('died')).toBe(report('lived'));
    expect(shown.filter((text) => text.startsWith('896 examples: validation'))).toEqual([]);
  });

  it('keeps a checkpoint that is a bundle of its own', async () => {
    const given = inputsOf('kept');
    await train({ ...given, isInterrupted: interruptedAfter(8) });
    const bundle = await readBundle(`${given.out}.checkpoint`);
    expect(bundle.manifest.training).toMatchObject({ seed: 1, progress: { step: 8, batch: 8, epoch: 0 } });
  });

  it('warns where a checkpoint was made with another seed, configuration or data, and starts from its weights', async () => {
    const given = inputsOf('other');
    const checkpoint = `${given.out}.checkpoint`;
    await train({ ...given, isInterrupted: interruptedAfter(5) });
    const warnings: string[] = [];
    const reporter = { ...silentReporter, warn: (text: string) => void warnings.push(text) };
    const patient = { ...config, training: { ...config.training, patience: 5 } };
    const summary = await train({ ...given, from: checkpoint, seed: 2, config: patient, reporter });
    expect(warnings.join()).toContain(
      `--from ${checkpoint}: another configuration and seed than it began with; starting from its weights, from the first epoch on`,
    );
    expect(summary.interrupted).toBe(false);
  });

  it('starts warm from a bundle: its vocabularies, and a better first validation than from nothing', async () => {
    const curveOf = async (name: string, from?: string) => {
      const losses: number[] = [];
      const line = (text: string) => {
        const found = /validation log loss click ([\d.]+)/.exec(text);
        if (found !== null) losses.push(Number(found[1]));
      };
      await train(inputsOf(name, { from, reporter: { ...silentReporter, line } }));
      return losses;
    };
    const cold = await curveOf('cold');
    const warm = await curveOf('warm', join(folder, 'cold'));
    expect(warm[0]).toBeLessThan(cold[0]);
    const vocabularies = (name: string) => readFileSync(join(folder, name, 'vocabularies.safetensors'));
    expect(vocabularies('warm').equals(vocabularies('cold'))).toBe(true);
  });

  it('starts warm where negatives are sampled with the odds its bundle has, as if they had been sampled before', async () => {
    const sampled = {
      ...config,
      training: { ...config.training, negativeSampling: 0.25, learningRate: 1e-9, embeddingLearningRate: 1e-9 },
    };
    await train(inputsOf('served'));
    const before = await readBundle(join(folder, 'served'));
    await train(inputsOf('continued', { config: sampled, from: join(folder, 'served') }));
    const after = await readBundle(join(folder, 'continued'));
    const golden = (bundle: typeof before) => bundle.golden.probabilities.click;
    golden(after).forEach((p, row) => {
      expect(p).toBeCloseTo(golden(before)[row], 4);
    });
  });

  it('takes names of fields and labels that JavaScript’s objects have', async () => {
    const names: Record<string, string> = {
      userId: 'constructor',
      placement: 'toString',
      adId: 'hasOwnProperty',
      price: 'valueOf',
    };
    const text = JSON.stringify({
      ...tinySchema,
      labels: [
        { name: 'constructor', column: 'click' },
        { name: 'toString', column: 'conversion', after: 'constructor' },
      ],
      slices: ['toString'],
    }).replace(/"(userId|placement|adId|price)"/g, (_, name) => `"${names[name]}"`);
    const schema = JSON.parse(text.replace('"name":"valueOf"', '"name":"valueOf","column":"price"'));
    for (const field of schema.fields) if (field.name === 'toString') field.column = 'placement';
    const { metrics } = await train(inputsOf('odd', { schema: parseSchema(schema) }));
    expect(Object.keys(metrics.all as object)).toEqual(['constructor', 'toString']);
    const bundle = await readBundle(join(folder, 'odd'));
    const { scorer } = await createScorer(bundle, { engine: 'reference' });
    replayGolden(bundle, scorer, 1e-6);
    const { tasks, slices } = await evaluate(bundle, scorer, log, silentReporter);
    expect(Object.keys(tasks)).toEqual(['constructor', 'toString']);
    expect(Object.keys(slices)).toEqual(['toString']);
  });

  it('stops early when validation does not improve, and keeps the best weights', async () => {
    const wild = parseConfig({
      model: { hidden: [8] },
      training: { batchSize: 64, epochs: 20, learningRate: 0.5, embeddingLearningRate: 0.5, patience: 2, decayTo: 1 },
    });
    const losses: number[] = [];
    const line = (text: string) => {
      const found = /validation log loss click ([\d.]+), conversion ([\d.]+)/.exec(text);
      if (found !== null) losses.push(Number(found[1]) + Number(found[2]));
    };
    const summary = await train(inputsOf('early', { config: wild, reporter: { ...silentReporter, line } }));
    const best = losses.indexOf(Math.min(...losses));
    // Two validations after the best, and not the 80 of 20 epochs.
    expect(losses.length).toBe(best + 3);
    const all = summary.metrics.all as Record<string, { logLoss: number }>;
    expect(all.click.logLoss + all.conversion.logLoss).toBeCloseTo(losses[best], 3);
  });
});
