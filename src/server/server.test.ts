import type { FastifyInstance } from 'fastify';
import pino from 'pino';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createRanker, type Ranker } from '../ranking/ranker.ts';
import { type SampleMarket, sampleColumns, sampleMarket, sampleRows } from '../ranking/sampleMarket.ts';
import { createReferenceScorer } from '../scoring/engines/reference/scorer.ts';
import { schemaHash } from './modelInfo.ts';
import { buildServer, type ModelHost, type ServerOptions } from './server.ts';

let market: SampleMarket;
let ranker: Ranker;
let request: Record<string, unknown>;
const open: FastifyInstance[] = [];

beforeAll(async () => {
  market = await sampleMarket({ seed: 7 });
  ranker = createRanker(market.bundle, createReferenceScorer(market.bundle), {
    catalog: market.catalog,
    maxCandidates: 1000,
  });
  request = { user: market.user, context: market.context, slots: 3, candidates: sampleRows(market, false) };
});

afterEach(async () => {
  for (const app of open.splice(0)) await app.close();
});

function serve(options: Partial<ServerOptions> = {}, host?: ModelHost): FastifyInstance {
  let us = 0;
  let ids = 0;
  const app = buildServer({
    host: host ?? { current: { ranker, reason: 'asked for: plain JavaScript in float64' } },
    nowUs: () => (us += 250),
    newId: () => `id-${++ids}`,
    ...options,
  });
  open.push(app);
  return app;
}

const post = (app: FastifyInstance, payload: unknown, headers: Record<string, string> = {}) =>
  app.inject({
    method: 'POST',
    url: '/v1/rank',
    headers: { 'content-type': 'application/json', ...headers },
    payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
  });

