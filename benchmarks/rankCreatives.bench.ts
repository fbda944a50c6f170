import { readCatalog } from '../src/catalog/catalog.ts';
import { readCreatives } from '../src/catalog/creatives.ts';
import { mix32 } from '../src/core/hash.ts';
import { createRandom } from '../src/core/random.ts';
import { createBandit } from '../src/creative/bandit.ts';
import { readBanditSettings } from '../src/creative/settings.ts';
import { buildModel } from '../src/model/architectures.ts';
import type { Bundle } from '../src/model/bundle.ts';
import { creativeArms } from '../src/ranking/creativeArms.ts';
import { createRanker, type Ranker } from '../src/ranking/ranker.ts';
import type { Column } from '../src/schema/columns.ts';
import { firstId, isMade } from '../src/schema/fields.ts';
import type { Fitted } from '../src/schema/fitted.ts';
import type { Field, Schema } from '../src/schema/schema.ts';
import { hashedVocabulary } from '../src/schema/vocabulary.ts';
import type { Scorer } from '../src/scoring/scorer.ts';
import { contestantsOf, loadContestant } from './serving/contestants.ts';
import { benchSize, describeSize, Market, smallSize } from './serving/market.ts';
import { untrainedBundle } from './serving/untrained.ts';
import { median, type Topic, type TopicOptions, type TopicResult } from './topic.ts';

const seed = 67;
const adsAsked = 500;
const perAd = 5;
const interests = 10;
const terms = 6;
const termCount = 20_000;
const creativeValues = { creativeId: 0, style: 40, colour: 24, headline: 12, images: 30_000, template: 300 };
/** Room for what is kept of every ad and creative. */
const warmMb = 2048;

interface Case {
  readonly name: string;
  readonly ranker: Ranker;
  /** Of each request. */
  readonly rankUs: number[];
  readonly scoreUs: number[];
}

/** One ranking request in process whose ads have creatives: all of it, and its scoring alone. */
export const rankCreatives: Topic = {
  name: 'rank-creatives',
  summary: 'one ranking request of 500 ads of 5 creatives in process, beside 500 of 1, and with a policy that explores',
  async run(options) {
    const size = options.small ? smallSize : { ...benchSize, adCount: 50_000 };
    const market = new Market(size);
    const bundle = bundleOf(market);
    const rows: TopicResult['rows'][number][] = [];
    const notes: string[] = [];
    const { engines = ['native'], precisions = ['fp32'] } = options;
    for (const contestant of contestantsOf({ engines, precisions })) {
      const loaded = await loadContestant(bundle, contestant, contestant.keepsAds ? warmMb : 0);
      if ('missing' in loaded) notes.push(loaded.missing);
      else {
        rows.push(...(await measure(loaded.scorer, bundle, market, options)));
        options.log(JSON.stringify(rows.slice(-3)));
        loaded.scorer.dispose();
      }
    }
    const { creativeId: _, ...values } = creativeValues;
    return {
      setting: `dual tower with random weights, ${describeSize(size).replace('SENet-DNN, ', '')}, ${1 + Object.keys(values).length} fields of creatives, a cross and a match of user and creative; each request new ads by their ids, 4 slots; times in µs`,
      seed,
      rows,
      notes: [
        ...notes,
        'rank is a whole request, from parsed JSON to slots with prices; score its part in the engine, which knows every ad and creative after a while',
      ],
    };
  },
};

async function measure(
  scorer: Scorer,
  bundle: Bundle,
  market: Market,
  { small, rounds }: TopicOptions,
): Promise<TopicResult['rows']> {
  const catalog = await readCatalog([{ rowCount: market.size.adCount, columns: market.catalog() }]);
  // A request of many creatives is scored in several blocks.
  let scoreUs = 0;
  const timed: Scorer = {
    ...scorer,
    score(input) {
      const begin = performance.now();
      const scores = scorer.score(input);
      scoreUs += (performance.now() - begin) * 1000;
      return scores;
    },
  };
  const rankerOf = async (count: number, policy?: string): Promise<Ranker> => {
    const columns = tableOf(market.size.adCount, count);
    const creatives = await readCreatives([{ rowCount: market.size.adCount * count, columns }], catalog);
    const bandit = policy && createBandit(creativeArms(catalog, creatives), readBanditSettings({ policy }));
    return createRanker(bundle, timed, { catalog, creatives, ...(bandit && { bandit }) });
  };
  const cases = [
    { name: `${adsAsked} × 1`, ranker: await rankerOf(1) },
    { name: `${adsAsked} × ${perAd}`, ranker: await rankerOf(perAd) },
    { name: `${adsAsked} × ${perAd}, default policy`, ranker: await rankerOf(perAd, 'default') },
  ].map((one): Case => ({ ...one, rankUs: [], scoreUs: [] }));
  const random = createRandom(seed);
  const turns = small ? 3 : rounds * 300;
  for (let turn = -Math.ceil(turns / 5); turn < turns; turn++)
    for (const one of cases) {
      const request = requestOf(market, random.below(market.userCount), () => 1 + random.below(market.size.adCount));
      scoreUs = 0;
      const begin = performance.now();
      one.ranker.rank(request, undefined, random);
      if (turn < 0) continue;
      one.rankUs.push((performance.now() - begin) * 1000);
      one.scoreUs.push(scoreUs);
    }
  const [first] = cases;
  return cases.map((one) => ({
    engine: scorer.engine,
    request: one.name,
    'rank p50': Math.round(median(one.rankUs)),
    'rank p90': Math.round(quantile(one.rankUs, 0.9)),
    'score p50': Math.round(median(one.scoreUs)),
    'rank cost': Number((median(one.rankUs) / median(first.rankUs)).toFixed(2)),
    'score cost': Number((median(one.scoreUs) / median(first.scoreUs)).toFixed(2)),
    requests: one.rankUs.length,
  }));
}

