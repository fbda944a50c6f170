import { randomInt } from 'node:crypto';
import Fastify, {
  errorCodes,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import { listOf } from '../core/errors.ts';
import { createRandom, type Random } from '../core/random.ts';
import { requestTimeMs } from '../ranking/requestTime.ts';
import { malformedJson, type Refusal, refusal, refusalOf } from './errors.ts';
import type { LoadedRanker } from './loadRanker.ts';
import { createMetrics, type ServerMetrics } from './metrics.ts';
import { modelInfo } from './modelInfo.ts';

export const defaultBodyLimitBytes = 16 * 2 ** 20;

/** The model in use; a reload puts another in its place between two requests. */
export interface ModelHost {
  /** Undefined while none is ready. */
  current: LoadedRanker | undefined;
}

export interface ServerOptions {
  readonly host: ModelHost;
  /** Microseconds on a clock that never goes back. */
  readonly nowUs: () => number;
  /** The time of requests and events, ms since 1970; the system's clock where absent. */
  readonly nowMs?: () => number;
  /** Whether time comes with requests and events instead: what happened before is served again. */
  readonly replay?: boolean;
  /** What creatives are drawn from; seeded by the system where absent. */
  readonly random?: Random;
  /** A new id for a request that brings none. */
  readonly newId: () => string;
  readonly bodyLimitBytes?: number;
  /** Structured logs; none where absent. */
  readonly logger?: FastifyBaseLogger;
  /** Those of this server alone, without the process's, where absent. */
  readonly metrics?: ServerMetrics;
}

/** The ranking server, not yet listening. */
export function buildServer(options: ServerOptions): FastifyInstance {
  const { host, nowUs, newId, bodyLimitBytes = defaultBodyLimitBytes, logger } = options;
  const metrics = options.metrics ?? createMetrics(host, options);
  const app = Fastify({
    ...(logger === undefined ? { logger: false } : { loggerInstance: logger }),
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    bodyLimit: bodyLimitBytes,
    // A client that sends its body a byte at a time must not hold a connection for ever.
    requestTimeout: 60_000,
    forceCloseConnections: 'idle',
    genReqId: (request) => idFrom(request.headers['x-request-id']) ?? newId(),
    clientErrorHandler: refuseBrokenHttp,
    frameworkErrors: (error, request, reply: FastifyReply) => {
      const message = `${error.message} (${request.method} ${request.url}); correct the URL`;
      return refuse(reply, refusal(400, 'malformed', message));
    },
  });
  app.removeContentTypeParser('text/plain');
  const parseJson = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, text, done) => {
    if (text === '') return done(new errorCodes.FST_ERR_CTP_EMPTY_JSON_BODY());
    parseJson(request, text, (error, json) => done(error && malformedJson(text, error), json));
  });
  const routes = addRoutes(app, options, metrics);
  addLogging(app, nowUs, metrics);
  app.setErrorHandler((error, request, reply) => {
    const known = refusalOf(error, bodyLimitBytes);
    if (known !== undefined) return refuse(reply, known);
    request.log.error({ err: error }, 'internal error');
    const message = `internal error ${request.id}: this is a bug of limelight's; the server's log has more under this id`;
    return refuse(reply, { status: 500, body: { error: { kind: 'internal', message, id: request.id } } });
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0];
    const methods = routes.filter(({ url }) => url === path).map(({ method }) => method);
    if (methods.length === 0) {
      const known = listOf(routes.map(({ method, url }) => `${method} ${url}`));
      return refuse(reply, refusal(404, 'missing', `no route ${request.method} ${path}; there are ${known}`));
    }
    reply.header('allow', methods.join(', '));
    return refuse(reply, refusal(405, 'method', `${path} takes ${listOf(methods)}, got ${request.method}`));
  });
  return app;
}

function refuse(reply: FastifyReply, { status, body }: Refusal) {
  reply.request.errorKind = body.error.kind;
  return reply.code(status).send(body);
}

/** A client's own id, if it is fit for a header and a log. */
function idFrom(header: unknown): string | undefined {
  return typeof header === 'string' && /^[\w.:-]{1,128}$/.test(header) ? header : undefined;
}

const rankUrl = '/v1/rank';
const eventsUrl = '/v1/events';

