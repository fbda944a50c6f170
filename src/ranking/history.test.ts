import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../core/random.ts';
import { createHistory } from '../history/createHistory.ts';
import type { History } from '../history/history.ts';
import { createHistoryPlan, type HistoryPlan } from '../history/historyPlan.ts';
import { loadHistory, saveHistory } from '../history/state.ts';
import { buildModel } from '../model/architectures.ts';
import type { Field, HistoryField } from '../schema/schema.ts';
import { createReferenceScorer } from '../scoring/engines/reference/scorer.ts';
import type { RankAnswer } from './answer.ts';
import type { EventRequest } from './eventRequest.ts';
import { createRanker, type Ranker } from './ranker.ts';
import { remembering, type SampleMarket, sampleMarket, sampleRows } from './sampleMarket.ts';

let market: SampleMarket;
let plan: HistoryPlan;

beforeAll(async () => {
  market = await sampleMarket({ ...remembering, seed: 3 });
  plan = createHistoryPlan(market.bundle.typed.schema) as HistoryPlan;
});

const beginMs = Date.UTC(2026, 2, 1);
const minuteMs = 60_000;

function rankerOf(history?: History): Ranker {
  return createRanker(market.bundle, createReferenceScorer(market.bundle), { catalog: market.catalog, history });
}

/** What a server does with events: all of them, at their arrival. */
function tell(ranker: Ranker, history: History, events: readonly EventRequest[]): void {
  const rows = ranker.events?.readRequest({ events }, {});
  for (let row = 0; row < (rows?.rowCount ?? 0); row++) history.add(rows as never, row);
}

const ask = (more: Record<string, unknown> = {}) => ({
  user: market.user,
  context: { ...market.context, placement: 2 },
  slots: 40,
  candidates: sampleRows(market, false),
  explain: true,
  ...more,
});

function draw(seed: number, count: number, userId: number | null): EventRequest[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => {
    const eventMs = beginMs + random.below(300) * minuteMs;
    const event = {
      eventMs,
      user: { userId },
      context: { placement: random.below(4) },
      ad: 1 + random.below(40),
    };
    const arrivedMs = eventMs + random.below(20) * minuteMs;
    const outcome =
      random.next() < 0.5 ? [{ ...event, type: 'click', arrivedMs: arrivedMs + random.below(90) * minuteMs }] : [];
    const values = random.next() < 0.5 ? { playMs: random.below(5000), conversion: random.next() < 0.2 } : undefined;
    return [{ ...event, type: 'impression', arrivedMs, ...(values && { values }) }, ...outcome];
  }).flat();
}

describe('a request of a model with history', () => {
  it('is answered as if nothing had happened where there is no history', () => {
    const history = createHistory(plan);
    history.advance(beginMs);
    expect(rankerOf().rank(ask(), beginMs)).toEqual(rankerOf(history).rank(ask(), beginMs));
    expect(rankerOf().rank(ask())).toEqual(rankerOf().rank(ask(), beginMs));
  });

  it('has another answer after events of the user or of the ads', () => {
    const history = createHistory(plan);
    const ranker = rankerOf(history);
    history.advance(beginMs);
    const before = ranker.rank(ask(), beginMs);
    tell(ranker, history, [{ type: 'impression', eventMs: beginMs, user: { userId: 8 }, ad: 3, values: { click: 1 } }]);
    const laterMs = beginMs + 10 * minuteMs;
    history.advance(laterMs);
    const changed = ranker
      .rank(ask(), laterMs)
      .slots.filter(
        ({ adId, explain }) =>
          explain?.raw.click !== before.slots.find((slot) => slot.adId === adId)?.explain?.raw.click,
      );
    // Of the ads, ad 3 alone has been shown; the click also moves the rate of all.
    expect(changed.map(({ adId }) => adId)).toContain(3);
    tell(ranker, history, [{ type: 'impression', eventMs: laterMs, user: { userId: 7 }, ad: 3 }]);
    history.advance(laterMs + minuteMs);
    const after = ranker.rank(ask(), laterMs + minuteMs);
    expect(after.slots.map(({ explain }) => explain?.raw)).not.toEqual(before.slots.map(({ explain }) => explain?.raw));
  });

  it('may bring its user’s history: the same answer as where it is held, the rest being the same', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 0, max: 12 }), (seed, count) => {
        const own = draw(seed, count, 7);
        const all = [...draw(seed + 1, 30, 8), ...own].sort((a, b) => (a.arrivedMs ?? 0) - (b.arrivedMs ?? 0));
        const nowMs = beginMs + 500 * minuteMs;
        const [holding, stateless] = [createHistory(plan), createHistory(plan)];
        const [a, b] = [rankerOf(holding), rankerOf(stateless)];
        if (all.length > 0) tell(a, holding, all);
        // The other server learns of ads and placements alone.
        if (all.length > 0)
          tell(
            b,
            stateless,
            all.map((event) => (own.includes(event) ? { ...event, user: {} } : event)),
          );
        holding.advance(nowMs);
        stateless.advance(nowMs);
        const told = own.map(({ user: _, ...event }) => event);
        const held = a.rank(ask(), nowMs);
        expect(b.rank(ask({ history: told }), nowMs)).toEqual(held);
        // What is held is left out of account, and not changed.
        expect(a.rank(ask({ history: told }), nowMs)).toEqual(held);
        expect(a.rank(ask(), nowMs)).toEqual(held);
        if (count > 0) expect(b.rank(ask(), nowMs)).not.toEqual(held);
      }),
      { numRuns: 20 },
    );
  });

  it('does not see what arrives at its own time or later', () => {
    const ranker = rankerOf();
    const event = { type: 'impression', eventMs: beginMs, ad: 3 };
    const none = ranker.rank(ask({ history: [] }), beginMs);
    expect(ranker.rank(ask({ history: [event] }), beginMs)).toEqual(none);
    expect(ranker.rank(ask({ history: [{ ...event, arrivedMs: beginMs + 5 }] }), beginMs + 5)).toEqual(none);
    expect(ranker.rank(ask({ history: [event] }), beginMs + 1)).not.toEqual(none);
  });

  it('takes the user from context as well, and fields by either name', () => {
    const { userId, ...user } = market.user;
    const event = { type: 'impression', eventMs: beginMs, context: { placement: 1 } };
    const expected = rankerOf().rank(ask({ history: [{ ...event, ad: 3 }] }), beginMs + 1);
    const topic = market.ads.topic_code[2];
    for (const ad of [{ adId: 3, topic }, { adId: 3, topic_code: topic }, { adId: '3' }])
      expect(rankerOf().rank(ask({ history: [{ ...event, ad }] }), beginMs + 1)).toEqual(expected);
    const context = { ...market.context, placement: 2, userId };
    expect(rankerOf().rank(ask({ user, context, history: [{ ...event, ad: 3 }] }), beginMs + 1)).toEqual(expected);
  });

  it('need not send what history makes, nor may it', () => {
    const refused = () => rankerOf().rank(ask({ user: { ...market.user, userStats: [1] } }));
    expect(refused).toThrow(/user: unknown field 'userStats'/);
    const { request, candidate } = rankerOf().plan;
    const names = [...request, ...candidate].map(({ field }) => field.name);
    expect(names).toContain('placement');
    expect(names.filter((name) => /recent|Stats|userTopic/.test(name))).toEqual([]);
  });
});

