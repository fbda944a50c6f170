import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createHistory } from '../history/createHistory.ts';
import type { History } from '../history/history.ts';
import { createHistoryPlan, type HistoryPlan } from '../history/historyPlan.ts';
import { loadHistory, saveHistory } from '../history/state.ts';
import { saveWithSchema } from '../history/stateSchema.ts';
import { readHistoryFile, writeHistoryFile } from '../model/bundleFiles.ts';
import type { EventRequest } from '../ranking/eventRequest.ts';
import { createRanker, type Ranker } from '../ranking/ranker.ts';
import { remembering, type SampleMarket, sampleMarket } from '../ranking/sampleMarket.ts';
import { schemaFile } from '../schema/derivedFields.ts';
import { parseSchema } from '../schema/parseSchema.ts';
import { createReferenceScorer } from '../scoring/engines/reference/scorer.ts';
import { addHistory } from './history.ts';

const beginMs = Date.UTC(2026, 2, 1);
/** A user whose key is nowhere else in a file. */
const userId = '1234567890123456789';
let folder: string;
let market: SampleMarket;
let plan: HistoryPlan;
let ranker: Ranker;
let state: string;

const event = (type: string, user: string | number, ad: number, more: object = {}): EventRequest => ({
  type,
  eventMs: beginMs + ad * 1000,
  user: { userId: user },
  context: { placement: 1 },
  ad,
  ...more,
});

function told(events: readonly EventRequest[]): History {
  const history = createHistory(plan);
  const rows = ranker.events?.readRequest({ events }, {});
  for (let row = 0; row < events.length; row++) history.add(rows as never, row);
  return history;
}

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'limelight-history-'));
  market = await sampleMarket({ ...remembering, seed: 21 });
  plan = createHistoryPlan(market.bundle.typed.schema) as HistoryPlan;
  ranker = createRanker(market.bundle, createReferenceScorer(market.bundle), { catalog: market.catalog });
});

