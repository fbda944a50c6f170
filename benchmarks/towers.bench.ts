import type { Scorer } from '../src/scoring/scorer.ts';
import { contestantsOf, loadContestant } from './serving/contestants.ts';
import { Latency } from './serving/latency.ts';
import type { Topic, TopicOptions, TopicResult } from './topic.ts';
import { describeTowers, smallTowerSize, TowerMarket, towerSize } from './towers/market.ts';

const seed = 41;
/** Room for what is kept of every ad and creative. */
const warmMb = 512;

interface Case {
  readonly creatives: number;
  /** Whether an engine is told which rows are of one ad. */
  readonly as: 'candidates' | 'rows';
}

const cases: readonly Case[] = [
  { creatives: 1, as: 'rows' },
  { creatives: 1, as: 'candidates' },
  { creatives: 5, as: 'candidates' },
  { creatives: 5, as: 'rows' },
];

/** What five creatives of each ad cost beside one: the left tower runs once an ad, the right one once a creative. */
export const towers: Topic = {
  name: 'towers',
  summary: 'scoring 500 ads of 5 creatives beside 500 of 1, by engine, and every creative as a row of its own',
  async run(options) {
    const { small, rounds, log } = options;
    const size = small ? smallTowerSize : towerSize;
    const market = new TowerMarket(size, seed);
    const rows: TopicResult['rows'][number][] = [];
    const notes: string[] = [];
    for (const contestant of contestantsOf({ ...options, engines: options.engines ?? ['native'] }))
      for (const adCache of contestant.keepsAds ? (['cold', 'warm'] as const) : (['none'] as const))
        for (const ads of options.candidates ?? (small ? [10] : [500])) {
          const load = () => loadContestant(market.bundle, contestant, adCache === 'warm' ? warmMb : 0);
          const [candidates, byRow] = [await load(), await load()];
          if ('missing' in candidates || 'missing' in byRow) {
            if ('missing' in candidates) notes.push(candidates.missing);
            continue;
          }
          // One each, since a scorer that has been asked for creatives scores rows as candidates of one.
          const scorers = { candidates: candidates.scorer, rows: byRow.scorer };
          if (adCache === 'warm') seeEveryCreative(scorers, market);
          rows.push(...measure(scorers, market, ads, adCache, { small, rounds }));
          log(JSON.stringify(rows.slice(-cases.length)));
          for (const scorer of Object.values(scorers)) scorer.dispose();
        }
    return {
      setting: `${describeTowers(size)}; each request a new user and new ads; from encoded ids to probabilities, times in µs`,
      seed,
      rows,
      notes: [
        ...notes,
        'rows: no candidates named, so that each creative is a row that has its ad’s fields again',
        'cost is that of the same engine’s 500 candidates of one creative, over the medians of both',
      ],
    };
  },
};

type Scorers = Readonly<Record<Case['as'], Scorer>>;

function seeEveryCreative(scorers: Scorers, market: TowerMarket): void {
  for (const as of ['candidates', 'rows'] as const) for (const input of market.every(200, as)) scorers[as].score(input);
}

function measure(
  scorers: Scorers,
  market: TowerMarket,
  ads: number,
  adCache: string,
  { small, rounds }: Pick<TopicOptions, 'small' | 'rounds'>,
): TopicResult['rows'] {
  const times = cases.map(() => new Latency());
  // As in service: one kind of request after another of its kind, and the kinds in turn, so that all meet the same machine.
  const [turns, inTurn] = small ? [1, 3] : [rounds * 5, 100];
  for (let turn = 0; turn < turns; turn++)
    cases.forEach(({ creatives, as }, i) => {
      for (let request = -Math.ceil(inTurn / 10); request < inTurn; request++) {
        const input = market.request(ads, creatives, as);
        if (request < 0) scorers[as].score(input);
        else times[i].time(() => scorers[as].score(input));
      }
    });
  const one = times[cases.findIndex(({ creatives, as }) => creatives === 1 && as === 'candidates')].us(50);
  return cases.map(({ creatives, as }, i) => {
    const p50 = times[i].us(50);
    return {
      engine: scorers[cases[i].as].engine,
      'ad cache': adCache,
      request: `${ads} × ${creatives}, ${as}`,
      p50,
      p99: times[i].us(99),
      cost: p50 === null || one === null ? null : Number((p50 / one).toFixed(2)),
      requests: times[i].count,
    };
  });
}