describe('a key that the model itself does not take', () => {
  it('may be left out, in the request and in the catalog, and then is no value', async () => {
    const isTopics = (field: Field | HistoryField) => field.kind === 'cross' && field.of.includes('topic');
    const unaware = await sampleMarket({
      ...remembering,
      seed: 6,
      fields: remembering.fields?.filter((field) => !isTopics(field)),
      model: (schema) => {
        const fields = schema.fields.filter(({ name }) => name !== 'topic');
        return buildModel('senet-dnn', { ...schema, fields }, { hidden: [8] }).model;
      },
    });
    const { bundle, catalog } = unaware;
    const scorer = createReferenceScorer(bundle);
    const own = createHistoryPlan(bundle.typed.schema) as HistoryPlan;
    const history = createHistory(own);
    const served = createRanker(bundle, scorer, { catalog, history });
    const without = createRanker(bundle, scorer, { history });
    const topic = served.plan.candidate.find(({ field }) => field.name === 'topic');
    expect(topic).toMatchObject({ direct: false, isKey: true, required: false });
    tell(served, history, [{ type: 'impression', eventMs: beginMs, user: { userId: 7 }, ad: 3 }]);
    history.advance(beginMs + minuteMs);
    const rank = (ranker: Ranker, candidates: unknown) =>
      ranker.rank({ ...ask(), user: unaware.user, context: { ...unaware.context, placement: 2 }, candidates });
    const scores = ({ slots }: RankAnswer) => slots.map(({ adId, pCtr }) => [adId, pCtr]);
    const rows = sampleRows(unaware, true);
    const expected = scores(rank(served, sampleRows(unaware, false)));
    expect(scores(rank(without, rows))).toEqual(expected);
    const lacking = rows.map(({ topic_code: _, ...row }) => row);
    const nulls = rows.map((row) => ({ ...row, topic_code: null }));
    expect(scores(rank(without, lacking))).toEqual(scores(rank(without, nulls)));
    expect(scores(rank(without, lacking))).not.toEqual(expected);
  });
});

