import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Creatives, readCreatives } from '../src/catalog/creatives.ts';
import { createRandom, type Random } from '../src/core/random.ts';
import { createHistory } from '../src/history/createHistory.ts';
import type { EventRows, History } from '../src/history/history.ts';
import { createHistoryPlan, type HistoryPlan } from '../src/history/historyPlan.ts';
import { loadHistory, saveHistory } from '../src/history/state.ts';
import { decodeHistoryFile, encodeHistoryFile } from '../src/model/historyFile.ts';
import { createRanker } from '../src/ranking/ranker.ts';
import {
  creativeSampleFields,
  remembering,
  type SampleMarket,
  sampleBatch,
  sampleCreatives,
  sampleMarket,
} from '../src/ranking/sampleMarket.ts';
import { historyColumns } from '../src/schema/derivedFields.ts';
import type { EncodedColumn } from '../src/schema/encoded.ts';
import { createEncoder } from '../src/schema/encoder.ts';
import { columnOf } from '../src/schema/fields.ts';
import type { ColumnType } from '../src/schema/fitted.ts';
import { columnFromJson } from '../src/schema/jsonColumns.ts';
import { keysOf } from '../src/schema/keys.ts';
import type { Field } from '../src/schema/schema.ts';
import { rowsIn } from '../src/scoring/input.ts';
import type { Scorer, ScoringInput } from '../src/scoring/scorer.ts';
import { HeldHistory } from '../src/server/heldHistory.ts';
import { buildServer } from '../src/server/server.ts';
import { HistoryBlocks } from '../training/history/historyBlocks.ts';
import { replay } from '../training/history/replay.ts';

/*
 * What training's replay gives a row is what a server would have seen at that time: the log's events are told to a server when they
 * arrived, through its own routes, and what its engine is given is compared with what the encoder makes of the replayed columns.
 */

let market: SampleMarket;
/** Three creatives of ads 1 and 4, one of ads 2 and 5, two of the others; what a log has of them beside its ad. */
let creativeTable: Readonly<Record<string, unknown[]>>;
let creatives: Creatives;
let plan: HistoryPlan;
let derived: readonly Field[];

beforeAll(async () => {
  market = await sampleMarket({
    ...remembering,
    seed: 17,
    adCount: 6,
    fields: [
      ...(remembering.fields ?? []),
      ...creativeSampleFields.filter(({ name }) => /^(creativeId|format|terms)$/.test(name)),
      { name: 'creativeStats', kind: 'counter', by: ['creativeId'], values: ['count', { rate: 'click' }] },
      {
        name: 'userFormat',
        kind: 'counter',
        by: ['userId', 'format'],
        values: ['count', { rate: 'click', prior: { by: ['topic'] } }, 'sinceLast'],
      },
      { name: 'shownAs', kind: 'sequence', by: 'creativeId', length: 2, items: ['userId'], actions: ['click'] },
      { name: 'formats', kind: 'sequence', by: 'userId', length: 3, items: ['format'] },
      { name: 'clicked', kind: 'sequence', by: 'userId', length: 2, items: ['adId'], where: 'click', gapSize: 4 },
      { name: 'shown', kind: 'sequence', by: 'adId', length: 3, items: ['userId'], actions: ['click'] },
      {
        name: 'userPlacement',
        kind: 'counter',
        by: ['userId', 'placement'],
        over: ['lifetime', { window: '30m' }],
        values: ['count', { coec: 'click' }],
      },
      {
        name: 'adPlacement',
        kind: 'counter',
        by: ['adId', 'placement'],
        over: [{ halfLife: '20m' }],
        values: ['count', { rate: 'conversion', prior: { by: ['adId'] } }, { sum: 'playMs' }],
      },
      {
        name: 'userNow',
        kind: 'counter',
        by: ['userId'],
        over: ['session'],
        values: [{ run: 'click' }, { sinceLast: 'click' }, { idle: 'playMs' }, { same: 'topic' }],
      },
    ],
    history: { ...remembering.history, expected: { by: ['placement'] }, session: '5m', lateness: '20m', maxPairs: 2 },
  });
  creativeTable = sampleCreatives(market, 5, (ad) => [3, 1, 2][ad % 3]);
  creatives = await readCreatives([sampleBatch(creativeTable, market.bundle)], market.catalog);
  plan = createHistoryPlan(market.bundle.typed.schema) as HistoryPlan;
  const names = historyColumns(market.bundle.typed.schema);
  derived = market.bundle.typed.schema.fields.filter(({ name }) => names.has(name));
});

const beginMs = Date.UTC(2026, 2, 1);
const minuteMs = 60_000;