describe('POST /v1/rank', () => {
  it('answers what the ranker does, with the latency beside it', async () => {
    const response = await post(serve(), { ...request, requestId: 'page-9', explain: true });
    expect(response.statusCode).toBe(200);
    expect(response.headers['content-type']).toMatch(/^application\/json/);
    expect(response.headers['x-latency-us']).toBe('250');
    const answer = ranker.rank({ ...request, requestId: 'page-9', explain: true });
    expect(response.json()).toEqual(JSON.parse(JSON.stringify(answer)));
    expect(response.json().slots).toHaveLength(3);
  });

  it('answers columns and rows alike', async () => {
    const app = serve();
    const rows = await post(app, request);
    const columns = await post(app, { ...request, candidates: sampleColumns(market, false) });
    expect(columns.body).toBe(rows.body);
  });

  it('echoes a fit request id in its header, and makes one otherwise', async () => {
    const app = serve();
    expect((await post(app, request, { 'x-request-id': 'abc-1' })).headers['x-request-id']).toBe('abc-1');
    expect((await post(app, request, { 'x-request-id': 'a b\tc' })).headers['x-request-id']).toBe('id-1');
    expect((await post(app, {})).headers['x-request-id']).toBe('id-2');
  });

  it.each<[string, unknown, number, string, RegExp]>([
    ['no fields of the user', { user: {} }, 422, 'input', /lack field 'userId' \(integer\), 'clickedAds'/],
    ['a wrong type', { context: { hour: 'noon' } }, 422, 'input', /field 'hour': expected integer, got "noon"/],
    ['an unknown field', { context: { hour: 1, huor: 2 } }, 422, 'input', /unknown field 'huor'; did you mean 'hour'/],
    ['an unknown key', { slotz: 3 }, 422, 'input', /unknown 'slotz'/],
    ['no candidates', { candidates: [] }, 422, 'input', /expected at least 1, got 0/],
    ['too many', { candidates: new Array(1001).fill(1) }, 413, 'tooLarge', /expected at most 1000, got 1001/],
    ['a negative bid', { candidates: [{ adId: 1, distance: 1, bidMicros: -1 }] }, 422, 'input', /bidMicros is -1/],
    ['an unknown ad', { candidates: [{ adId: 777 }] }, 422, 'input', /\(ad 777\): lacks 'bidType'; the catalog has no/],
  ])('refuses %s', async (_, change, status, kind, message) => {
    const response = await post(serve(), { ...request, ...(change as object) });
    expect(response.statusCode).toBe(status);
    const { error } = response.json();
    expect(Object.keys(response.json())).toEqual(['error']);
    expect(error.kind).toBe(kind);
    expect(error.message).toMatch(message);
    expect(response.body).not.toMatch(/\.ts|node_modules|\\n +at /);
  });

  it('refuses a bid type that the model has no task for with 422', async () => {
    const clicks = await sampleMarket({ seed: 8, labels: ['click'] });
    const served = createRanker(clicks.bundle, createReferenceScorer(clicks.bundle), { catalog: clicks.catalog });
    const candidates = [{ adId: 1, distance: 1, bidType: 'cpe', bidMicros: 5 }];
    const app = serve({}, { current: { ranker: served, reason: '' } });
    const response = await post(app, { user: clicks.user, context: clicks.context, slots: 1, candidates });
    expect(response.statusCode).toBe(422);
    expect(response.json().error).toMatchObject({
      kind: 'unsupported',
      message: expect.stringMatching(/'engagement'/),
    });
  });

  it('refuses a body that is not JSON, is empty, or poisons prototypes with 400', async () => {
    const app = serve();
    for (const [text, message] of [
      ['{"slots": 3,}', /body: not valid JSON \(.*; correct it/],
      ['', /expected a JSON object, got nothing/],
      ['{"__proto__": {"x": 1}}', /__proto__/],
      ['{"user": {"constructor": {"prototype": {"x": 1}}}}', /constructor/],
      ['{"slots": 1', /not valid JSON/],
    ] as const) {
      const response = await post(app, text);
      expect([response.statusCode, response.json().error.kind]).toEqual([400, 'malformed']);
      expect(response.json().error.message).toMatch(message);
    }
    for (const text of ['null', '[]', '3', '"x"']) expect((await post(app, text)).statusCode).toBe(422);
  });

  it('refuses a body over the limit with 413, which says the limit and what to do', async () => {
    const response = await post(serve({ bodyLimitBytes: 2 ** 20 }), ' '.repeat(2 ** 20 + 1));
    expect([response.statusCode, response.json().error.kind]).toEqual([413, 'tooLarge']);
    expect(response.json().error.message).toMatch(/the limit of 1048576 bytes \(1\.0 MiB\); .*--body-limit-mb/);
  });

  it('refuses other content types and encodings with 415', async () => {
    const app = serve();
    const payload = JSON.stringify(request);
    for (const headers of [
      { 'content-type': 'text/plain' },
      { 'content-type': '' },
      { 'content-type': 'application/xml' },
    ]) {
      const response = await app.inject({ method: 'POST', url: '/v1/rank', headers, payload });
      expect([response.statusCode, response.json().error.kind]).toEqual([415, 'mediaType']);
    }
    const zipped = await post(app, request, { 'content-encoding': 'gzip' });
    expect([zipped.statusCode, zipped.json().error.message]).toEqual([415, expect.stringMatching(/'gzip' is not/)]);
    expect((await post(app, request, { 'content-type': 'application/json; charset=utf-8' })).statusCode).toBe(200);
  });

  it('tells of our own mistakes only an id, and logs the rest under it', async () => {
    const lines: Record<string, unknown>[] = [];
    const logger = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
    const broken = { ...ranker, rank: () => JSON.parse('{}').missing.property } as unknown as Ranker;
    const response = await post(serve({ logger }, { current: { ranker: broken, reason: '' } }), request);
    expect(response.statusCode).toBe(500);
    expect(response.json().error).toMatchObject({ kind: 'internal', id: 'id-1' });
    expect(response.body).not.toMatch(/undefined|property/);
    const logged = lines.find(({ msg }) => msg === 'internal error') as { err: { stack: string }; requestId: string };
    expect(logged.requestId).toBe('id-1');
    expect(logged.err.stack).toMatch(/TypeError/);
  });

  it('logs one line a request, with its id, status, latency and candidates', async () => {
    const lines: Record<string, unknown>[] = [];
    const app = serve({
      logger: pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) }),
    });
    await post(app, request, { 'x-request-id': 'r7' });
    await app.inject('/healthz');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ requestId: 'r7', method: 'POST', url: '/v1/rank', status: 200, candidates: 40 });
    expect(lines[0].latencyUs).toBeGreaterThan(0);
  });
});