const quantile = (values: readonly number[], share: number) =>
  values.toSorted((a, b) => a - b)[Math.floor(share * (values.length - 1))];

function schemaOf(market: Market): Schema {
  const { fields, ...rest } = market.schema();
  const size = market.size.embeddingSize;
  const ofCreatives = Object.keys(creativeValues).map(
    (name) => ({ name, kind: 'id', scope: 'creative', size }) as const,
  );
  const more: Field[] = [
    ...ofCreatives,
    { name: 'interests', kind: 'ids', scope: 'request', table: 'terms', size },
    { name: 'terms', kind: 'ids', scope: 'creative', size },
    { name: 'ageStyle', kind: 'cross', of: ['ageBand', 'style'], size, buckets: 1000 },
    { name: 'interesting', kind: 'match', of: ['interests', 'terms'] },
  ];
  return { ...rest, fields: [...fields, ...more] };
}

function bundleOf(market: Market): Bundle {
  const { adCount, hidden } = market.size;
  const schema = schemaOf(market);
  const counts: Readonly<Record<string, number>> = {
    ...creativeValues,
    creativeId: adCount * perAd,
    adId: adCount,
    terms: termCount,
    ageStyle: 1000,
  };
  const own = schema.fields.filter(({ name, kind }) => kind !== 'match' && name !== 'interests');
  const read = schema.fields.filter((field) => !isMade(field));
  const fitted: Fitted = {
    vocabularies: new Map(own.map(({ name }) => [name, vocabularyOf(counts[name] ?? 5000)])),
    numbers: new Map(),
    vectors: new Map(),
    columnTypes: new Map(read.map(({ name, kind }) => [name, kind === 'ids' ? 'list of integer' : 'integer'])),
  };
  return untrainedBundle(buildModel('dual-tower', schema, { hidden }), fitted);
}

const vocabularyOf = (count: number) => hashedVocabulary(count, new Float64Array(count + firstId));

/** Of each ad the first so many of its creatives, with values that follow from their ids. */
function tableOf(adCount: number, count: number): Map<string, Column> {
  const rowCount = adCount * count;
  const numberOf = (row: number) => Math.floor(row / count) * perAd + (row % count);
  const column = (of: (row: number) => number): Column => ({
    type: 'integer',
    rowCount,
    values: Int32Array.from({ length: rowCount }, (_, row) => of(row)),
  });
  const drawn = (row: number, purpose: number) => mix32(row * 31 + purpose) >>> 0;
  const values = Object.entries(creativeValues).map(
    ([name, most], f) =>
      [name, column((row) => 1 + (most === 0 ? numberOf(row) : drawn(numberOf(row), f) % most))] as const,
  );
  const itemOf = (i: number) => 1 + (drawn(numberOf(Math.floor(i / terms)) * terms + (i % terms), 97) % termCount);
  const items = Int32Array.from({ length: rowCount * terms }, (_, i) => itemOf(i));
  return new Map<string, Column>([
    ...values,
    ['adId', column((row) => 1 + Math.floor(row / count))],
    [
      'terms',
      {
        type: 'list',
        rowCount,
        offsets: Int32Array.from({ length: rowCount + 1 }, (_, row) => row * terms),
        items: { type: 'integer', rowCount: items.length, values: items },
      },
    ],
  ]);
}

function requestOf(market: Market, user: number, ad: () => number) {
  const values = market.user(user);
  const fields = Object.fromEntries(market.userFields.map(({ name }, f) => [name, values[f]]));
  const liked = Array.from({ length: interests }, (_, i) => 1 + ((mix32(user * 13 + i) >>> 0) % termCount));
  return { user: { ...fields, interests: liked }, slots: 4, candidates: Array.from({ length: adsAsked }, ad) };
}