interface LoggedEvent {
  readonly eventMs: number;
  readonly arrivedMs: number;
  readonly isOutcome: boolean;
  readonly userId: number | null;
  readonly placement: number;
  readonly adId: number;
  readonly creativeId: number;
  readonly values: Readonly<Record<string, number>>;
  /** What the server is told of it, and when; the same in one piece or several. */
  readonly told: readonly { readonly atMs: number; readonly type: string; readonly values?: Record<string, number> }[];
}

/** Impressions, and outcomes that come after their delay as events of their own, in order of arrival. */
function drawLog(random: Random, count: number): LoggedEvent[] {
  const events: LoggedEvent[] = [];
  // An outcome names its impression by time and keys, which two of them do not share.
  const drawn = new Set<string>();
  let eventMs = beginMs;
  for (let i = 0; i < count; i++) {
    // Some at the same time, some out of order.
    eventMs += random.below(3) * random.below(3 * minuteMs);
    const shown = random.below(creatives.count);
    const who = {
      userId: random.next() < 0.1 ? null : random.below(4),
      placement: random.below(3),
      adId: creativeTable.adId[shown] as number,
      creativeId: creativeTable.creativeId[shown] as number,
    };
    if (drawn.has(JSON.stringify([eventMs, who]))) eventMs++;
    const keys = { eventMs, ...who };
    drawn.add(JSON.stringify([eventMs, who]));
    const arrivedMs = eventMs + (random.next() < 0.5 ? 0 : random.below(20 * minuteMs));
    const values: Record<string, number> = {};
    const told: { atMs: number; type: string; values?: Record<string, number> }[] = [
      { atMs: arrivedMs, type: 'impression' },
    ];
    const late: LoggedEvent[] = [];
    for (const [name, delayMs] of [
      ['click', minuteMs],
      ['conversion', minuteMs],
      ['playMs', 2 * minuteMs],
    ] as const) {
      if (random.next() < 0.5) continue;
      const value = name === 'playMs' ? random.below(9000) : 1;
      const type = name === 'playMs' ? 'outcome' : name;
      const piece = { type, ...(name === 'playMs' && { values: { playMs: value } }) };
      const inTime = Math.max(0, eventMs + delayMs - arrivedMs);
      if (random.next() < 0.6) {
        values[name] = value;
        told.push({ ...piece, atMs: arrivedMs + random.below(inTime + 1) });
      } else {
        const atMs = arrivedMs + inTime + 1 + random.below(60 * minuteMs);
        late.push({ ...keys, arrivedMs: atMs, isOutcome: true, values: { [name]: value }, told: [{ ...piece, atMs }] });
      }
    }
    events.push({ ...keys, arrivedMs, isOutcome: false, values, told }, ...late);
  }
  return events.sort((a, b) => a.arrivedMs - b.arrivedMs);
}

/** The log as a table's columns have it. */
function rowsOf(events: readonly LoggedEvent[]): EventRows {
  const { bundle, ads } = market;
  return {
    rowCount: events.length,
    eventMs: Float64Array.from(events, ({ eventMs }) => eventMs),
    arrivedMs: Float64Array.from(events, ({ arrivedMs }) => arrivedMs),
    isOutcome: Uint8Array.from(events, ({ isOutcome }) => Number(isOutcome)),
    keys: plan.keyFields.map((field) => {
      const values = events.map((event) => {
        if (field.scope === 'request') return event[field.name as 'userId' | 'placement'];
        const ofCreative = creativeTable[columnOf(field)]?.[creatives.rowOf(event.creativeId)];
        return field.scope === 'creative' ? ofCreative : ads[columnOf(field)][event.adId - 1];
      });
      return keysOf(columnFromJson(values, bundle.fitted.columnTypes.get(columnOf(field)) as ColumnType, 'log'), 'log');
    }),
    values: plan.values.map(({ name }) => Float64Array.from(events, ({ values }) => values[name] ?? Number.NaN)),
  };
}

/** One row of a column, as numbers. */
function rowOf(column: EncodedColumn | undefined, row: number): number[] {
  switch (column?.kind) {
    case 'id':
      return [column.ids[row]];
    case 'ids':
      return [...column.ids.subarray(column.offsets[row], column.offsets[row + 1])];
    case 'dense':
      return [...column.values.subarray(row * column.width, (row + 1) * column.width)];
    default:
      throw new Error('no column');
  }
}