describe('the other routes', () => {
  it('tell whether the server lives, and whether a model is ready', async () => {
    const host: ModelHost = { current: undefined };
    const app = serve({}, host);
    expect((await app.inject('/healthz')).statusCode).toBe(200);
    for (const response of [await app.inject('/readyz'), await post(app, request)]) {
      expect(response.statusCode).toBe(503);
      expect(response.json().error.kind).toBe('unavailable');
    }
    expect((await app.inject('/v1/models')).json()).toEqual({ models: [] });
    host.current = { ranker, reason: 'now' };
    expect((await app.inject('/readyz')).json()).toEqual({
      status: 'ready',
      model: { name: 'sample', version: '1' },
      engine: 'reference',
      goldenRequests: 4,
    });
    expect((await post(app, request)).statusCode).toBe(200);
  });

  it('tell what the model is and what a request must hold', async () => {
    const [model] = (await serve().inject('/v1/models')).json().models;
    expect(model).toMatchObject({
      name: 'sample',
      version: '1',
      architecture: 'senet-dnn',
      tasks: ['click', 'conversion', 'engagement'],
      engine: 'reference',
      engineReason: 'asked for: plain JavaScript in float64',
      precision: 'fp32',
      adCache: null,
      catalog: { adCount: 40 },
      metrics: market.bundle.manifest.metrics,
    });
    expect(model.schema.hash).toMatch(/^[0-9a-f]{64}$/);
    const { userOrContext, candidates, constant } = model.request;
    expect(userOrContext[0]).toEqual({
      name: 'userId',
      column: 'user_id',
      kind: 'id',
      type: 'integer',
      scope: 'request',
    });
    expect(userOrContext.map(({ name }: { name: string }) => name)).toEqual([
      'userId',
      'clickedAds',
      'age',
      'visits',
      'hour',
    ]);
    const where = Object.fromEntries(
      candidates.map((c: { name: string; inCatalog: boolean }) => [c.name, c.inCatalog]),
    );
    expect(where).toEqual({ adId: true, topic: true, keywords: true, image: true, distance: false });
    expect(constant).toMatchObject([{ name: 'position', servingValue: 1 }]);
  });

  it('hash a schema whatever the order of its keys', () => {
    expect(schemaHash({ a: 1, b: [{ c: null, d: 'x' }] })).toBe(schemaHash({ b: [{ d: 'x', c: null }], a: 1 }));
    expect(schemaHash({ a: 1 })).not.toBe(schemaHash({ a: 2 }));
  });

  it('are listed where a path is unknown, and a wrong method is told the right one', async () => {
    const app = serve();
    const unknown = await app.inject('/v1/rnak?x=1');
    expect([unknown.statusCode, unknown.json().error]).toEqual([
      404,
      {
        kind: 'missing',
        message:
          'no route GET /v1/rnak; there are POST /v1/rank, POST /v1/events, GET /v1/models, GET /metrics, GET /healthz and GET /readyz',
      },
    ]);
    const broken = await app.inject('/v1/rank%ff');
    expect([broken.statusCode, broken.json().error.kind]).toEqual([400, 'malformed']);
    const wrong = await app.inject('/v1/rank');
    expect([wrong.statusCode, wrong.headers.allow, wrong.json().error]).toEqual([
      405,
      'POST',
      { kind: 'method', message: '/v1/rank takes POST, got GET' },
    ]);
  });
});
