import { createAdHistory } from '../src/history/adHistory.ts';
import { createHistoryRows } from '../src/history/assemble.ts';
import { createHistory } from '../src/history/createHistory.ts';
import type { History } from '../src/history/history.ts';
import { rankingRows } from './history/ranking.ts';
import { drawKeys, drawLog, type LogSize, type Workload, workloads } from './history/workload.ts';
import { Latency } from './serving/latency.ts';
import { median, type Topic, type TopicOptions, type TopicResult } from './topic.ts';

const seed = 41;
const lookupCount = 4000;

/** What history costs: replaying a log with features, and looking a request's up. */
export const history: Topic = {
  name: 'history',
  summary:
    'click sequences and counters: events replayed with their features, bytes held, and the lookup of one user and 500 ads',
  async run(options) {
    const { small, log } = options;
    const large: LogSize = small ? { userCount: 50, adCount: 100 } : { userCount: 50_000, adCount: 100_000 };
    const ofKuairand: LogSize = small ? { userCount: 27, adCount: 100 } : { userCount: 27_000, adCount: 7_600 };
    const [twenty, kuairand] = workloads();
    const cases: [Workload, LogSize][] = [
      [twenty, large],
      [twenty, ofKuairand],
      [kuairand, large],
    ];
    const eventCount = small ? 2_000 : 1_000_000;
    const rows: TopicResult['rows'][number][] = [];
    for (const [workload, size] of cases) {
      const rates: number[] = [];
      let held: History | undefined;
      for (let round = 0; round < options.rounds; round++) {
        held = undefined;
        const replayed = replay(workload, eventCount, size);
        held = replayed.history;
        rates.push(replayed.eventsPerSecond);
      }
      const { keys, bytes } = (held as History).stats();
      const values = workload.plan.counters.length;
      log(`${workload.name}, ${size.userCount} users: ${Math.round(median(rates))} events/s with features; lookups`);
      rows.push({
        history: workload.name,
        users: size.userCount,
        ads: size.adCount,
        'numbers a row': workload.schema.fields.reduce(
          (sum, f) => sum + (f.kind === 'vector' && f.standardise ? f.length : 0),
          0,
        ),
        'events/s with features': Math.round(median(rates)),
        'bytes a key': Math.round(bytes / keys),
        'values a key': Number((valueCount(workload) / values).toFixed(1)),
        ...lookups(workload, held as History, size, options),
      });
    }
    const ranking = await rankingRows(options, seed);
    rows.push(...ranking.rows);
    return {
      setting: `a log of ${eventCount} impressions, outcomes a minute later; one thread`,
      seed,
      rows,
      notes: [
        'with features: each impression’s row of history is read, then the impression is added, as training and backfill do',
        'lookup: a new user and 500 new ads by their row of the catalog, a millisecond after the last request; after a tick: the same where every request comes a tick after the last, so that nothing is kept',
        ...ranking.notes,
      ],
    };
  },
};

function valueCount({ plan }: Workload): number {
  return plan.counters.reduce((sum, { over = [1], values }) => sum + over.length * values.length, 0);
}

function replay({ plan }: Workload, eventCount: number, size: LogSize): { history: History; eventsPerSecond: number } {
  const log = drawLog(plan, eventCount, size, seed);
  const history = createHistory(plan);
  const out = createHistoryRows(plan, 1);
  const start = performance.now();
  for (let row = 0; row < eventCount; row++) {
    const nowMs = log.eventMs[row];
    history.advance(nowMs);
    history.readRow(log.keys, row, nowMs, out, 0);
    history.add(log, row);
  }
  return { history, eventsPerSecond: (eventCount / (performance.now() - start)) * 1000 };
}

/** µs of one user's and 500 ads' history. */
function lookups({ plan }: Workload, history: History, size: LogSize, { small }: TopicOptions) {
  const adRows = Int32Array.from({ length: size.adCount }, (_, ad) => ad);
  const ofAds = drawKeys(plan, size.adCount, size, seed, adRows);
  const isOfAd = plan.keyFields.map(({ scope }) => scope !== 'request');
  const ads = createAdHistory(
    history,
    ofAds.map((keys, k) => (isOfAd[k] ? keys : undefined)),
  );
  const count = small ? 20 : 500;
  const out = createHistoryRows(plan, count);
  const requests = drawKeys(plan, lookupCount, size, seed + 1);
  const drawn = Int32Array.from(
    drawKeys(plan, (small ? 20 : lookupCount) * count, size, seed + 2)[isOfAd.indexOf(true)].words.filter(
      (_, i) => i % 2 === 0,
    ),
  );
  const measured: Record<string, number | null> = {};
  let nowMs = history.watermarkMs + 120_000;
  for (const [name, stepMs] of [
    ['lookup', 1],
    ['lookup after a tick', 10_000],
  ] as const) {
    const latency = new Latency();
    const requestCount = small ? 20 : stepMs === 1 ? lookupCount : 500;
    for (let i = 0; i < requestCount; i++) {
      nowMs += stepMs;
      history.advance(nowMs);
      const chosen = drawn.subarray(i * count, (i + 1) * count);
      const read = () => ads.read(requests, i, nowMs, chosen, count, out);
      // The first half fills what is kept and lets V8 compile.
      if (i < requestCount / 2) read();
      else latency.time(read);
    }
    measured[`${name} p50 µs`] = latency.us(50);
    measured[`${name} p99 µs`] = latency.us(99);
  }
  return measured;
}