/** What the engine of a server is given of an impression's ad and creative, by derived field. */
async function serve(events: readonly LoggedEvent[], random: Random): Promise<Map<LoggedEvent, number[][]>> {
  // With the time of requests and events, or that of the server's clock.
  const replay = random.next() < 0.5;
  const clock = { nowMs: 0 };
  let given: ScoringInput | undefined;
  const scorer: Scorer = {
    engine: 'none',
    score(input) {
      given = input;
      const p = new Float32Array(input.rowCount).fill(0.5);
      return new Map(['click', 'conversion', 'engagement'].map((task) => [task, p]));
    },
    dispose() {},
  };
  const start = (history: History) => {
    const ranker = createRanker(market.bundle, scorer, { catalog: market.catalog, creatives, history });
    const host = { current: { ranker, reason: '', history: new HeldHistory(history, '') } };
    const app = buildServer({ host, nowUs: () => 0, nowMs: () => clock.nowMs, newId: () => 'id', replay });
    return { app, history };
  };
  const requests = events
    .filter(({ isOutcome }) => !isOutcome)
    .map((event) => ({ event, atMs: event.eventMs, piece: undefined }));
  const pieces = events.flatMap((event) => event.told.map((piece) => ({ event, atMs: piece.atMs, piece })));
  // A stable sort: what came at once stays in its order, and requests of that time before or after.
  const both = random.next() < 0.5 ? [...requests, ...pieces] : [...pieces, ...requests];
  const seen = new Map<LoggedEvent, number[][]>();
  let { app, history } = start(createHistory(plan));
  for (const { event, atMs, piece } of both.sort((a, b) => a.atMs - b.atMs)) {
    if (random.next() < 0.05) {
      const state = decodeHistoryFile(encodeHistoryFile(saveHistory(history)), 'state');
      ({ app, history } = start(loadHistory(plan, state, 'state')));
    }
    clock.nowMs = replay ? Number.NaN : atMs;
    const { eventMs, userId, placement, adId, creativeId } = event;
    const context = { placement };
    let response: { statusCode: number; body: string };
    if (piece !== undefined) {
      const { atMs: _, ...told } = piece;
      const arrived = replay ? { arrivedMs: atMs } : {};
      const body = { events: [{ ...told, ...arrived, eventMs, user: { userId }, context, ad: adId, creativeId }] };
      response = await app.inject({ method: 'POST', url: '/v1/events', payload: body });
    } else {
      // The ad is one of several, anywhere among them, and now and then brings its key along.
      const others = [1, 2, 3, 4, 5, 6].filter((id) => id !== adId && random.next() < 0.5);
      const at = random.below(others.length + 1);
      const topic = market.ads.topic_code[adId - 1];
      const own = { adId, distance: null, ...(random.next() < 0.3 && { topic }) };
      const candidates = [
        ...others.slice(0, at).map((id) => ({ adId: id, distance: null })),
        own,
        ...others.slice(at).map((id) => ({ adId: id, distance: null })),
      ];
      const payload = {
        user: { ...market.user, userId },
        context: { ...market.context, ...context, ...(replay && { time: atMs }) },
        slots: 1,
        candidates,
      };
      response = await app.inject({ method: 'POST', url: '/v1/rank', payload });
      const { fields, candidates: expanded, rowCount } = given as ScoringInput;
      const ofAd = [...creatives.rows.subarray(creatives.offsets[adId - 1], creatives.offsets[adId])];
      const first = expanded === undefined ? at : expanded.of.indexOf(at);
      const variant = first + ofAd.indexOf(creatives.rowOf(creativeId));
      const placeIn = (column: EncodedColumn) => {
        const rows = rowsIn(column);
        return rows === 1 ? 0 : rows === rowCount ? variant : at;
      };
      seen.set(
        event,
        derived.map(({ name }) => {
          const column = fields.get(name) as EncodedColumn;
          return rowOf(column, placeIn(column));
        }),
      );
    }
    if (response.statusCode !== 200) throw new Error(response.body);
  }
  return seen;
}

describe('training and service', () => {
  it('see the same history, bit for bit: late, out of order, replayed or live, and with restarts in between', async () => {
    const encoder = createEncoder(market.bundle.typed.schema, market.bundle.fitted);
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const random = createRandom(seed);
        const events = drawLog(random.fork('log'), 40);
        const rows = rowsOf(events);
        const blocks = new HistoryBlocks(plan, rows.rowCount);
        replay(createHistory(plan), [{ events: rows, blocks, source: 'log' }]);
        const columns = blocks.columns(0, rows.rowCount);
        const { fields } = encoder.encode({ rowCount: rows.rowCount, columns }, derived);
        const seen = await serve(events, random.fork('server'));
        let remembered = 0;
        events.forEach((event, row) => {
          if (event.isOutcome) return;
          const trained = derived.map(({ name }) => rowOf(fields.get(name), row));
          expect(seen.get(event)).toEqual(trained);
          remembered += trained.flat().some((value) => value !== 0) ? 1 : 0;
        });
        expect(remembered).toBeGreaterThan(20);
      }),
      { numRuns: 8, endOnFailure: true },
    );
  });
});
