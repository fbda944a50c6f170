import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { writeBundle } from '../model/bundleFiles.ts';
import type { RankAnswer } from '../ranking/answer.ts';
import { createRanker } from '../ranking/ranker.ts';
import {
  creativeSampleFields,
  remembering,
  type SampleMarket,
  sampleBatch,
  sampleCreatives,
  sampleFields,
  sampleMarket,
  sampleRows,
} from '../ranking/sampleMarket.ts';
import type { ColumnBatch } from '../schema/columns.ts';
import { createReferenceScorer } from '../scoring/engines/reference/scorer.ts';
import { openHistory } from '../server/heldHistory.ts';
import { writeTypeOf } from '../tables/arrowBatches.ts';
import { createTableWriter } from '../tables/parquetWriter.ts';
import { addRank } from './rank.ts';

let folder: string;
let market: SampleMarket;
let request: Record<string, unknown>;
let expected: RankAnswer;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'limelight-rank-'));
  market = await sampleMarket({ seed: 11 });
  await writeBundle(path.join(folder, 'model', '1'), market.bundle);
  const batch = sampleBatch({ ...market.ads, remark: market.ads.adId }, market.bundle);
  await writeTable(path.join(folder, 'ads.parquet'), batch);
  request = { user: market.user, context: market.context, slots: 3, candidates: sampleRows(market, false) };
  await writeFile(path.join(folder, 'request.json'), JSON.stringify(request));
  const scorer = createReferenceScorer(market.bundle);
  expected = JSON.parse(JSON.stringify(createRanker(market.bundle, scorer, { catalog: market.catalog }).rank(request)));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function writeTable(file: string, batch: ColumnBatch): Promise<void> {
  const columns = [...batch.columns].map(([name, column]) => ({ name, type: writeTypeOf(column) }));
  const writer = await createTableWriter(file, { columns });
  await writer.append(batch);
  await writer.close();
}

/** What the command prints. */
async function rank(...args: string[]): Promise<string> {
  const program = new Command().exitOverride();
  addRank(program);
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  try {
    await program.parseAsync(['rank', ...args], { from: 'user' });
    return write.mock.calls.map(([text]) => text).join('');
  } finally {
    write.mockRestore();
  }
}

const files = () => [
  ...['--model', path.join(folder, 'model')],
  ...['--catalog', path.join(folder, 'ads.parquet')],
  ...['--request', path.join(folder, 'request.json')],
];

describe('limelight rank', () => {
  it('answers as the ranker does, as one JSON object', async () => {
    expect(JSON.parse(await rank(...files(), '--engine', 'reference', '--json'))).toEqual(expected);
  });

  it('picks the fastest engine by itself, which agrees', async () => {
    const answer: RankAnswer = JSON.parse(await rank(...files(), '--precision', 'fp32', '--json'));
    expect(answer.slots.map(({ adId }) => adId)).toEqual(expected.slots.map(({ adId }) => adId));
    answer.slots.forEach((slot, i) => {
      expect(slot.pCtr).toBeCloseTo(expected.slots[i].pCtr as number, 3);
    });
  });

  it('prints a table with one row a slot', async () => {
    const lines = (await rank(...files(), '--engine', 'reference')).split('\n');
    expect(lines[0]).toMatch(/^slot +ad +campaign +bid type +bid +pCTR +pCVR +pEngagement +eCPM +price$/);
    expected.slots.forEach((slot, i) => {
      expect(lines[i + 1].split(/ +/).slice(0, 2)).toEqual([String(slot.slot), String(slot.adId)]);
    });
    expect(lines[5]).toMatch(/^sample 1: 3 of 40 candidates, 40 eligible/);
  });

  it.each<[string, string[], RegExp]>([
    ['no such request', ['--request', 'nowhere.json'], /no request at 'nowhere\.json'; name a file/],
    ['no such bundle', ['--model', 'nowhere'], /no bundle at 'nowhere'/],
    ['no such catalog', ['--catalog', 'nowhere.parquet'], /nowhere\.parquet/],
    ['an unknown engine', ['--engine', 'abacus'], /engine 'abacus' is unknown; use one of auto, /],
    [
      'a precision that the engine lacks',
      ['--engine', 'reference', '--precision', 'bf16'],
      /engine 'reference' computes in fp32 alone, got precision 'bf16'/,
    ],
    ['an unknown precision', ['--precision', 'fp8'], /precision 'fp8' is unknown; use one of auto, fp32, bf16, int8/],
    [
      'an ad cache that the engine lacks',
      ['--engine', 'reference', '--ad-cache-mb', '8'],
      /engine 'reference' keeps nothing of ads, got an ad cache of 8 MB/,
    ],
  ])('refuses %s', async (_, args, message) => {
    await expect(rank(...files(), ...args)).rejects.toThrow(message);
  });

  it('says where a request is not JSON', async () => {
    const broken = path.join(folder, 'broken.json');
    await writeFile(broken, '{"slots": 3,}');
    await expect(rank(...files(), '--request', broken)).rejects.toThrow(
      /broken\.json': not valid JSON \(.*correct the/,
    );
  });
});

