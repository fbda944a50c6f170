import type { FastifyInstance } from 'fastify';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createRanker, type Ranker } from '../ranking/ranker.ts';
import { type SampleMarket, sampleMarket, sampleRows } from '../ranking/sampleMarket.ts';
import { createReferenceScorer } from '../scoring/engines/reference/scorer.ts';
import type { AdCacheStats, Scorer } from '../scoring/scorer.ts';
import { createMetrics } from './metrics.ts';
import { buildServer, type ModelHost } from './server.ts';

let market: SampleMarket;
let ranker: Ranker;
let request: Record<string, unknown>;
const open: FastifyInstance[] = [];

beforeAll(async () => {
  market = await sampleMarket({ seed: 7 });
  ranker = createRanker(market.bundle, createReferenceScorer(market.bundle), { catalog: market.catalog });
  request = { user: market.user, context: market.context, slots: 3, candidates: sampleRows(market, false) };
});

afterEach(async () => {
  for (const app of open.splice(0)) await app.close();
});

/** A server whose every request takes 600 µs by its clock: one look at it on arrival, two while ranking, one at the end. */
function serve(host: ModelHost): FastifyInstance {
  let us = 0;
  const app = buildServer({ host, nowUs: () => (us += 200), newId: () => 'id' });
  open.push(app);
  return app;
}

const loaded = (scorer: Scorer = ranker.scorer) => ({ current: { ranker: { ...ranker, scorer }, reason: '' } });
const post = (app: FastifyInstance, payload: unknown) =>
  app.inject({ method: 'POST', url: '/v1/rank', payload: payload as object });

/** The samples of `GET /metrics`, by name with labels. */
async function scrape(app: FastifyInstance): Promise<Map<string, number>> {
  const response = await app.inject('/metrics');
  expect(response.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
  const lines = response.body.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.replace(/ [^ ]+$/, ''), Number(line.slice(line.lastIndexOf(' ') + 1))]));
}

describe('GET /metrics', () => {
  it('counts requests by route and status, with their duration', async () => {
    const app = serve(loaded());
    for (let i = 0; i < 3; i++) expect((await post(app, request)).statusCode).toBe(200);
    await post(app, {});
    await app.inject('/healthz');
    await app.inject('/nowhere/1');
    await app.inject('/nowhere/2');
    const samples = await scrape(app);
    const name = 'limelight_http_request_duration_seconds';
    expect(samples.get(`${name}_count{route="/v1/rank",status="200"}`)).toBe(3);
    expect(samples.get(`${name}_sum{route="/v1/rank",status="200"}`)).toBeCloseTo(3 * 600e-6, 9);
    expect(samples.get(`${name}_bucket{le="0.0005",route="/v1/rank",status="200"}`)).toBe(0);
    expect(samples.get(`${name}_bucket{le="0.0007",route="/v1/rank",status="200"}`)).toBe(3);
    expect(samples.get(`${name}_count{route="/v1/rank",status="422"}`)).toBe(1);
    expect(samples.get(`${name}_count{route="/healthz",status="200"}`)).toBe(1);
    // Paths that clients make up must not each become a series.
    expect(samples.get(`${name}_count{route="unknown",status="404"}`)).toBe(2);
  });

  it('has buckets from 100 µs to a second', async () => {
    const app = serve(loaded());
    await post(app, request);
    const bounds = [...(await scrape(app)).keys()].flatMap((sample) => {
      const found = /duration_seconds_bucket{le="([^"]+)",route="\/v1\/rank"/.exec(sample);
      return found === null ? [] : [Number(found[1].replace('+Inf', 'Infinity'))];
    });
    expect([bounds[0], bounds[bounds.length - 2]]).toEqual([0.0001, 1]);
    expect(bounds).toEqual(bounds.toSorted((a, b) => a - b));
    for (let i = 1; i < bounds.length - 1; i++) expect(bounds[i] / bounds[i - 1]).toBeLessThan(1.7);
  });

  it('counts the candidates of ranked requests, and refusals by their kind', async () => {
    const host: ModelHost = loaded();
    const app = serve(host);
    await post(app, request);
    await post(app, { ...request, candidates: [] });
    await post(app, { ...request, slotz: 1 });
    await app.inject({
      method: 'POST',
      url: '/v1/rank',
      payload: '{',
      headers: { 'content-type': 'application/json' },
    });
    host.current = undefined;
    await post(app, request);
    await app.inject('/nowhere');
    const samples = await scrape(app);
    expect(samples.get('limelight_rank_candidates_count')).toBe(1);
    expect(samples.get('limelight_rank_candidates_sum')).toBe(40);
    const errors = [...samples].filter(([name]) => name.startsWith('limelight_rank_errors_total'));
    expect(Object.fromEntries(errors)).toEqual({
      'limelight_rank_errors_total{kind="input"}': 2,
      'limelight_rank_errors_total{kind="malformed"}': 1,
      'limelight_rank_errors_total{kind="unavailable"}': 1,
    });
  });

  it('counts a bug of ours as internal', async () => {
    const broken: Scorer = { ...ranker.scorer, score: () => JSON.parse('{}').missing.property };
    const app = serve({
      current: { ranker: createRanker(market.bundle, broken, { catalog: market.catalog }), reason: '' },
    });
    expect((await post(app, request)).statusCode).toBe(500);
    expect((await scrape(app)).get('limelight_rank_errors_total{kind="internal"}')).toBe(1);
  });

  it('tells the model in use and its ad cache, also after another took its place', async () => {
    const stats = { hits: 30, misses: 10, entries: 10, bytes: 4096, budgetBytes: 65536 };
    const host: ModelHost = { current: undefined };
    const app = serve(host);
    const info = async () => [...(await scrape(app))].filter(([name]) => name.startsWith('limelight_model_info'));
    expect(await info()).toEqual([]);
    const withCache = (given: AdCacheStats): Scorer => ({
      ...ranker.scorer,
      engine: 'native (amx, bf16)',
      precision: 'bf16',
      adCacheStats: () => given,
    });
    host.current = loaded(withCache(stats)).current;
    expect(await info()).toEqual([
      ['limelight_model_info{name="sample",version="1",engine="native (amx, bf16)",precision="bf16"}', 1],
    ]);
    const samples = await scrape(app);
    const cache = ['hits_total', 'misses_total', 'hit_ratio', 'entries', 'bytes', 'budget_bytes'];
    expect(cache.map((name) => samples.get(`limelight_ad_cache_${name}`))).toEqual([30, 10, 0.75, 10, 4096, 65536]);
    expect((await app.inject('/v1/models')).json().models[0]).toMatchObject({ precision: 'bf16', adCache: stats });
    host.current = loaded().current;
    expect((await info()).map(([name]) => name)).toEqual([
      'limelight_model_info{name="sample",version="1",engine="reference",precision="fp32"}',
    ]);
    expect((await scrape(app)).get('limelight_ad_cache_hits_total')).toBe(0);
    expect((await scrape(app)).get('limelight_ad_cache_hit_ratio')).toBe(0);
  });

  it('tells of the process where that is asked for', async () => {
    const text = await createMetrics({ current: undefined }, { process: true }).registry.metrics();
    for (const name of [
      'process_cpu_seconds_total',
      'process_resident_memory_bytes',
      'nodejs_eventloop_lag_p99_seconds',
    ])
      expect(text).toMatch(new RegExp(`^${name} [0-9.e-]+$`, 'm'));
    expect(await createMetrics({ current: undefined }).registry.metrics()).not.toContain('process_cpu');
  });
});
