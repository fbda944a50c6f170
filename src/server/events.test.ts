import type { FastifyInstance } from 'fastify';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createHistory } from '../history/createHistory.ts';
import { createHistoryPlan, type HistoryPlan } from '../history/historyPlan.ts';
import { loadHistory, saveHistory } from '../history/state.ts';
import { decodeHistoryFile, encodeHistoryFile } from '../model/historyFile.ts';
import { createRanker } from '../ranking/ranker.ts';
import { remembering, type SampleMarket, sampleMarket, sampleRows } from '../ranking/sampleMarket.ts';
import { createReferenceScorer } from '../scoring/engines/reference/scorer.ts';
import { HeldHistory } from './heldHistory.ts';
import { buildServer, type ModelHost } from './server.ts';

const beginMs = Date.UTC(2026, 2, 1);
const dayMs = 86_400_000;
let market: SampleMarket;
let plan: HistoryPlan;
const open: FastifyInstance[] = [];

beforeAll(async () => {
  market = await sampleMarket({ ...remembering, seed: 7 });
  plan = createHistoryPlan(market.bundle.typed.schema) as HistoryPlan;
});

afterEach(async () => {
  for (const app of open.splice(0)) await app.close();
});

/** A server whose clock the test sets. */
function serve({ replay = false, history = createHistory(plan) } = {}) {
  const { bundle, catalog } = market;
  const clock = { nowMs: beginMs };
  const ranker = createRanker(bundle, createReferenceScorer(bundle), { catalog, history });
  const host: ModelHost = { current: { ranker, reason: '', history: new HeldHistory(history, 'test') } };
  const app = buildServer({ host, nowUs: () => 0, nowMs: () => clock.nowMs, newId: () => 'id', replay });
  open.push(app);
  return { app, clock, history, host };
}

const post = (app: FastifyInstance, url: string, payload: unknown) =>
  app.inject({ method: 'POST', url, payload: payload as object });

/** The probabilities of all ads for a user. */
async function ranked(app: FastifyInstance, context: Record<string, unknown> = {}, more = {}) {
  const body = {
    user: market.user,
    context: { ...market.context, placement: 2, ...context },
    slots: 40,
    candidates: sampleRows(market, false),
    explain: true,
    ...more,
  };
  const response = await post(app, '/v1/rank', body);
  expect([response.statusCode, response.json().error]).toEqual([200, undefined]);
  return response
    .json()
    .slots.map(({ adId, explain }: { adId: number; explain: { raw: object } }) => [adId, explain.raw]);
}

const impression = {
  type: 'impression',
  eventMs: beginMs,
  user: { userId: 7 },
  context: { placement: 1 },
  ad: 3,
};

