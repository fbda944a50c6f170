import { createRanker } from '../src/ranking/ranker.ts';
import type { Scorer } from '../src/scoring/scorer.ts';
import { type Contestant, contestantsOf, loadContestant } from './serving/contestants.ts';
import { Latency } from './serving/latency.ts';
import { benchSize, describeSize, smallSize } from './serving/market.ts';
import { type ServedQuality, servedQuality } from './serving/quality.ts';
import { RequestStream } from './serving/requests.ts';
import { seeEveryAd, timeRequests } from './serving/timeRequests.ts';
import { type TrainedMarket, trainedMarket } from './serving/trained.ts';
import type { Topic, TopicOptions, TopicResult } from './topic.ts';

const seed = 11;
/** Room for what is kept of every ad. */
const warmMb = 1024;

/** Of one contestant, with or without what it keeps of ads, at one number of candidates. */
interface Case {
  readonly engine: string;
  readonly adCache: 'none' | 'cold' | 'warm';
  readonly candidates: number;
  readonly quality: ServedQuality;
  readonly rank: Latency;
  readonly score: Latency;
}

/** One ranking request in process: all of it, and its scoring alone. */
export const hotPath: Topic = {
  name: 'hot-path',
  summary: 'latency of one ranking request in process, end to end and its scoring alone, by engine and candidates',
  async run(options) {
    const { small, rounds, log } = options;
    const size = small ? smallSize : benchSize;
    const trained = await trainedMarket(size, log);
    const stream = new RequestStream(trained, seed);
    const cases = new Map<string, Case>();
    const qualities = new Map<string, ServedQuality>();
    const notes = new Set<string>();
    for (let round = 0; round < rounds; round++)
      for (const contestant of contestantsOf(options))
        for (const adCache of contestant.keepsAds ? (['cold', 'warm'] as const) : (['none'] as const))
          await measure({ options, trained, stream, contestant, adCache, cases, qualities, notes });
    return {
      setting: `${describeSize(size)}; each request a new user and new candidates by their ad ids, 4 slots; times in µs`,
      seed,
      rows: [...cases.values()].map(rowOf),
      notes: [
        ...notes,
        'rank is a whole request, from parsed JSON to slots with prices; score its part from encoded ids to probabilities',
        'AUC and log loss are of clicks in 20,000 impressions nobody trained on, answered by that engine',
      ],
    };
  },
};

interface Turn {
  readonly options: TopicOptions;
  readonly trained: TrainedMarket;
  readonly stream: RequestStream;
  readonly contestant: Contestant;
  readonly adCache: Case['adCache'];
  readonly cases: Map<string, Case>;
  readonly qualities: Map<string, ServedQuality>;
  readonly notes: Set<string>;
}

async function measure({
  options,
  trained,
  stream,
  contestant,
  adCache,
  cases,
  qualities,
  notes,
}: Turn): Promise<void> {
  const { small, log } = options;
  const { bundle, catalog } = trained;
  const loaded = await loadContestant(bundle, contestant, adCache === 'warm' ? warmMb : 0);
  if ('missing' in loaded) {
    notes.add(loaded.missing);
    return;
  }
  const { scorer, reason } = loaded;
  if (contestant.choice.backend === 'tensorflow')
    notes.add(reason.includes('CUDA') ? `GPU: ${reason}` : `no GPU: ${contestant.name} runs on the CPU`);
  const ranker = createRanker(bundle, scorer, { catalog });
  const named = `${contestant.name} ${adCache}`;
  if (adCache === 'warm') {
    seeEveryAd(scorer, stream);
    notes.add(`${contestant.name}, warm: ${keptBy(scorer)}`);
  }
  for (const candidates of options.candidates ?? (small ? [1, 20] : [50, 200, 500, 1_000, 5_000])) {
    const key = `${named} ${candidates}`;
    let at = cases.get(key);
    if (at === undefined) {
      let quality = qualities.get(named);
      if (quality === undefined) qualities.set(named, (quality = servedQuality(trained, scorer, small ? 20 : 400)));
      at = { engine: scorer.engine, adCache, candidates, quality, rank: new Latency(), score: new Latency() };
      cases.set(key, at);
    }
    timeRequests(ranker, stream, candidates, at, small ? 0.02 : 2);
    log(
      `${scorer.engine}, ads ${adCache}, ${candidates} candidates: rank ${at.rank.us(50)} µs, score ${at.score.us(50)} µs`,
    );
  }
  scorer.dispose();
}

function keptBy(scorer: Scorer): string {
  const stats = scorer.adCacheStats?.();
  return stats === undefined || stats.entries === 0
    ? 'nothing of an ad is worth keeping'
    : `${stats.entries.toLocaleString('en')} ads kept in ${(stats.bytes / 2 ** 20).toFixed(0)} MiB`;
}

function rowOf({ engine, adCache, candidates, quality, rank, score }: Case): TopicResult['rows'][number] {
  return {
    engine,
    'ad cache': adCache,
    candidates,
    'rank p50': rank.us(50),
    'rank p90': rank.us(90),
    'rank p99': rank.us(99),
    'rank p99.9': rank.us(99.9),
    'score p50': score.us(50),
    'score p90': score.us(90),
    'score p99': score.us(99),
    'score p99.9': score.us(99.9),
    AUC: Number(quality.auc.toFixed(5)),
    'log loss': Number(quality.logLoss.toFixed(5)),
    requests: rank.count,
  };
}
