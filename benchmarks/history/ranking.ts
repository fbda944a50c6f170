import { readFileSync } from 'node:fs';
import { readCatalog } from '../../src/catalog/catalog.ts';
import { messageOf } from '../../src/core/errors.ts';
import { createRandom, type Random } from '../../src/core/random.ts';
import { createHistory } from '../../src/history/createHistory.ts';
import type { History } from '../../src/history/history.ts';
import { createHistoryPlan, type HistoryPlan } from '../../src/history/historyPlan.ts';
import { buildModel } from '../../src/model/architectures.ts';
import type { Bundle } from '../../src/model/bundle.ts';
import type { RankRequest } from '../../src/ranking/body.ts';
import { createRanker, type Ranker } from '../../src/ranking/ranker.ts';
import { sampleBatch } from '../../src/ranking/sampleMarket.ts';
import { historyColumns } from '../../src/schema/derivedFields.ts';
import { columnOf, isMade } from '../../src/schema/fields.ts';
import { Fitter } from '../../src/schema/fit.ts';
import { parseSchema } from '../../src/schema/parseSchema.ts';
import type { Schema } from '../../src/schema/schema.ts';
import { columnTypes, randomColumns } from '../../src/scoring/conformance/randomBundle.ts';
import { createScorer } from '../../src/scoring/engines.ts';
import { batchFromJson } from '../../src/scoring/golden.ts';
import type { Scorer } from '../../src/scoring/scorer.ts';
import { Latency } from '../serving/latency.ts';
import { untrainedBundle } from '../serving/untrained.ts';
import type { TopicOptions, TopicResult } from '../topic.ts';
import { drawKeys, drawLog, type LogSize } from './workload.ts';

const folder = new URL('../../data/kuairand/', import.meta.url);
const readJson = (name: string) => JSON.parse(readFileSync(new URL(name, folder), 'utf8'));

/** A model of KuaiRand's, untrained, and how long its requests take: whole ones, and their scoring. */
interface Contestant {
  readonly name: string;
  readonly ranker: Ranker;
  readonly whole: Latency;
  readonly score: Latency;
}

type Columns = Record<string, unknown[]>;

/** What history adds to a ranking request: KuaiRand's schemas with and without, request by request in turn. */
export async function rankingRows(
  { small, log }: TopicOptions,
  seed: number,
): Promise<Pick<TopicResult, 'rows' | 'notes'>> {
  const size: LogSize = small ? { userCount: 50, adCount: 100 } : { userCount: 50_000, adCount: 20_000 };
  const count = small ? 20 : 500;
  const schema = parseSchema(readJson('schema.json'));
  const plan = createHistoryPlan(schema) as HistoryPlan;
  const random = createRandom(seed);
  const history = filled(plan, small ? 1_000 : 500_000, size, seed);
  const ads = adColumns(schema, plan, size, random);
  const contestants: Contestant[] = [];
  try {
    for (const [name, suffix] of [
      ['data/kuairand/schema.plain.json', '.plain'],
      ['data/kuairand/schema.json', ''],
    ])
      contestants.push(await contestantOf(name, suffix, ads, history, random));
  } catch (error) {
    return { rows: [], notes: [`requests were left out: ${messageOf(error)}`] };
  }
  const requestCount = small ? 10 : 2_000;
  const requests = requestsOf(schema, plan, requestCount, count, size, random);
  let nowMs = history.watermarkMs + 120_000;
  for (let i = 0; i < requestCount; i++) {
    history.advance(++nowMs);
    for (const { ranker, whole, score } of contestants) {
      whole.time(() => ranker.rank(requests[i], nowMs));
      // The first quarter fills what is kept and lets V8 compile.
      if (i === requestCount >> 2) for (const latency of [whole, score]) latency.reset();
    }
  }
  for (const { name, whole, ranker } of contestants) {
    log(`${name}: rank ${whole.us(50)} µs`);
    ranker.scorer.dispose();
  }
  return {
    rows: contestants.map(({ name, whole, score, ranker }) => ({
      history: `rank, ${ranker.scorer.engine}, ${name}`,
      'rank p50 µs': whole.us(50),
      'rank p99 µs': whole.us(99),
      'score p50 µs': score.us(50),
    })),
    notes: [
      `rank: a whole request of ${count} candidates of ${size.adCount.toLocaleString('en')} ads, with an untrained model of data/kuairand’s config; score: its part in the engine, so that the rest of the difference is what reading and encoding history takes`,
    ],
  };
}