describe('limelight serve', () => {
  const start = (...args: string[]) => {
    const script = `
      import { Command } from 'commander';
      import { addServe } from ${JSON.stringify(new URL('./serve.ts', import.meta.url).pathname)};
      const program = new Command();
      addServe(program);
      program.parseAsync(['serve', ...${JSON.stringify(args)}], { from: 'user' }).catch((error) => {
        process.stderr.write(error.name + ': ' + error.message);
        process.exitCode = 2;
      });`;
    return spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script]);
  };

  it('prints where it listens and why on this engine, answers as `rank` does, and ends well at SIGTERM', async () => {
    const [model, catalog] = [path.join(folder, 'model'), path.join(folder, 'ads.parquet')];
    const child = start('--model', model, '--catalog', catalog, '--port', '0', '--engine', 'reference');
    let logs = '';
    child.stderr.on('data', (text) => (logs += text));
    const exited = once(child, 'exit');
    const [line] = (await Promise.race([once(child.stdout, 'data'), exited.then(() => [`ended: ${logs}`])])) as [
      unknown,
    ];
    expect(String(line)).toMatch(
      /^limelight: sample version 1 with 40 ads on http:\/\/127\.0\.0\.1:\d+; engine reference, asked for: .*\n$/,
    );
    const url = /http[^;]+/.exec(String(line))?.[0];
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${url}/v1/rank`, { method: 'POST', headers, body: JSON.stringify(request) });
    expect(await response.json()).toEqual(expected);
    expect(Number(response.headers.get('x-latency-us'))).toBeGreaterThan(0);
    child.kill('SIGTERM');
    expect(await exited).toEqual([0, null]);
    expect(logs).toMatch(/"url":"\/v1\/rank","status":200/);
    expect(logs).toMatch(/"answered":true/);
  });

  it('begins with the history of a file, and writes there what it was told when it ends', async () => {
    const bundle = (await sampleMarket({ ...remembering, seed: 12 })).bundle;
    const model = path.join(folder, 'remembering');
    await writeBundle(path.join(model, '1'), bundle);
    const state = path.join(folder, 'state');
    const serveOnce = async (origin: RegExp) => {
      const child = start('--model', model, '--port', '0', '--engine', 'reference', '--history', state);
      const exited = once(child, 'exit');
      const [line] = await once(child.stdout, 'data');
      expect(String(line)).toMatch(origin);
      const event = { type: 'impression', eventMs: Date.now(), user: { userId: 7 }, ad: { adId: 3, topic: null } };
      const headers = { 'content-type': 'application/json' };
      const body = JSON.stringify({ events: [event] });
      const response = await fetch(`${/http[^;]+/.exec(String(line))?.[0]}/v1/events`, {
        method: 'POST',
        headers,
        body,
      });
      expect(await response.json()).toEqual({ accepted: 1 });
      child.kill('SIGTERM');
      expect(await exited).toEqual([0, null]);
    };
    await serveOnce(/; history empty, \d keys\n$/);
    await serveOnce(/; history from .*state, [1-9]\d* keys\n$/);
    expect((await openHistory(bundle, model, state))?.history.stats().events).toBe(2);
  });

  it('chooses creatives by what a file knows of them, and writes there what it was told when it ends', async () => {
    const fields = [...sampleFields, ...creativeSampleFields.filter(({ name }) => name !== 'likeness')];
    const shown = await sampleMarket({ seed: 13, adCount: 4, fields });
    const place = (name: string) => path.join(folder, 'shown', name);
    await writeBundle(place('1'), shown.bundle);
    await writeTable(place('ads.parquet'), sampleBatch(shown.ads, shown.bundle));
    const table = sampleCreatives(shown, 3, () => 2);
    await writeTable(place('creatives.parquet'), sampleBatch(table, shown.bundle));
    const state = place('state.json');
    const ofModel = [
      '--model',
      place('1'),
      '--catalog',
      place('ads.parquet'),
      '--creatives',
      place('creatives.parquet'),
    ];
    const asked = {
      user: shown.user,
      context: shown.context,
      slots: 4,
      candidates: shown.ads.adId.map((adId) => ({ adId, distance: 3 })),
    };
    const serveOnce = async (origin: RegExp) => {
      const child = start(...ofModel, '--creative-state', state, '--port', '0', '--engine', 'reference');
      const exited = once(child, 'exit');
      const [line] = await once(child.stdout, 'data');
      expect(String(line)).toMatch(origin);
      const post = async (route: string, body: unknown) => {
        const url = `${/http[^;]+/.exec(String(line))?.[0]}/v1/${route}`;
        const headers = { 'content-type': 'application/json' };
        return (await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })).json();
      };
      const { slots } = (await post('rank', asked)) as RankAnswer;
      const events = slots.map(({ adId, creativeId, pCtr, propensity }) => {
        expect(table.adId[table.creativeId.indexOf(creativeId)]).toBe(adId);
        return { type: 'impression', eventMs: Date.now(), ad: adId, creativeId, pCtr, propensity };
      });
      expect(await post('events', { events })).toEqual({ accepted: 4, creatives: 4 });
      child.kill('SIGTERM');
      expect(await exited).toEqual([0, null]);
    };
    await serveOnce(/with 4 ads and 8 creatives on .*; creatives by policy default, empty\n$/);
    await serveOnce(/; creatives by policy default, from .*state\.json\n$/);
    const shownIn = async () => {
      const { ads }: { ads: { creatives: { totals: number[] }[] }[] } = JSON.parse(await readFile(state, 'utf8'));
      return ads.flatMap(({ creatives }) => creatives).reduce((sum, { totals: [n] }) => sum + n, 0);
    };
    expect(await shownIn()).toBe(8);

    await writeFile(place('request.json'), JSON.stringify(asked));
    const once4: RankAnswer = JSON.parse(
      await rank(...ofModel, '--request', place('request.json'), '--engine', 'reference', '--json'),
    );
    expect(once4.slots.map(({ propensity }) => propensity)).toEqual([1, 1, 1, 1]);
    const printed = await rank(...ofModel, '--request', place('request.json'), '--engine', 'reference');
    expect(printed.split('\n')[0]).toMatch(/^slot +ad +creative +campaign/);

    // Killed, it has kept what it was told up to the last time that it was written.
    const killed = start(...ofModel, '--creative-state', state, '--creative-state-seconds', '1', '--port', '0');
    const [started] = await once(killed.stdout, 'data');
    const url = /http[^;]+/.exec(String(started))?.[0];
    const impressions = [1, 2, 3].map(() => ({ type: 'impression', eventMs: Date.now(), creativeId: 900 }));
    const body = JSON.stringify({ events: impressions });
    await fetch(`${url}/v1/events`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    await vi.waitUntil(async () => (await shownIn()) === 11, { timeout: 20_000, interval: 100 });
    killed.kill('SIGKILL');
    await once(killed, 'exit');
    expect(await shownIn()).toBe(11);

    await writeFile(state, '{"version": 99}');
    const child = start(...ofModel, '--creative-state', state, '--port', '0', '--engine', 'reference');
    const [error] = await once(child.stderr, 'data');
    expect(String(error)).toMatch(/UserError: --creative-state '.+': a bandit of version 99/);
    await once(child, 'exit');
    expect(await readFile(state, 'utf8')).toBe('{"version": 99}');

    const linear = place('linear.json');
    await writeFile(linear, '{"policy": "linucb", "segment": "clickedAds", "segments": ["1"]}');
    const refused = start(...ofModel, '--creative-policy', linear, '--port', '0', '--engine', 'reference');
    const [told] = await once(refused.stderr, 'data');
    expect(String(told)).toMatch(
      /UserError: --creative-policy '.+linear\.json': policy 'linucb' tells users apart by segment 'clickedAds', which is/,
    );
    await once(refused, 'exit');
  });

  it('does not start with a catalog that lacks a field of the model', async () => {
    const { topic_code: _, ...rest } = market.ads;
    const poor = path.join(folder, 'poor.parquet');
    await writeTable(poor, sampleBatch(rest, market.bundle));
    await expect(rank(...files(), '--catalog', poor)).rejects.toThrow(
      /field 'topic' needs column 'topic_code', which the data lacks/,
    );
  });
});
