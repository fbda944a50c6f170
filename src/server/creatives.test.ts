import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import type { FastifyInstance } from 'fastify';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Creatives, readCreatives } from '../catalog/creatives.ts';
import { createRandom } from '../core/random.ts';
import { createBandit } from '../creative/bandit.ts';
import { readBanditSettings } from '../creative/settings.ts';
import { createHistory } from '../history/createHistory.ts';
import { createHistoryPlan, type HistoryPlan } from '../history/historyPlan.ts';
import { saveHistory } from '../history/state.ts';
import { writeBundle } from '../model/bundleFiles.ts';
import type { RankedSlot } from '../ranking/answer.ts';
import { creativeArms } from '../ranking/creativeArms.ts';
import { createRanker } from '../ranking/ranker.ts';
import {
  creativeSampleFields,
  remembering,
  type SampleMarket,
  sampleBatch,
  sampleCreatives,
  sampleFields,
  sampleMarket,
} from '../ranking/sampleMarket.ts';
import { createReferenceScorer } from '../scoring/engines/reference/scorer.ts';
import { HeldCreatives, openBandit, saveBandit } from './heldCreatives.ts';
import { HeldHistory } from './heldHistory.ts';
import { loadRanker } from './loadRanker.ts';
import { runServer, saveHeld } from './runServer.ts';
import { buildServer, type ModelHost } from './server.ts';
import { warmUp } from './warmUp.ts';

const beginMs = Date.UTC(2026, 2, 1);
const adCount = 6;
let market: SampleMarket;
let table: Readonly<Record<string, unknown[]>>;
let creatives: Creatives;
let plan: HistoryPlan;
let folder: string;
const open: FastifyInstance[] = [];

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'limelight-creatives-'));
  const fields = [...(remembering.fields ?? []), ...creativeSampleFields];
  market = await sampleMarket({ ...remembering, fields, seed: 7, adCount });
  // Creatives 900 to 902 are ad 1's, 903 to 905 ad 2's, and so on.
  table = sampleCreatives(market, 5, () => 3);
  creatives = await readCreatives([sampleBatch(table, market.bundle)], market.catalog);
  plan = createHistoryPlan(market.bundle.typed.schema) as HistoryPlan;
});

