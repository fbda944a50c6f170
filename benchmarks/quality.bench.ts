import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { importKuairand } from '../data/kuairand/importKuairand.ts';
import { simulate } from '../data/simulator/simulate.ts';
import { createScorer, loadBundle, train } from '../src/index.ts';
import { realData } from '../test/realData.ts';
import { type Evaluation, evaluate } from '../training/evaluate.ts';
import { silentReporter } from '../training/reporter.ts';
import type { Topic, TopicOptions } from './topic.ts';

const readJson = (path: string) => JSON.parse(readFileSync(new URL(`../${path}`, import.meta.url), 'utf8'));

/** How well the shipped configurations predict, on public data and on the simulator, where the best possible is known. */
export const quality: Topic = {
  name: 'quality',
  summary: 'log loss and AUC of the shipped configurations, on KuaiRand and on the simulator',
  async run(options) {
    const folder = mkdtempSync(join(tmpdir(), 'limelight-quality-'));
    try {
      const simulator = await simulatorRows(folder, options);
      const drift = await driftRows(folder, options);
      const kuairand = options.small ? { rows: [], notes: [] } : await kuairandRows(folder, options);
      return {
        setting: 'trained on the past, measured on the days after it, calibrated as served',
        rows: [...kuairand.rows, ...simulator.rows, ...drift.rows],
        notes: [...kuairand.notes, ...simulator.notes],
      };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

interface Case {
  readonly schema: string | object;
  readonly config?: string | object;
  readonly architecture?: string;
  readonly train: string;
  readonly fromMs: number;
  /** All rows of `data` where absent. */
  readonly evaluateFromMs?: number;
  readonly data: string[];
  readonly out: string;
  readonly seed: number;
}

/** Trains as the command line would and measures on data. */
async function trained(given: Case): Promise<Evaluation> {
  const { schema, config = {}, architecture, out, seed } = given;
  await train({
    schema: typeof schema === 'string' ? readJson(schema) : schema,
    config: typeof config === 'string' ? readJson(config) : config,
    architecture,
    train: given.train,
    valid: { fromMs: given.fromMs },
    out,
    seed,
  });
  const bundle = await loadBundle(out);
  const { scorer } = await createScorer(bundle, {});
  const evaluation = await evaluate(bundle, scorer, given.data, silentReporter, { fromMs: given.evaluateFromMs });
  scorer.dispose();
  return evaluation;
}

const mean = (values: readonly (number | null)[]) =>
  values.reduce<number>((sum, value) => sum + (value ?? 0), 0) / values.length;
const digits = (value: number, count = 4) => Number(value.toFixed(count));

const withoutCounters = (schema: { fields: { kind: string }[] }) => ({
  ...schema,
  fields: schema.fields.filter(({ kind }) => kind !== 'counter'),
});

/** KuaiRand's shipped configurations: train to 05-04, measured on the two days after it. */
export const kuairandCases = {
  plain: { model: 'senet-dnn', schema: readJson('data/kuairand/schema.plain.json'), config: 'config.plain.json' },
  attention: {
    model: 'senet-dnn, attention to the last 30 impressions',
    schema: withoutCounters(readJson('data/kuairand/schema.json')),
    config: 'config.json',
  },
  history: {
    model: 'senet-dnn, attention and counters',
    schema: readJson('data/kuairand/schema.json'),
    config: 'config.json',
  },
};

/** Means over the seeds. */
export async function kuairandRows(
  folder: string,
  { log }: TopicOptions,
  cases = Object.values(kuairandCases),
  seeds: readonly number[] = [1, 2, 3],
) {
  const found = realData('kuairand');
  if ('missing' in found) return { rows: [], notes: [`KuaiRand was left out: ${found.missing}`] };
  const work = mkdtempSync(join(folder, 'kuairand-'));
  const out = join(work, 'log');
  await importKuairand(found.folder, out);
  const fromMs = Date.parse('2022-05-05T00:00:00+08:00');
  const rows: Record<string, string | number | null>[] = [];
  for (const [i, { model, schema, config }] of cases.entries()) {
    const results: Evaluation[] = [];
    for (const seed of seeds) {
      // All days: history is replayed over those before as well.
      const given = { train: out, fromMs, data: [out], evaluateFromMs: fromMs, seed, out: join(work, `${i}-${seed}`) };
      results.push(await trained({ ...given, schema, config: `data/kuairand/${config}` }));
      const { click } = results[results.length - 1].tasks;
      log(
        `KuaiRand, ${model}, seed ${seed}: click AUC ${click.auc?.toFixed(4)}, log loss ${click.logLoss?.toFixed(4)} (raw ${click.raw.logLoss?.toFixed(4)})`,
      );
    }
    for (const task of ['click', 'conversion'] as const) {
      rows.push({
        data: 'KuaiRand, 05-05 and 05-06',
        model: seeds.length === 1 ? model : `${model}, mean of ${seeds.length} seeds`,
        task,
        rows: results[0].rows,
        AUC: digits(mean(results.map(({ tasks }) => tasks[task].auc))),
        'log loss': digits(mean(results.map(({ tasks }) => tasks[task].logLoss))),
        'raw log loss': digits(mean(results.map(({ tasks }) => tasks[task].raw.logLoss))),
        'gap closed': null,
      });
    }
  }
  return { rows, notes: [] as string[] };
}

/** LR and SENet DNN on the static market. */
export function simulatorRows(folder: string, options: TopicOptions) {
  const schema = 'data/simulator/schema.json';
  return marketRows(folder, options, 'static', 1_000_000, [
    { model: 'lr', schema, architecture: 'lr', config: 'data/simulator/config.lr.json' },
    { model: 'senet-dnn', schema, ...senetDnn(options) },
  ]);
}

/** SENet DNN on the drifting market, without and with history. */
export function driftRows(folder: string, options: TopicOptions) {
  return marketRows(folder, options, 'drift', 200_000, [
    { model: 'senet-dnn', schema: 'data/simulator/schema.json', ...senetDnn(options) },
    { model: 'senet-dnn, with history', schema: 'data/simulator/schema.history.json', ...senetDnn(options) },
  ]);
}

function senetDnn({ small }: TopicOptions): Pick<Case, 'architecture' | 'config'> {
  return { architecture: 'senet-dnn', config: small ? { model: { hidden: [8] } } : 'data/simulator/config.json' };
}

/** Models on the last fifth of a market's log. */
async function marketRows(
  folder: string,
  { small, log }: TopicOptions,
  preset: string,
  size: number,
  models: readonly (Pick<Case, 'schema' | 'architecture' | 'config'> & { readonly model: string })[],
) {
  const impressionCount = small ? 3_000 : size;
  const market = join(folder, preset);
  const summary = await simulate({ outDir: market, impressionCount, seed: 1, preset });
  // The last 20 % of the log's days by time.
  const first = Date.parse(summary.days[0]);
  const fromMs = first + 0.8 * summary.days.length * 86_400_000;
  const rows: Record<string, string | number | null>[] = [];
  for (const [i, { model, ...given }] of models.entries()) {
    const { tasks } = await trained({
      ...given,
      train: join(market, 'log'),
      fromMs,
      evaluateFromMs: fromMs,
      data: [join(market, 'log')],
      out: join(folder, `${preset}-${i}`),
      seed: 1,
    });
    for (const task of ['click', 'conversion']) {
      const { auc, logLoss, raw, truth, constantLogLoss, rows: count } = tasks[task];
      const closed =
        truth && ((constantLogLoss ?? 0) - (logLoss ?? 0)) / ((constantLogLoss ?? 0) - (truth.logLoss ?? 0));
      rows.push({
        data: `simulator${preset === 'static' ? '' : ` (${preset})`}, ${impressionCount.toLocaleString('en')} impressions`,
        model,
        task,
        rows: count,
        AUC: digits(auc ?? Number.NaN),
        'log loss': digits(logLoss ?? Number.NaN),
        'raw log loss': digits(raw.logLoss ?? Number.NaN),
        'gap closed': closed === undefined ? null : `${(100 * closed).toFixed(1)} %`,
      });
    }
    log(`simulator, ${preset}, ${model}: ${JSON.stringify(rows[rows.length - 2])}`);
  }
  return {
    rows,
    notes: [
      'gap closed: of the log loss between the constant predictor and the truth, the true probability at the shown position',
    ],
  };
}