function filled(plan: HistoryPlan, eventCount: number, size: LogSize, seed: number): History {
  const log = drawLog(plan, eventCount, size, seed);
  const history = createHistory(plan);
  for (let row = 0; row < eventCount; row++) history.add(log, row);
  return history;
}

async function contestantOf(
  name: string,
  suffix: string,
  ads: Columns,
  history: History,
  random: Random,
): Promise<Contestant> {
  const schema = parseSchema(readJson(`schema${suffix}.json`));
  const { architecture, model } = readJson(`config${suffix}.json`);
  const fitter = new Fitter(schema, random.fork('fit'));
  fitter.observe(batchFromJson(randomColumns(schema, 2_000, random.fork('rows')), 2_000, columnTypes(schema)));
  const fitted = fitter.finish();
  const bundle: Bundle = untrainedBundle(buildModel(architecture, schema, model), fitted);
  const catalog = await readCatalog([sampleBatch(ads, bundle)]);
  const { scorer } = await createScorer(bundle, { engine: 'native' });
  const score = new Latency();
  const timed: Scorer = {
    engine: scorer.engine,
    score: (input) => score.timed(() => scorer.score(input)),
    dispose: () => scorer.dispose(),
  };
  const hasHistory = createHistoryPlan(schema) !== undefined;
  const ranker = createRanker(bundle, timed, { catalog, ...(hasHistory && { history }) });
  return { name, ranker, whole: new Latency(), score };
}

/** A catalog: its keys as the log's, the rest at random. */
function adColumns(schema: Schema, plan: HistoryPlan, size: LogSize, random: Random): Columns {
  const { adCount } = size;
  const rows = Int32Array.from({ length: adCount }, (_, ad) => ad);
  const raw = randomColumns(schema, adCount, random.fork('ads'));
  return {
    ...columnsOf(schema, raw, 'ad'),
    ...keyColumns(plan, adCount, size, 0, 'ad', rows),
    adId: [...rows],
    campaignId: [...rows],
    advertiserId: Array.from(rows, (ad) => `advertiser ${ad % 100}`),
    bidType: Array.from(rows, () => 'cpc'),
    bidMicros: Array.from(rows, () => random.below(5_000_000)),
  };
}

function requestsOf(
  schema: Schema,
  plan: HistoryPlan,
  requestCount: number,
  count: number,
  size: LogSize,
  random: Random,
): RankRequest[] {
  const raw = randomColumns(schema, requestCount, random.fork('requests'));
  const users = { ...columnsOf(schema, raw, 'request'), ...keyColumns(plan, requestCount, size, 1, 'request') };
  return Array.from({ length: requestCount }, (_, i) => ({
    user: Object.fromEntries(Object.entries(users).map(([name, values]) => [name, values[i]])),
    slots: 4,
    candidates: {
      adId: Array.from({ length: count }, () => random.below(size.adCount)),
      video_upload_age_days: Array.from({ length: count }, () => random.below(30)),
    },
  }));
}

/** Without what history makes. */
function columnsOf(schema: Schema, columns: Columns, scope: 'ad' | 'request'): Columns {
  const derived = historyColumns(schema);
  const names = schema.fields.flatMap((field) =>
    !isMade(field) && field.scope === scope && !derived.has(field.name) ? [columnOf(field)] : [],
  );
  return Object.fromEntries(names.map((name) => [name, columns[name]]));
}

function keyColumns(
  plan: HistoryPlan,
  rowCount: number,
  size: LogSize,
  seed: number,
  scope: 'ad' | 'request',
  ads?: Int32Array,
): Columns {
  const keys = drawKeys(plan, rowCount, size, seed, ads);
  const own = plan.keyFields.map((field, k) => [field, keys[k]] as const).filter(([field]) => field.scope === scope);
  return Object.fromEntries(
    own.map(([field, { words }]) => [columnOf(field), [...words.filter((_, i) => i % 2 === 0)]]),
  );
}
