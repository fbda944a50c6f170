import { EventEmitter, once } from 'node:events';
import net from 'node:net';
import { beforeAll, describe, expect, it } from 'vitest';
import { createRanker, type Ranker } from '../ranking/ranker.ts';
import { type SampleMarket, sampleMarket, sampleRows } from '../ranking/sampleMarket.ts';
import { createReferenceScorer } from '../scoring/engines/reference/scorer.ts';
import { listen, untilStopped } from './listen.ts';
import { buildServer } from './server.ts';
import { catalogRequest, warmUp, warmUpRequest } from './warmUp.ts';

let market: SampleMarket;
let ranker: Ranker;
let body: string;

beforeAll(async () => {
  market = await sampleMarket({ seed: 9 });
  ranker = createRanker(market.bundle, createReferenceScorer(market.bundle), { catalog: market.catalog });
  const candidates = sampleRows(market, false);
  body = JSON.stringify({ user: market.user, context: market.context, slots: 2, candidates });
});

const build = (served = ranker) =>
  buildServer({ host: { current: { ranker: served, reason: 'test' } }, nowUs: () => 0, newId: () => 'x' });

const headers = { 'content-type': 'application/json' };

describe('a listening server', () => {
  it('answers over HTTP what the ranker does, and stops at a signal', async () => {
    const app = build();
    const url = await listen(app, { host: '127.0.0.1', port: 0 });
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const signals = new EventEmitter();
    const stopped = untilStopped(app, signals as never);
    const response = await fetch(`${url}/v1/rank`, { method: 'POST', headers, body });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual(JSON.parse(JSON.stringify(ranker.rank(JSON.parse(body)))));
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    signals.emit('SIGTERM');
    expect(await stopped).toBe(true);
    expect(signals.listenerCount('SIGTERM') + signals.listenerCount('SIGINT')).toBe(0);
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
  });

  it('answers a request that is under way when the signal comes', async () => {
    const app = build();
    const { port } = new URL(await listen(app, { host: '127.0.0.1', port: 0 }));
    const signals = new EventEmitter();
    const stopped = untilStopped(app, signals as never);
    const socket = net.connect(Number(port), '127.0.0.1');
    const half = Math.floor(body.length / 2);
    const received = once(app.server, 'request');
    socket.write(
      `POST /v1/rank HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body.slice(0, half)}`,
    );
    await received;
    signals.emit('SIGINT');
    socket.write(body.slice(half));
    let answer = '';
    for await (const chunk of socket) answer += chunk;
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK/);
    expect(answer).toMatch(/"candidateCount":40/);
    expect(await stopped).toBe(true);
  });

  it('ends at once at a second signal', async () => {
    const app = build();
    const { port } = new URL(await listen(app, { host: '127.0.0.1', port: 0 }));
    const signals = new EventEmitter();
    const stopped = untilStopped(app, signals as never);
    const socket = net.connect(Number(port), '127.0.0.1').on('error', () => {});
    const received = once(app.server, 'request');
    socket.write(`POST /v1/rank HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{`);
    await received;
    signals.emit('SIGTERM');
    signals.emit('SIGTERM');
    expect(await stopped).toBe(false);
    socket.destroy();
  });

  it('says that a port is in use, and which option changes it', async () => {
    const first = build();
    const { port } = new URL(await listen(first, { host: '127.0.0.1', port: 0 }));
    await expect(listen(build(), { host: '127.0.0.1', port: Number(port) })).rejects.toThrow(
      new RegExp(
        `port ${port} of 127\\.0\\.0\\.1 is in use; stop the process that has it, or choose another \\(--port\\)`,
      ),
    );
    await first.close();
  });

  it('says that a host is not this machine', async () => {
    await expect(listen(build(), { host: '192.0.2.1', port: 0 })).rejects.toThrow(/host '192\.0\.2\.1' is no address/);
  });

  it('answers what is not HTTP in the same form', async () => {
    const app = build();
    const { port } = new URL(await listen(app, { host: '127.0.0.1', port: 0 }));
    const socket = net.connect(Number(port), '127.0.0.1');
    socket.write('nonsense\r\n\r\n');
    let answer = '';
    for await (const chunk of socket) answer += chunk;
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request/);
    expect(JSON.parse(answer.split('\r\n\r\n')[1]).error.kind).toBe('malformed');
    await app.close();
  });
});

describe('warming up', () => {
  it('ranks the golden requests for as long as it may', () => {
    let now = 0;
    expect(warmUp(ranker, () => (now += 100), 500)).toBe(5);
    const answer = ranker.rank(warmUpRequest(ranker, 200));
    expect([answer.candidateCount, answer.slots.length]).toEqual([200, 3]);
    const known = ranker.rank({ ...catalogRequest(ranker, 200), explain: true });
    expect(known.slots.map(({ explain }) => explain?.inCatalog)).toEqual([true, true, true]);
    expect(warmUp(createRanker(market.bundle, ranker.scorer), () => 0)).toBe(50);
  });
});