function addRoutes(app: FastifyInstance, options: ServerOptions, { registry }: ServerMetrics) {
  const { host, nowUs, nowMs = Date.now, replay, random = createRandom(randomInt(2 ** 32)) } = options;
  const notReady = refusal(503, 'unavailable', 'no model is ready yet; try again, and watch GET /readyz');

  /** When a request is, to which what is held is advanced. */
  const timeOf = (json: unknown, { ranker, history, creatives }: LoadedRanker) => {
    const saidMs = replay ? requestTimeMs(json, ranker.bundle.typed.schema) : nowMs();
    const timeMs = (replay ? history?.advance(saidMs) : history?.advanceByClock(saidMs)) ?? saidMs;
    creatives?.settleByClock(timeMs);
    return timeMs;
  };

  app.get('/healthz', () => ({ status: 'ok' }));

  app.get('/readyz', (_, reply) => {
    if (host.current === undefined) return refuse(reply, notReady);
    const { bundle, scorer } = host.current.ranker;
    const { name, version } = bundle.manifest;
    return { status: 'ready', model: { name, version }, engine: scorer.engine, goldenRequests: bundle.golden.rowCount };
  });

  app.get('/v1/models', () => ({ models: host.current === undefined ? [] : [modelInfo(host.current)] }));

  app.get('/metrics', async (_, reply) => reply.type(registry.contentType).send(await registry.metrics()));

  app.post(rankUrl, (request, reply) => {
    if (host.current === undefined) return refuse(reply, notReady);
    const begin = nowUs();
    const loaded = host.current;
    const isTimed = loaded.history !== undefined || loaded.creatives !== undefined;
    const time = isTimed ? () => timeOf(request.body, loaded) : undefined;
    const answer = loaded.ranker.rank(request.body, time, random);
    loaded.creatives?.answered(answer.slots);
    reply.header('x-latency-us', Math.round(nowUs() - begin));
    request.candidateCount = answer.candidateCount;
    return reply.send(answer);
  });

  app.post(eventsUrl, (request, reply) => {
    if (host.current === undefined) return refuse(reply, notReady);
    const { ranker, history, creatives } = host.current;
    if ((history === undefined && creatives === undefined) || ranker.events === undefined)
      return refuse(reply, takesNoEvents);
    const arrivedMs = replay ? undefined : (history?.advanceByClock(nowMs()) ?? nowMs());
    const rows = ranker.events.readRequest(request.body, { arrivedMs });
    const { creativeCounts } = rows;
    creatives?.check(creativeCounts);
    if (history === undefined) creatives?.checkArrivals(rows, ranker.bundle.typed.schema, replay === true);
    history?.add(rows);
    // Events that say when they arrived are in that order.
    creatives?.add(creativeCounts, arrivedMs ?? rows.arrivedMs[rows.rowCount - 1]);
    return { accepted: rows.rowCount, ...(creatives && { creatives: creativeCounts.length }) };
  });

  return [
    { method: 'POST', url: rankUrl },
    { method: 'POST', url: eventsUrl },
    { method: 'GET', url: '/v1/models' },
    { method: 'GET', url: '/metrics' },
    { method: 'GET', url: '/healthz' },
    { method: 'GET', url: '/readyz' },
  ];
}

const takesNoEvents = refusal(
  422,
  'unsupported',
  'events: the model has no sequences and no counters, and no policy learns which creatives to show, so nothing is kept of them; serve a model that has, or start the server with --creatives and --creative-policy',
);

declare module 'fastify' {
  interface FastifyRequest {
    receivedUs: number;
    candidateCount: number;
    /** Of the refusal it was answered with; empty where there was none. */
    errorKind: string;
  }
}

function addLogging(app: FastifyInstance, nowUs: () => number, metrics: ServerMetrics): void {
  app.decorateRequest('receivedUs', 0);
  app.decorateRequest('candidateCount', 0);
  app.decorateRequest('errorKind', '');
  app.addHook('onRequest', (request, reply, done) => {
    request.receivedUs = nowUs();
    reply.header('x-request-id', request.id);
    const encoding = request.headers['content-encoding'];
    if (encoding === undefined || encoding === 'identity') return done();
    void refuse(
      reply,
      refusal(415, 'mediaType', `body: content-encoding '${encoding}' is not supported; send plain JSON`),
    );
  });
  app.addHook('onResponse', (request, reply, done) => {
    const latencyUs = nowUs() - request.receivedUs;
    const route = request.routeOptions.url;
    metrics.answered(route ?? 'unknown', reply.statusCode, latencyUs / 1e6);
    if (request.candidateCount > 0) metrics.ranked(request.candidateCount);
    if (route === rankUrl && request.errorKind !== '') metrics.rankingFailed(request.errorKind);
    const line = {
      method: request.method,
      url: request.url,
      status: reply.statusCode,
      latencyUs: Math.round(latencyUs),
      ...(request.candidateCount > 0 ? { candidates: request.candidateCount } : {}),
    };
    if (isProbe(request)) request.log.debug(line, 'request');
    else request.log.info(line, 'request');
    done();
  });
}

/** Asked every few seconds by whatever watches the server. */
function isProbe({ url }: FastifyRequest): boolean {
  return url === '/healthz' || url === '/readyz' || url === '/metrics';
}

/** What comes before HTTP is understood cannot be routed; it is answered in the same form. */
function refuseBrokenHttp(error: Error & { code?: string }, socket: import('node:net').Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const tooLong = error.code === 'HPE_HEADER_OVERFLOW';
  const status = tooLong ? '431 Request Header Fields Too Large' : '400 Bad Request';
  const message = tooLong ? 'request headers are too long; send fewer' : 'not a valid HTTP/1.1 request; correct it';
  const body = JSON.stringify(refusal(400, 'malformed', message).body);
  if (socket.writable) {
    socket.write(
      `HTTP/1.1 ${status}\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    );
  }
  socket.destroySoon();
}