afterEach(async () => {
  for (const app of open.splice(0)) await app.close();
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const arms = () => creativeArms(market.catalog, creatives);
const policy = (more: object = {}) => readBanditSettings({ epsilon: 0.05, ...more });
const fresh = (more?: object) => new HeldCreatives(createBandit(arms(), policy(more)), 'empty');

/** A server whose clock the test sets. */
function serve({ held = fresh(), replay = false, seed = 1 } = {}) {
  const { bundle, catalog } = market;
  const clock = { nowMs: beginMs };
  const history = createHistory(plan);
  history.advance(0);
  const known = { catalog, creatives, history, bandit: held.bandit };
  const ranker = createRanker(bundle, createReferenceScorer(bundle), known);
  const host: ModelHost = {
    current: { ranker, reason: '', history: new HeldHistory(history, 'test'), creatives: held },
  };
  const random = createRandom(seed);
  const app = buildServer({ host, nowUs: () => 0, nowMs: () => clock.nowMs, newId: () => 'id', random, replay });
  open.push(app);
  return { app, clock, held, history, ranker, host };
}

const post = (app: FastifyInstance, url: string, payload: unknown) =>
  app.inject({ method: 'POST', url, payload: payload as object });

const request = (more: object = {}) => ({
  user: market.user,
  context: { ...market.context, placement: 1 },
  slots: adCount,
  candidates: market.ads.adId.map((adId, ad) => ({ adId, distance: market.distances[ad], likeness: ad })),
  ...more,
});

async function slotsOf(app: FastifyInstance, more: object = {}): Promise<RankedSlot[]> {
  const response = await post(app, '/v1/rank', request(more));
  expect([response.statusCode, response.json().error]).toEqual([200, undefined]);
  return response.json().slots;
}

const impression = (creativeId: number, more: object = {}) => ({
  type: 'impression',
  eventMs: beginMs,
  user: { userId: 7 },
  context: { placement: 1 },
  creativeId,
  pCtr: 0.02,
  position: 1,
  propensity: 0.9,
  ...more,
});

/** So many impressions of a creative with so many clicks. */
const shown = (creativeId: number, impressions: number, clicks: number, more: object = {}) =>
  Array.from({ length: impressions }, (_, i) =>
    impression(creativeId, { values: { click: Number(i < clicks) }, ...more }),
  );

describe('POST /v1/rank with creatives', () => {
  it('answers a creative of each ad, how likely it was, and whether the ad explores', async () => {
    const { app } = serve();
    const slots = await slotsOf(app, { explain: true });
    expect(slots).toHaveLength(adCount);
    for (const { adId, creativeId, propensity, exploring, explain } of slots) {
      expect(table.adId[creatives.rowOf(creativeId)]).toBe(adId);
      expect(explain?.creatives?.map((creative) => creative.creativeId)).toContain(creativeId);
      expect(propensity).toBeGreaterThan(0);
      expect(propensity).toBeLessThanOrEqual(1);
      expect(exploring).toBe(true);
    }
  });

  it('draws the same creatives from the same seed, and others from another', async () => {
    const drawn = async (seed: number) => {
      const { app } = serve({ seed, held: fresh({ policy: 'random' }) });
      const rounds = [await slotsOf(app), await slotsOf(app), await slotsOf(app)];
      return rounds.flatMap((slots) => slots.map(({ creativeId }) => creativeId));
    };
    expect(await drawn(1)).toEqual(await drawn(1));
    expect(await drawn(2)).not.toEqual(await drawn(1));
  });
});

describe('POST /v1/events with creatives', () => {
  it('shows more of the creative that is clicked, as soon as it was told', async () => {
    const { app, held } = serve();
    const before = (await slotsOf(app)).find(({ adId }) => adId === 2);
    const least = [903, 904, 905].find((creative) => creative !== before?.creativeId) as number;
    const events = [903, 904, 905].flatMap((creative) => shown(creative, 400, creative === least ? 120 : 4));
    const response = await post(app, '/v1/events', { events });
    expect([response.statusCode, response.json()]).toEqual([200, { accepted: 1200, creatives: 1200 }]);
    const arm = creatives.rows.indexOf(creatives.rowOf(least));
    expect(held.bandit.record.totals.clicks[arm]).toBe(120);
    expect(held.bandit.record.totals.logits[arm]).toBeCloseTo(400 * Math.log(0.02 / 0.98), 3);
    const chosen: unknown[] = [];
    for (let round = 0; round < 20; round++) {
      const slot = (await slotsOf(app)).find(({ adId }) => adId === 2);
      chosen.push(slot?.creativeId);
      if (slot?.creativeId === least) expect(slot.propensity).toBeGreaterThan(0.9);
    }
    expect(chosen.filter((creative) => creative === least).length).toBeGreaterThanOrEqual(15);
  });

  it('shows each segment of users what that clicks on, under a contextual policy', async () => {
    const { app } = serve({ held: fresh({ policy: 'linucb', segment: 'placement', segments: ['1', '2'] }) });
    const liked = new Map([
      [1, 903],
      [2, 905],
    ]);
    const events = [...liked].flatMap(([placement, best]) =>
      [903, 904, 905].flatMap((creative) =>
        shown(creative, 400, creative === best ? 120 : 4, { context: { placement } }),
      ),
    );
    expect((await post(app, '/v1/events', { events })).statusCode).toBe(200);
    for (const [placement, best] of liked) {
      const context = { ...market.context, placement };
      const rounds = await Promise.all(Array.from({ length: 20 }, () => slotsOf(app, { context })));
      const chosen = rounds.map((slots) => slots.find(({ adId }) => adId === 2)?.creativeId);
      expect(chosen.filter((creative) => creative === best).length, `placement ${placement}`).toBeGreaterThanOrEqual(
        15,
      );
    }
  });

  it('refuses an event that does not say the segment, which is another user’s; a request’s own history need not', async () => {
    const { app, held } = serve({ held: fresh({ policy: 'linucb', segment: 'placement', segments: ['1', '2'] }) });
    const silent = impression(903, { context: {} });
    const refused = await post(app, '/v1/events', { events: [impression(903), silent] });
    expect([refused.statusCode, refused.json().error?.message]).toEqual([
      422,
      expect.stringContaining("events, item 1: lacks 'placement', by which the policy tells users apart; send it in"),
    ]);
    expect(held.bandit.record.totals.impressions.some((count) => count > 0)).toBe(false);
    const uncounted = { ...silent, creativeId: undefined, ad: 2 };
    expect((await post(app, '/v1/events', { events: [uncounted] })).json()).toEqual({ accepted: 1, creatives: 0 });
    expect(await slotsOf(app, { history: [silent] })).toHaveLength(adCount);
  });

  it('counts a click, revenue and view time that come later, at the impression’s position', async () => {
    const { app, held, clock } = serve({ held: fresh({ examination: [1, 0.5] }) });
    const { type: _, pCtr: __, ...came } = impression(901, { position: 2 });
    clock.nowMs += 5000;
    await post(app, '/v1/events', { events: [impression(901, { position: 2 })] });
    const events = [
      { ...came, type: 'click' },
      { ...came, type: 'outcome', values: { viewMs: 5400, revenueMicros: 70_000 } },
    ];
    expect((await post(app, '/v1/events', { events })).json()).toEqual({ accepted: 2, creatives: 2 });
    const arm = creatives.rows.indexOf(creatives.rowOf(901));
    const { totals, exposures } = held.bandit.record;
    const of = Object.entries(totals).map(([name, values]) => [name, values[arm]]);
    expect(Object.fromEntries(of)).toMatchObject({
      impressions: 1,
      clicks: 1,
      viewMs: 5400,
      views: 1,
      revenueMicros: 70_000,
    });
    expect(exposures[arm]).toBe(0.5);
  });

  it('takes the position of the schema’s column, and the creative as a candidate names it', async () => {
    const { app, held } = serve();
    const { creativeId: _, position: __, ...event } = impression(901);
    const told = [{ ...event, ad: { adId: 1, creativeId: '901' } }, { ...event, ad: 1 }, { ...event }];
    // Of an ad with several creatives it must be said which: the others count in history alone.
    expect((await post(app, '/v1/events', { events: told })).json()).toEqual({ accepted: 3, creatives: 1 });
    expect(held.bandit.record.totals.impressions[creatives.rows.indexOf(creatives.rowOf(901))]).toBe(1);
  });

  it.each<[string, object, RegExp]>([
    ['of an unknown creative', { ad: 1, creativeId: 5 }, /events, item 1: creative 5 is unknown; name one of the cat/],
    [
      'of another ad’s creative',
      { ad: 2 },
      /events, item 1: creative 900 is another ad's; name the one that was shown/,
    ],
    [
      'of an unknown ad with another’s creative',
      { ad: 999 },
      /item 1: creative 900 is another ad's; name the one that/,
    ],
    ['of no such creative id', { creativeId: 'x' }, /events, item 1: creative id "x": expected a whole number/],
    ['that names it twice', { ad: { adId: 1, creativeId: 900 } }, /creativeId is both in the event and in its ad/],
    ['with a certain click', { pCtr: 1 }, /pCtr must be < 1, got 1/],
    ['with a choice that could not be', { propensity: 0 }, /propensity must be > 0, got 0/],
    ['in position 0', { position: 0 }, /position must be >= 1, got 0/],
    ['of less than no view', { values: { viewMs: -1 } }, /events, item 1: viewMs is -1; expected a number from 0/],
    ['of a view without end', { values: { viewMs: 1e300 } }, /viewMs is 1e\+300; expected a number from 0 to 2\^53/],
    [
      'with a second click',
      { type: 'click' },
      /creative '900' would have 2 clicks in 1 impression; tell each impression/,
    ],
    ['of two views', { type: 'outcome', values: { viewMs: 5 } }, /creative '900' would have 2 views in 1 impression;/],
    ['of an hour from now', { eventMs: beginMs + 3_700_000 }, /before it happened; correct its time or the clock/],
  ])('refuses an event %s, and all that came with it', async (_, wrong, message) => {
    const { app, held, history } = serve();
    await post(app, '/v1/events', { events: [impression(900, { values: { click: 1, viewMs: 3 } })] });
    const holds = () => [JSON.stringify(held.bandit.save()), JSON.stringify([...saveHistory(history)])];
    const before = holds();
    const events = [impression(903), { ...impression(900), ...wrong }];
    const response = await post(app, '/v1/events', { events });
    expect([response.statusCode, response.json().error?.kind]).toEqual([422, 'input']);
    expect(response.json().error.message).toMatch(message);
    expect(response.json().error.message).toMatch(/none of (them was|these counts is) taken in|correct its time/);
    expect(holds()).toEqual(before);
  });

  it('is answered or refused with a sentence, whatever is sent, and holds on to what it has', async () => {
    const { app, held } = serve();
    const place = fc.constantFrom('creativeId', 'position', 'pCtr', 'propensity', 'ad', 'values', 'type', 'eventMs');
    // A body with a `__proto__` key is malformed, wherever that is.
    const json = fc.jsonValue({ maxDepth: 2 }).filter((value) => !JSON.stringify(value).includes('"__proto__"'));
    const anything = fc.oneof(
      json,
      fc.constantFrom(0, -1, 1e300, 0.5, '903', 904, { viewMs: 3 }, { revenueMicros: 1e12 }),
    );
    await fc.assert(
      fc.asyncProperty(place, anything, async (name, value) => {
        const before = JSON.stringify(held.bandit.save());
        const response = await post(app, '/v1/events', {
          events: [impression(902), { ...impression(900), [name]: value }],
        });
        const { error } = response.json();
        expect([200, 422]).toContain(response.statusCode);
        if (response.statusCode === 200) return;
        expect(error.message).toMatch(/^(request|events?|history|field)/);
        expect(JSON.stringify(held.bandit.save())).toBe(before);
      }),
      { numRuns: 200 },
    );
  });

  it('takes a click that stands before its impression', async () => {
    const { app, held } = serve();
    const events = [impression(901), impression(900, { type: 'click' }), impression(900)];
    const response = await post(app, '/v1/events', { events });
    expect([response.statusCode, response.json()]).toEqual([200, { accepted: 3, creatives: 3 }]);
    const { impressions, clicks } = held.bandit.record.totals;
    const [first, second] = [900, 901].map((name) => creatives.rows.indexOf(creatives.rowOf(name)));
    expect([impressions[first], clicks[first], impressions[second]]).toEqual([1, 1, 1]);
  });

  it.each([900, 901])('takes all of a request or nothing, whatever its order: refused for creative %i', async (of) => {
    const { app, held, history } = serve();
    await post(app, '/v1/events', { events: [impression(903)] });
    const holds = () => [JSON.stringify(held.bandit.save()), JSON.stringify([...saveHistory(history)])];
    const before = holds();
    const all = [
      impression(901),
      impression(900),
      impression(of, { type: 'click' }),
      impression(of, { type: 'click' }),
    ];
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray(all, { minLength: 4 }), async (events) => {
        const response = await post(app, '/v1/events', { events });
        expect(response.statusCode).toBe(422);
        expect(response.json().error.message).toMatch(/^events: .*none of these counts is taken in$/);
        expect(holds()).toEqual(before);
      }),
      { numRuns: 30 },
    );
  });

  it('goes by the time of requests and events where these are replayed', async () => {
    const { app, held } = serve({ replay: true });
    const windowMs = held.bandit.settings.windowMs;
    const later = request({ context: { ...market.context, placement: 1, time: beginMs + 3 * windowMs } });
    await post(app, '/v1/events', { events: shown(900, 3, 1) });
    expect(held.bandit.record.window).toBe(Math.floor(beginMs / windowMs));
    expect((await post(app, '/v1/rank', later)).statusCode).toBe(200);
    expect(held.bandit.record.window).toBe(Math.floor(beginMs / windowMs) + 3);
    const refused = request({ context: { time: beginMs + 9 * windowMs } });
    expect((await post(app, '/v1/rank', refused)).statusCode).toBe(422);
    expect(held.bandit.record.window).toBe(Math.floor(beginMs / windowMs) + 3);
  });

  describe('where the model has no history', () => {
    async function serveAlone(replay = false) {
      const plain = await sampleMarket({ seed: 9, adCount, fields: [...sampleFields, ...creativeSampleFields] });
      const { bundle, catalog } = plain;
      const table = sampleCreatives(plain, 5, () => 3);
      const own = await readCreatives([sampleBatch(table, bundle)], catalog);
      const held = new HeldCreatives(createBandit(creativeArms(catalog, own), policy()), 'empty');
      const known = { catalog, creatives: own, bandit: held.bandit };
      const ranker = createRanker(bundle, createReferenceScorer(bundle), known);
      const host: ModelHost = { current: { ranker, reason: '', creatives: held } };
      const app = buildServer({ host, nowUs: () => 0, nowMs: () => beginMs, newId: () => 'id', replay });
      open.push(app);
      const tell = async (...events: object[]) => {
        const response = await post(app, '/v1/events', { events });
        return response.json().error?.message ?? response.json();
      };
      return { app, held, own, plain, tell };
    }
    const told = (timeMs: number, more: object = {}) =>
      impression(900, { context: undefined, eventMs: beginMs + timeMs, ...more });
    const hour = 3_600_000;

    it('feeds a policy', async () => {
      const { app, held, own, plain, tell } = await serveAlone();
      expect(await tell(...shown(900, 3, 1, { context: undefined }))).toEqual({ accepted: 3, creatives: 3 });
      expect(held.bandit.record.totals.clicks[own.rows.indexOf(own.rowOf(900))]).toBe(1);
      expect(await slotsOf(app, { user: plain.user, context: plain.context })).toHaveLength(adCount);
    });

    it.each(['click', 'conversion'])('refuses a label %s that is neither 0 nor 1', async (name) => {
      const { held, tell } = await serveAlone();
      const before = held.bandit.save();
      expect(await tell(told(0, { values: { [name]: 2 } }))).toMatch(`label '${name}' is 2; expected 0 or 1`);
      expect(held.bandit.save()).toEqual(before);
      expect(await tell(told(0, { values: { [name]: true } }))).toEqual({ accepted: 1, creatives: 1 });
    });

    it('refuses an impression that comes later than an hour, and events of a time to come; outcomes may be late', async () => {
      const { held, tell } = await serveAlone();
      const before = held.bandit.save();
      expect(await tell(told(0), told(-hour - 1))).toMatch(
        /^events: an impression of .+, later than history's lateness/,
      );
      expect(await tell(told(hour + 1))).toMatch(/^events: an impression of .+ arrived at .+, before it happened;/);
      const click = { type: 'click', creativeId: 900, pCtr: undefined };
      expect(await tell(told(0), told(hour + 1, click))).toMatch(/^events: an outcome of .+, before it happened;/);
      expect(held.bandit.save()).toEqual(before);
      expect(await tell(told(-hour), told(hour), told(-99 * hour, click))).toEqual({ accepted: 3, creatives: 3 });
    });

    it('goes by the time of events that are replayed, which may not go back further than that', async () => {
      const { tell } = await serveAlone(true);
      expect(await tell(told(0), told(99 * hour))).toEqual({ accepted: 2, creatives: 2 });
      expect(await tell(told(97 * hour))).toMatch(/^events: the time went back to /);
      expect(await tell(told(97 * hour, { arrivedMs: beginMs + 99 * hour }))).toMatch(/later than history's lateness/);
      expect(await tell(told(98 * hour))).toEqual({ accepted: 1, creatives: 1 });
    });
  });
});

describe('what is held of creatives', () => {
  it('goes on after a restart where it was, to the same answers', async () => {
    const { app, held } = serve();
    await post(app, '/v1/events', { events: [...shown(900, 250, 5), ...shown(901, 250, 60), ...shown(904, 30, 3)] });
    const file = path.join(folder, 'state.json');
    await saveBandit(file, held.bandit);
    const settings = path.join(folder, 'policy.json');
    await writeFile(settings, '{"epsilon": 0.05}');
    const again = await openBandit(arms(), settings, file);
    expect(again.bandit.save()).toEqual(held.bandit.save());
    const rounds = async (held: HeldCreatives) => {
      const { app } = serve({ held, seed: 4 });
      return [await slotsOf(app), await slotsOf(app), await slotsOf(app)];
    };
    expect(await rounds(again)).toEqual(await rounds(held));
  });

  it('is written where history cannot be, and the other way round; every failure is told', async () => {
    const { host, held } = serve();
    const loaded = host.current as NonNullable<ModelHost['current']>;
    const logger = { info() {} };
    const [written, asHistory] = [path.join(folder, 'written.json'), path.join(folder, 'written')];
    const blocked = path.join(folder, 'no-folder');
    await writeFile(blocked, '');
    const nowhere = path.join(blocked, 'a', 'b');
    await expect(saveHeld(loaded, { history: nowhere, creativeState: written }, logger)).rejects.toThrow(/history/);
    expect(JSON.parse(await readFile(written, 'utf8'))).toEqual(held.bandit.save());
    await expect(saveHeld(loaded, { history: asHistory, creativeState: nowhere }, logger)).rejects.toThrow(
      /--creative-state '.+': cannot be written/,
    );
    expect((await readFile(asHistory)).length).toBeGreaterThan(0);
    const both = saveHeld(loaded, { history: nowhere, creativeState: nowhere }, logger);
    await expect(both).rejects.toThrow(/history.+\n--creative-state '.+': cannot be written/);
    await saveHeld(loaded, {}, logger);
  });

  it.each<[string, string, RegExp]>([
    ['is no JSON', '{', /--creative-state '.+bad\.json': not valid JSON/],
    ['is something else', '{"keys": 3}', /--creative-state '.+': expected a saved bandit with its version/],
    [
      'is of another version',
      '{"version": 9}',
      /a bandit of version 9, where \d+ is read; use the program that saved it/,
    ],
    ['is damaged', '{"version": 1, "windowMs": -1}', /damaged at windowMs; take a copy of an earlier time/],
  ])('is refused if the file %s', async (_, text, message) => {
    const file = path.join(folder, 'bad.json');
    await writeFile(file, text);
    await expect(openBandit(arms(), 'default', file)).rejects.toThrow(message);
    expect(await readFile(file, 'utf8')).toBe(text);
  });

  it('is refused if the file is a folder, or not there', async () => {
    const open = (name: string) => openBandit(arms(), 'default', name);
    await expect(open(folder)).rejects.toThrow(/^--creative-state '.+': is a folder; name a file in it$/);
    await expect(open(path.join(folder, 'none.json'))).rejects.toThrow(/: no such file; name one that exists$/);
  });

  it.each<[string, RegExp]>([
    ['thomson', /--creative-policy 'thomson': there is no such policy; did you mean 'thompson'\?/],
    ['nowhere.json', /--creative-policy 'nowhere\.json': no such file/],
    ['linucb', /--creative-policy 'linucb': policy 'linucb' needs segments; name a \.json file/],
  ])('is refused with policy %s', async (policy, message) => {
    await expect(openBandit(arms(), policy)).rejects.toThrow(message);
  });

  it.each<[string, object, RegExp]>([
    [
      'no field',
      { contextSize: 4 },
      /policy 'linucb' tells users apart by segment of no field; set "segment" to one of userId,/,
    ],
    [
      'a field that requests lack',
      { segment: 'colour', segments: ['red'] },
      /by segment 'colour', which is no field of requests/,
    ],
  ])('is refused if it tells users apart by %s', (_, more, message) => {
    expect(() => serve({ held: fresh({ policy: 'linucb', ...more }) })).toThrow(message);
  });

  it.each<[string, object, number]>([
    ['epsilon-greedy', { greedyEpsilon: 0.2 }, 0.2],
    ['random', {}, 1],
    ['ucb1', {}, 0.05],
  ])('says which share of choices policy %s draws by chance', async (policy, more, epsilon) => {
    const { app } = serve({ held: fresh({ policy, ...more }) });
    const [info] = (await app.inject('/v1/models')).json().models;
    expect(info.creatives.policy).toMatchObject({ name: policy, epsilon });
  });

  it('counts how often a change has reopened an ad’s exploration', async () => {
    const held = fresh({ windowMs: 60_000, exit: true });
    const { app, clock } = serve({ held });
    const told = async () => {
      const { body } = await app.inject('/metrics');
      expect(body).toContain('# TYPE limelight_creative_reopened_total counter');
      return Number(/^limelight_creative_reopened_total (.+)$/m.exec(body)?.[1]);
    };
    expect(await told()).toBe(0);
    const first = creatives.rows.indexOf(creatives.rowOf(900));
    const inWindows = (windows: number, clicks: readonly number[]) => {
      for (let window = 0; window < windows; window++) {
        const counts = clicks.map((clicks, k) => ({ arm: first + k, timeMs: clock.nowMs, impressions: 5000, clicks }));
        held.add(counts, clock.nowMs);
        clock.nowMs += 60_000;
        held.settleByClock(clock.nowMs);
      }
    };
    inWindows(8, [500, 250, 250]);
    expect(await told()).toBe(0);
    inWindows(3, [100, 250, 250]);
    expect(await told()).toBe(1);
  });

  it('needs a model that can be told clicks', async () => {
    const fields = [...sampleFields, ...creativeSampleFields];
    const { bundle, catalog, ...more } = await sampleMarket({ seed: 3, adCount, fields, labels: ['conversion'] });
    const table = sampleCreatives({ bundle, catalog, ...more }, 5, () => 3);
    const creatives = await readCreatives([sampleBatch(table, bundle)], catalog);
    const bandit = createBandit(creativeArms(catalog, creatives), policy());
    const scorer = createReferenceScorer(bundle);
    expect(() => createRanker(bundle, scorer, { catalog, creatives, bandit })).toThrow(
      /policy 'default' learns from clicks, and the model's schema has no label 'click'.+; serve a model that has/,
    );
    expect(createRanker(bundle, scorer, { catalog, creatives }).creatives).toBe(creatives);
  });

  it('needs creatives, which need a catalog', async () => {
    const model = path.join(folder, 'model', '1');
    await writeBundle(model, market.bundle);
    const load = (more: object) => loadRanker({ model, engine: 'reference', ...more });
    await expect(load({ creatives: 'c.parquet' })).rejects.toThrow(/--creatives 'c\.parquet': .* add --catalog/);
    await expect(load({ creativePolicy: 'default' })).rejects.toThrow(/--creative-policy: .* add --creatives/);
    await expect(load({ creativeState: 's.json' })).rejects.toThrow(/--creative-state: .* add --creatives/);
  });

  it('is missed by the name of the option that was given, whether or not its file is there yet', async () => {
    const model = path.join(folder, 'named', '1');
    await writeBundle(model, market.bundle);
    const written = path.join(folder, 'there.json');
    await writeFile(written, '{}');
    const rest = { model, engine: 'reference', host: '127.0.0.1', port: 0, bodyLimitBytes: 1e6, logLevel: 'silent' };
    for (const creativeState of [written, path.join(folder, 'not-there.json')])
      await expect(runServer({ ...rest, creativeState })).rejects.toThrow(/^--creative-state: .* add --creatives/);
    await expect(runServer({ ...rest, creativePolicy: 'default' })).rejects.toThrow(/^--creative-policy: /);
  });

  it('is told by metrics and /v1/models; warming up leaves no trace', async () => {
    const { app, held, ranker } = serve();
    const empty = JSON.stringify(held.bandit.save());
    warmUp(ranker, () => 0);
    expect(JSON.stringify(held.bandit.save())).toBe(empty);
    const slots = await slotsOf(app, { slots: 4 });
    const { body } = await app.inject('/metrics');
    const mean = slots.reduce((sum, { propensity = 0 }) => sum + propensity, 0) / 4;
    expect(body).toContain('limelight_creative_choices_total{state="explore"} 4');
    expect(body).toContain('limelight_creative_choices_total{state="exploit"} 0');
    expect(Number(/^limelight_creative_mean_propensity (.+)$/m.exec(body)?.[1])).toBeCloseTo(mean, 9);
    expect(body).toContain(`limelight_creative_exploring_ads ${adCount}`);
    expect(body).toContain('limelight_creative_exited_ads 0');
    const [info] = (await app.inject('/v1/models')).json().models;
    expect(info.creatives).toMatchObject({
      creativeCount: 18,
      policy: { name: 'default', epsilon: 0.05, origin: 'empty', exploring: adCount, exited: 0 },
    });
    const ofCreative = info.request.candidates.filter(({ scope }: { scope: string }) => scope === 'creative');
    expect(ofCreative.map(({ inCatalog }: { inCatalog: boolean }) => inCatalog)).not.toContain(false);
  });
});