describe('a history of another plan', () => {
  const schemaWith = (strength: number) => ({
    ...market.bundle.typed.schema,
    historyFields: market.bundle.typed.schema.historyFields?.map((field) =>
      field.name === 'userStats' && field.kind === 'counter'
        ? { ...field, values: ['count' as const, { rate: 'click', strength }, { mean: 'playMs' }] }
        : field,
    ),
  });

  it('is refused, though its state be laid out alike, until its state is bound to the model’s', () => {
    const other = createHistoryPlan(schemaWith(500)) as HistoryPlan;
    expect(other.hash).toBe(plan.hash);
    const [held, elsewhere] = [createHistory(plan), createHistory(other)];
    const events = draw(4, 20, 7);
    for (const history of [held, elsewhere]) {
      tell(rankerOf(), history, events);
      history.advance(beginMs + 500 * minuteMs);
    }
    expect(() => rankerOf(elsewhere)).toThrow(/are not those of the model; bind its state to the model's schema/);
    const bound = loadHistory(plan, saveHistory(elsewhere));
    expect(rankerOf(bound).rank(ask())).toEqual(rankerOf(held).rank(ask()));
  });

  it('is refused where its keys are others', async () => {
    const { historyFields, ...schema } = market.bundle.typed.schema;
    const fewer = createHistoryPlan({ ...schema, historyFields: historyFields?.slice(1) }) as HistoryPlan;
    expect(() => rankerOf(createHistory(fewer))).toThrow(/not those of the model; make one with the model's schema/);
  });
});

describe('events of an ad that the catalog lacks', () => {
  const event = { type: 'impression', eventMs: beginMs, user: { userId: 7 } };
  it.each<[string, unknown]>([
    ['its id', 999],
    ['an id alone in an object', { adId: 999 }],
    ['an id and other fields', { adId: 999, bidType: 'cpc' }],
  ])('are refused where they say no more than %s: they would count for no ad', (_, ad) => {
    expect(() => rankerOf().events?.readRequest({ events: [{ ...event, ad }] }, {})).toThrow(
      /item 0: ad 999 lacks 'topic', which history is kept by, and the catalog has no such ad; send these in "ad"/,
    );
    const without = createRanker(market.bundle, createReferenceScorer(market.bundle));
    expect(() => without.events?.readRequest({ events: [{ ...event, ad }] }, {})).toThrow(/and there is no catalog;/);
    expect(() => rankerOf().rank(ask({ history: [{ ...event, ad }] }), beginMs + 1)).toThrow(/history, item 0: ad 999/);
  });

  it('are taken with its keys, null or not, and without any ad', () => {
    for (const ad of [{ adId: 999, topic: 4 }, { adId: 999, topic_code: null }, { topic: 4 }, undefined])
      expect(rankerOf().events?.readRequest({ events: [{ ...event, ad }] }, {}).rowCount).toBe(1);
  });
});

describe('events that are wrong', () => {
  const event = { type: 'impression', eventMs: beginMs, user: { userId: 7 }, ad: 3 };
  it.each<[string, unknown, RegExp]>([
    ['no object', 3, /expected a JSON object with events, got 3/],
    ['no events', { events: [] }, /events .*got \[\]/],
    ['no time', { events: [{ type: 'impression', ad: 3 }] }, /events\.0 lacks 'eventMs'; none of them was taken in/],
    [
      'a time that is a text',
      { events: [{ ...event, eventMs: '2026' }] },
      /events\.0\.eventMs must be number, got "2026"/,
    ],
    ['an unknown key', { events: [{ ...event, adId: 3 }] }, /events\.0 has unknown 'adId'/],
    [
      'an unknown type',
      { events: [event, { ...event, type: 'clik' }] },
      /events, item 1: type is "clik"; did you mean 'click'/,
    ],
    [
      'an unknown value',
      { events: [{ ...event, values: { playms: 3 } }] },
      /values has unknown "playms"; did you mean 'playMs'/,
    ],
    ['half a click', { events: [{ ...event, values: { click: 0.5 } }] }, /label 'click' is 0\.5; expected 0 or 1/],
    [
      'an unknown field',
      { events: [{ ...event, user: { usrId: 7 } }] },
      /unknown field 'usrId'; did you mean 'userId'/,
    ],
    [
      'a field on the wrong side',
      { events: [{ ...event, user: { topic: 7 } }] },
      /'topic' is a field of the candidates/,
    ],
    [
      'a user of another type',
      { events: [{ ...event, user: { userId: 'x' } }] },
      /'userId': expected integer, got "x"/,
    ],
    ['an ad of another type', { events: [{ ...event, ad: 'x' }] }, /item 0: ad id "x": expected a whole number/],
  ])('are refused: %s', (_, json, message) => {
    expect(() => rankerOf().events?.readRequest(json, {})).toThrow(message);
  });

  it('are each told, ten at most', () => {
    const events = Array.from({ length: 30 }, (_, i) => ({ ...event, type: `type${i}` }));
    const told = () => rankerOf().events?.readRequest({ events: [event, ...events] }, {});
    expect(told).toThrow(/item 1: .*item 10: .*and 20 more; none/);
  });

  it('are refused in a request’s history as well, and by a model without history', async () => {
    expect(() => rankerOf().rank(ask({ history: [{ type: 'impression' }] }))).toThrow(/history\.0 lacks 'eventMs'/);
    expect(() => rankerOf().rank(ask({ history: {} }))).toThrow(/request: history must be array/);
    const without = await sampleMarket({ seed: 5 });
    const served = createRanker(without.bundle, createReferenceScorer(without.bundle), { catalog: without.catalog });
    const request = { user: without.user, context: without.context, slots: 1, candidates: sampleRows(without, false) };
    expect(() => served.rank({ ...request, history: [] })).toThrow(/has a history, but the model takes none/);
    expect(served.events).toBeUndefined();
  });
});
