import { createRanker, createScorer, loadBundle, loadCatalog } from '../../src/index.ts';
import type { EngineChoice } from '../../src/scoring/engines.ts';
import { Latency } from '../serving/latency.ts';
import { Market, type MarketSize } from '../serving/market.ts';
import { RequestStream } from '../serving/requests.ts';

/*
 * Loads what it is told to, says so, and on a word answers requests as fast as it can for some seconds; then ends.
 */

export interface ProcessTask {
  readonly folder: string;
  readonly catalogFile: string;
  readonly market: MarketSize;
  readonly choice: EngineChoice;
  readonly candidates: number;
  readonly seconds: number;
  readonly seed?: number;
}

export interface ProcessResult {
  readonly engine: string;
  readonly requestsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

/** Made before the clock runs, and more of them than a cache holds ads. */
const prepared = 400;

process.once('message', async (task: ProcessTask) => {
  const bundle = await loadBundle(task.folder);
  const catalog = await loadCatalog(task.catalogFile, bundle);
  const { scorer } = await createScorer(bundle, task.choice);
  const ranker = await createRanker(bundle, scorer, { catalog });
  const stream = new RequestStream({ market: new Market(task.market), bundle, catalog }, task.seed ?? 0);
  const requests = Array.from({ length: prepared }, () => stream.next(task.candidates).json);
  for (const request of requests) ranker.rank(request);
  process.once('message', () => {
    const latency = new Latency();
    const start = performance.now();
    for (let i = 0; performance.now() - start < task.seconds * 1000; i++)
      latency.time(() => ranker.rank(requests[i % prepared]));
    const seconds = (performance.now() - start) / 1000;
    const result: ProcessResult = {
      engine: scorer.engine,
      requestsPerSecond: latency.count / seconds,
      p50Us: latency.us(50) ?? latency.meanUs(),
      p99Us: latency.us(99) ?? latency.meanUs(),
    };
    process.send?.(result, () => process.exit(0));
  });
  process.send?.('ready');
});