beforeEach(async () => {
  const history = told([
    event('impression', userId, 3),
    event('impression', userId, 5, { values: { click: 1, playMs: 1500 } }),
    event('impression', 8, 5),
  ]);
  history.advance(beginMs + 600_000);
  state = path.join(folder, 'state');
  await writeHistoryFile(state, saveWithSchema(history, market.bundle.typed.schema));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** What the command prints. */
async function run(...args: string[]): Promise<string> {
  const program = new Command().exitOverride();
  addHistory(program);
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  try {
    await program.parseAsync(['history', ...args], { from: 'user' });
    return write.mock.calls.map(([text]) => text).join('');
  } finally {
    write.mockRestore();
  }
}

const show = async (...args: string[]) => JSON.parse(await run('show', '--json', '--state', state, ...args));

async function read(file: string): Promise<History> {
  return loadHistory(plan, await readHistoryFile(file), file);
}

const tensorsOf = (history: History) => [...saveHistory(history)].map(([name, { values }]) => [name, [...values]]);

describe('limelight history show', () => {
  it('prints the counters and sequences of the keys given, by name', async () => {
    const { at, counters, sequences } = await show('--key', `user=${userId}`);
    expect(at).toBe('2026-03-01T00:10:00.000Z');
    expect(counters.map(({ name }: { name: string }) => name)).toEqual(['userStats', 'userLast']);
    expect(Object.keys(counters[0].windows)).toEqual(['lifetime', 'half-life 1h', 'session']);
    expect(counters[0].windows.lifetime.count).toBeCloseTo(Math.log(3), 6);
    expect(counters[1].windows.lifetime).toMatchObject({ 'last click': 1, 'same placement': 0 });
    const topics = [5, 3].map((ad) => market.ads.topic_code[ad - 1]);
    expect(sequences).toEqual([
      {
        name: 'recent',
        by: 'userId',
        events: [
          { adId: '5', topic: topics[0] === null ? null : String(topics[0]), actions: ['click'], gapSeconds: 511 },
          { adId: '3', topic: topics[1] === null ? null : String(topics[1]), actions: [], gapSeconds: 511 },
        ],
      },
    ]);
  });

  it('takes several keys, a field’s own name, and a time', async () => {
    const { counters, sequences } = await show('--key', 'adId=5', '--key', 'placement=1');
    expect(counters.map(({ name }: { name: string }) => name)).toEqual(['adStats', 'placementStats']);
    expect(counters[0].windows.lifetime.count).toBeCloseTo(Math.log(3), 6);
    expect(sequences).toEqual([]);
    const later = await show('--key', `userId=${userId}`, '--at', '2026-03-02');
    expect(later.at).toBe('2026-03-02T00:00:00.000Z');
    expect(later.counters[0].windows.session.count).toBe(0);
  });

  it('prints tables where JSON is not asked for', async () => {
    const text = await run('show', '--state', state, '--key', `user=${userId}`);
    expect(text).toMatch(/counter userStats, by userId\nover +count +rate click +mean playMs\nlifetime +1\.0986 /);
    expect(text).toMatch(
      /sequence recent, by userId: 2 events, latest first\nadId +topic +actions +gapSeconds\n5 .* click +511\n/,
    );
    const nobody = await run('show', '--state', state, '--key', 'user=99');
    expect(nobody).toMatch(/sequence recent, by userId: 0 events/);
  });

  it('knows the schema from the state, from a file, or not at all', async () => {
    const schema = path.join(folder, 'schema.json');
    await writeFile(schema, JSON.stringify(schemaFile(market.bundle.typed.schema)));
    expect(await show('--key', 'user=8', '--schema', schema)).toEqual(await show('--key', 'user=8'));
    const other = structuredClone(schemaFile(market.bundle.typed.schema)) as {
      fields: { name: string; length?: number }[];
    };
    for (const field of other.fields) if (field.name === 'recent') field.length = 9;
    expect(parseSchema(other).name).toBe('sample');
    await writeFile(schema, JSON.stringify(other));
    await expect(show('--key', 'user=8', '--schema', schema)).rejects.toThrow(/a history of another schema/);
  });

  it.each<[string, RegExp]>([
    ['user', /expected NAME=VALUE, such as user=42/],
    ['usr=3', /history has no key 'usr'; it has userId, adId, topic and placement/],
  ])('refuses the key %s', async (key, message) => {
    await expect(show('--key', key)).rejects.toThrow(message);
  });
});

describe('limelight history forget', () => {
  it('erases all of a user, also from the file’s bytes, and leaves the others as they are', async () => {
    const key = Buffer.alloc(8);
    key.writeBigInt64LE(BigInt(userId));
    expect((await readFile(state)).includes(key)).toBe(true);
    const others = await show('--key', 'user=8');
    expect(await run('forget', '--state', state, '--key', `user=${userId}`)).toMatch(
      /^forgot user=1234567890123456789; wrote/,
    );
    expect((await readFile(state)).includes(key)).toBe(false);
    expect((await show('--key', `user=${userId}`)).sequences[0].events).toEqual([]);
    expect(await show('--key', 'user=8')).toEqual(others);
  });

  it('writes another file where one is named, and says where nothing is held', async () => {
    const before = await readFile(state);
    const out = path.join(folder, 'forgotten');
    await run('forget', '--state', state, '--key', 'user=8', '--out', out);
    expect(await readFile(state)).toEqual(before);
    expect(tensorsOf(await read(out))).not.toEqual(tensorsOf(await read(state)));
    expect(await run('forget', '--state', state, '--key', 'user=77')).toMatch(/^nothing is held of user=77 in /);
    expect(await readFile(state)).toEqual(before);
  });
});

describe('limelight history merge', () => {
  it('adds shards of other users up', async () => {
    const shards = [8, 9].map((user) => told([event('impression', user, 3), event('impression', user, 5)]));
    const files = shards.map((_, i) => path.join(folder, `shard-${i}`));
    for (const [i, shard] of shards.entries())
      await writeHistoryFile(files[i], saveWithSchema(shard, market.bundle.typed.schema));
    const out = path.join(folder, 'merged');
    expect(await run('merge', '--out', out, ...files)).toMatch(/^merged 2 states into .*: \d+ keys/);
    state = out;
    const { counters } = await show('--key', 'adId=5', '--at', '2026-03-01T00:30');
    expect(counters[0].windows.lifetime.count).toBeCloseTo(Math.log(3), 6);
    for (const user of [8, 9]) {
      const { sequences } = await show('--key', `user=${user}`, '--at', '2026-03-01T00:30');
      expect(sequences[0].events.map(({ adId }: { adId: string }) => adId)).toEqual(['5', '3']);
    }
    await expect(run('merge', '--out', out, files[0])).rejects.toThrow(/expected two or more states, got 1/);
  });
});

describe('a state file that is damaged', () => {
  it.each<[string, (bytes: Buffer) => Buffer]>([
    ['cut short', (bytes) => bytes.subarray(0, bytes.length - 8)],
    ['of a changed byte', (bytes) => Buffer.concat([bytes.subarray(0, -3), Buffer.from([7]), bytes.subarray(-2)])],
    ['empty', () => Buffer.alloc(0)],
    ['of something else', () => Buffer.from('not a state at all, but text')],
  ])('is refused and left alone: %s', async (_, change) => {
    const damaged = change(await readFile(state));
    await writeFile(state, damaged);
    for (const command of ['show', 'forget'])
      await expect(run(command, '--state', state, '--key', 'user=8')).rejects.toMatchObject({ name: 'UserError' });
    expect(await readFile(state)).toEqual(damaged);
  });

  it('is told from one that is not there', async () => {
    await expect(run('show', '--state', `${state}.x`, '--key', 'user=8')).rejects.toThrow(/no state of history at/);
  });
});