describe('POST /v1/events', () => {
  it('takes impressions and what came of them in: the next request sees them', async () => {
    const { app, clock, history } = serve();
    const before = await ranked(app);
    clock.nowMs += 1000;
    const events = [
      impression,
      { ...impression, type: 'click' },
      { ...impression, type: 'outcome', values: { playMs: 900 } },
    ];
    const response = await post(app, '/v1/events', { events });
    expect([response.statusCode, response.json()]).toEqual([200, { accepted: 3 }]);
    expect(history.stats().events).toBe(1);
    clock.nowMs += 1;
    const seen = await ranked(app);
    expect(seen).not.toEqual(before);
    // The click is held until its delay is over.
    clock.nowMs = beginMs + 59_000;
    const held = await ranked(app);
    clock.nowMs = beginMs + 61_000;
    expect(await ranked(app)).not.toEqual(held);
  });

  it('answers a user whose history the request brings as one whose history is held', async () => {
    const [holding, stateless] = [serve(), serve()];
    const events = [impression, { ...impression, type: 'click' }];
    const { user: _, ...told } = impression;
    for (const [{ app, clock }, user] of [
      [holding, { userId: 7 }],
      [stateless, {}],
    ] as const) {
      clock.nowMs = beginMs;
      await post(app, '/v1/events', { events: events.map((event) => ({ ...event, user })) });
      clock.nowMs += 600_000;
    }
    const history = [told, { ...told, type: 'click' }];
    expect(await ranked(stateless.app, {}, { history })).toEqual(await ranked(holding.app));
    expect(await ranked(stateless.app)).not.toEqual(await ranked(holding.app));
  });

  it.each<[string, object, RegExp]>([
    ['without a time', { eventMs: undefined }, /events\.1 lacks 'eventMs'/],
    ['of an unknown label', { type: 'like' }, /events, item 1: type is "like"; expected one of impression, click/],
    ['of an hour from now', { eventMs: beginMs + 3_700_000 }, /before it happened; correct its time or the clock/],
    ['of two hours ago', { eventMs: beginMs - 7_200_000 }, /later than history's lateness allows/],
    ['that says when it arrived', { arrivedMs: beginMs }, /this server goes by its own clock; leave it out/],
  ])('refuses an event %s, and all that came with it', async (_, wrong, message) => {
    const { app, history } = serve();
    await post(app, '/v1/events', { events: [impression] });
    const before = JSON.stringify([...saveHistory(history)]);
    const response = await post(app, '/v1/events', { events: [impression, { ...impression, ...wrong }] });
    expect([response.statusCode, response.json().error.kind]).toEqual([422, 'input']);
    expect(response.json().error.message).toMatch(message);
    expect(JSON.stringify([...saveHistory(history)])).toBe(before);
  });

  it('goes on when the clock is set back, and stands still until it has caught up', async () => {
    const { app, clock, history } = serve();
    await post(app, '/v1/events', { events: [impression] });
    clock.nowMs = beginMs - 10 * 3_600_000;
    expect((await post(app, '/v1/events', { events: [impression] })).statusCode).toBe(200);
    await ranked(app);
    expect(history.watermarkMs).toBe(beginMs);
  });

  it('is refused by a model without history', async () => {
    const { bundle, catalog } = await sampleMarket({ seed: 7 });
    const ranker = createRanker(bundle, createReferenceScorer(bundle), { catalog });
    const app = buildServer({ host: { current: { ranker, reason: '' } }, nowUs: () => 0, newId: () => 'id' });
    open.push(app);
    const response = await post(app, '/v1/events', { events: [impression] });
    expect([response.statusCode, response.json().error]).toMatchObject([422, { kind: 'unsupported' }]);
    expect((await app.inject('/v1/models')).json().models[0].history).toBeNull();
  });
});

describe('a server that replays', () => {
  it('takes time from requests and events', async () => {
    const [replaying, live] = [serve({ replay: true }), serve()];
    replaying.clock.nowMs = Number.NaN;
    const click = { ...impression, type: 'click', arrivedMs: beginMs + 5000 };
    expect((await post(replaying.app, '/v1/events', { events: [click, impression] })).json()).toEqual({ accepted: 2 });
    await post(live.app, '/v1/events', { events: [impression] });
    live.clock.nowMs += 5000;
    await post(live.app, '/v1/events', { events: [{ ...impression, type: 'click' }] });
    live.clock.nowMs += 100_000;
    expect(await ranked(replaying.app, { time: beginMs + 105_000 })).toEqual(await ranked(live.app));
  });

  it('refuses a request without a time, and one of long ago', async () => {
    const { app } = serve({ replay: true });
    await post(app, '/v1/events', { events: [impression] });
    const body = {
      user: market.user,
      context: { ...market.context, placement: 2 },
      slots: 1,
      candidates: sampleRows(market, false),
    };
    const without = await post(app, '/v1/rank', body);
    expect([without.statusCode, without.json().error.message]).toEqual([
      422,
      expect.stringMatching(/context\.time is nothing; expected/),
    ]);
    const old = await post(app, '/v1/rank', { ...body, context: { ...body.context, time: beginMs - 7_200_000 } });
    expect([old.statusCode, old.json().error.message]).toEqual([
      422,
      expect.stringMatching(/the time went back to 2026-02-28T22:00:00/),
    ]);
  });

  it.each<[string, string, object, RegExp]>([
    ['a time that no date has', '/v1/rank', { context: { time: 9e15 } }, /context\.time is 9000000000000000/],
    ['a time in microseconds', '/v1/rank', { context: { time: 1000 * beginMs } }, /context\.time is 1772323200000000/],
    ['no slots', '/v1/rank', { slots: 0 }, /slots is 0/],
    ['an unknown field', '/v1/rank', { user: { age_: 3 } }, /unknown field 'age_'/],
    ['a lacking field', '/v1/rank', { user: {} }, /lack field 'userId'/],
    ['an unknown ad', '/v1/rank', { candidates: [{ adId: 999 }] }, /lacks 'bidType'/],
    ['a wrong history', '/v1/rank', { history: [{ type: 'impression' }] }, /history\.0 lacks 'eventMs'/],
    ['an event of no date', '/v1/events', { eventMs: 9e15 }, /eventMs must be <= 253402300799999/],
    ['an arrival of no date', '/v1/events', { arrivedMs: 9e15 }, /arrivedMs must be <= 253402300799999/],
    ['an event that is wrong', '/v1/events', { eventMs: beginMs + dayMs, type: 'like' }, /type is "like"/],
  ])('is not moved on in time by a request that it refuses: %s', async (_, url, wrong, message) => {
    const { app, history } = serve({ replay: true });
    await post(app, '/v1/events', { events: [impression] });
    const { context, ...rest } = wrong as { context?: object };
    const body = {
      user: market.user,
      context: { ...market.context, placement: 2, time: beginMs + dayMs, ...context },
      slots: 1,
      candidates: sampleRows(market, false),
      ...rest,
    };
    const response = await post(app, url, url === '/v1/rank' ? body : { events: [{ ...impression, ...wrong }] });
    expect([response.statusCode, response.json().error.message]).toEqual([422, expect.stringMatching(message)]);
    expect(history.watermarkMs).toBe(beginMs);
    expect((await ranked(app, { time: beginMs + 1 })).length).toBeGreaterThan(0);
  });
});

describe('a restart', () => {
  it('changes no answer, whatever is pending', async () => {
    const { app, clock, history } = serve();
    const events = [impression, { ...impression, ad: 5, context: { placement: 2 } }, { ...impression, type: 'click' }];
    await post(app, '/v1/events', { events });
    clock.nowMs += 30_000;
    await ranked(app);
    const again = serve({
      history: loadHistory(plan, decodeHistoryFile(encodeHistoryFile(saveHistory(history)), 'state'), 'state'),
    });
    for (const laterMs of [40_000, 70_000, 130_000, 500_000]) {
      clock.nowMs = again.clock.nowMs = beginMs + laterMs;
      expect(await ranked(again.app)).toEqual(await ranked(app));
    }
  });
});

describe('what is held', () => {
  it('is told by metrics and with the model', async () => {
    const { app, clock } = serve();
    await post(app, '/v1/events', {
      events: [impression, { ...impression, user: { userId: 8 }, eventMs: beginMs - 5000 }],
    });
    // The lag is of impressions: what came of one, or says so, is no new one.
    await post(app, '/v1/events', { events: [{ ...impression, type: 'click', eventMs: beginMs + 3000 }] });
    clock.nowMs += 20_000;
    await ranked(app);
    const { body } = await app.inject('/metrics');
    const metric = (name: string) => Number(new RegExp(`^limelight_history_${name} (.*)$`, 'm').exec(body)?.[1]);
    expect([metric('events'), metric('evicted'), metric('lag_seconds')]).toEqual([2, 0, 20]);
    expect(metric('keys')).toBeGreaterThan(2);
    expect(metric('pending')).toBe(3);
    const { history, request } = (await app.inject('/v1/models')).json().models[0];
    expect(history).toEqual({
      origin: 'test',
      keys: metric('keys'),
      events: 2,
      pending: metric('pending'),
      bytes: metric('bytes'),
      evicted: 0,
    });
    expect(request.userOrContext.map(({ name }: { name: string }) => name)).not.toContain('userStats');
    // Nothing waits once the longest delay is over.
    clock.nowMs += 600_000;
    await ranked(app);
    expect((await app.inject('/metrics')).body).toMatch(/^limelight_history_pending 0$/m);
  });
});
