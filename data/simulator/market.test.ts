import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type {
  Column,
  ColumnBatch,
  IntegerColumn,
  ListColumn,
  NumberColumn,
  TextColumn,
} from '../../src/schema/columns.ts';
import { createMarket } from './market.ts';
import { endMsOf, marketPresets } from './presets.ts';

const preset = marketPresets.get('static')!;
/** Small in users and ads, so that many markets can be made. */
const hamlet = { ...preset, userCount: 60, adCount: 40, advertiserCount: 12 };
const driftingPreset = marketPresets.get('drift')!;
const driftingHamlet = { ...driftingPreset, userCount: 60, adCount: 40, advertiserCount: 12 };
const wordyHamlet = { ...marketPresets.get('creatives')!, userCount: 60, adCount: 40, advertiserCount: 12 };

const integersOf = (batch: ColumnBatch, name: string) => (batch.columns.get(name) as IntegerColumn).values;
const wholeOf = (batch: ColumnBatch, name: string) => integersOf(batch, name) as Int32Array;
const longOf = (batch: ColumnBatch, name: string) => integersOf(batch, name) as BigInt64Array;
const numbersOf = (batch: ColumnBatch, name: string) => (batch.columns.get(name) as NumberColumn).values;

function textsOf(batch: ColumnBatch, name: string): string[] {
  const { offsets, bytes, indices } = batch.columns.get(name) as TextColumn;
  return Array.from(indices!, (i) => new TextDecoder().decode(bytes.subarray(offsets[i], offsets[i + 1])));
}

/** A row as plain values, null where there is none. */
function valueAt(column: Column, row: number): unknown {
  if (column.valid && !column.valid[row]) return null;
  if (column.type === 'list') {
    const [from, to] = [column.offsets[row], column.offsets[row + 1]];
    return Array.from({ length: to - from }, (_, i) => valueAt(column.items, from + i));
  }
  if (column.type !== 'text') return column.values[row];
  const entry = column.indices![row];
  return new TextDecoder().decode(column.bytes.subarray(column.offsets[entry], column.offsets[entry + 1]));
}

function fingerprint(batches: readonly ColumnBatch[]): string {
  const hash = createHash('sha256');
  for (const name of batches[0].columns.keys()) {
    hash.update(name);
    for (const batch of batches) {
      const column = batch.columns.get(name)!;
      for (let row = 0; row < batch.rowCount; row++) hash.update(`${valueAt(column, row)}|`);
    }
  }
  return hash.digest('hex');
}

function drain(seed: number, impressionCount: number, sizes: readonly number[], of = hamlet): ColumnBatch[] {
  const market = createMarket(of, { seed, impressionCount });
  const batches: ColumnBatch[] = [];
  for (let i = 0; ; i++) {
    const batch = market.nextBatch(sizes[i % sizes.length]);
    if (batch.rowCount === 0) return batches;
    batches.push(batch);
  }
}

describe('a market', () => {
  it.each([
    ['static', hamlet],
    ['drift', driftingHamlet],
    ['creatives', wordyHamlet],
  ])('%s gives the same rows for the same seed, whatever the batch sizes', (_, of) => {
    const whole = fingerprint(drain(7, 900, [900], of));
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 4 }), (sizes) => {
        expect(fingerprint(drain(7, 900, sizes, of))).toBe(whole);
      }),
      { numRuns: 12 },
    );
  });

  it('of the preset static gives these very rows, on which bars for models rest', () => {
    expect(fingerprint(drain(7, 900, [900]))).toBe('ad914c429844c72f9b21769457c036066a21ae78c8f5d8bf6c09233ec0400dd3');
  });

  it('differs from seed to seed', () => {
    const prints = [1, 2, 3, 0xffffffff].map((seed) => fingerprint(drain(seed, 300, [300])));
    expect(new Set(prints).size).toBe(4);
  });

  it('gives exactly the impressions asked for, then none', () => {
    const market = createMarket(hamlet, { seed: 1, impressionCount: 11 });
    expect([5, 5, 5, 5].map((rows) => market.nextBatch(rows).rowCount)).toEqual([5, 5, 1, 0]);
    expect(market.impressionCount).toBe(11);
  });

  it.each([
    [{ seed: -1, impressionCount: 10 }, /expected seed to be a whole number .* got -1/],
    [{ seed: 1.5, impressionCount: 10 }, /expected seed .* got 1.5/],
    [{ seed: 1, impressionCount: 0 }, /expected impressions .* got 0/],
    [{ seed: 1, impressionCount: Number.NaN }, /expected impressions .* got NaN/],
  ])('refuses %o', (options, message) => {
    expect(() => createMarket(hamlet, options)).toThrow(message);
  });
});

/** How many standard deviations the outcomes lie from what their probabilities promise. */
function surprise(outcome: ArrayLike<number>, p: ArrayLike<number>, among: readonly number[]): number {
  let excess = 0;
  let variance = 0;
  for (const row of among) {
    excess += outcome[row] - p[row];
    variance += p[row] * (1 - p[row]);
  }
  return excess / Math.sqrt(variance);
}

describe('the static market', () => {
  const impressionCount = 120_000;
  const market = createMarket(preset, { seed: 3, impressionCount });
  const log = market.nextBatch(impressionCount);
  const click = wholeOf(log, 'click');
  const conversion = wholeOf(log, 'conversion');
  const pClick = numbersOf(log, 'true_p_click');
  const placement = textsOf(log, 'placement');
  const position = wholeOf(log, 'position');
  const rows = Array.from({ length: impressionCount }, (_, row) => row);

  it('clicks as often as the truth says, at every placement and position', () => {
    expect(Math.abs(surprise(click, pClick, rows))).toBeLessThan(3);
    const groups = new Map<string, number[]>();
    for (const row of rows) {
      const key = `${placement[row]} ${position[row]}`;
      const members = groups.get(key);
      if (members) members.push(row);
      else groups.set(key, [row]);
    }
    for (const [group, members] of groups) {
      // Ten groups: 3.5 keeps one false alarm in two hundred runs, and the seed is fixed.
      expect(Math.abs(surprise(click, pClick, members)), group).toBeLessThan(3.5);
    }
  });

  it('clicks as often as the truth says, from the least to the most likely', () => {
    const order = rows.toSorted((a, b) => pClick[a] - pClick[b]);
    for (let tenth = 0; tenth < 10; tenth++) {
      const members = order.slice((tenth * impressionCount) / 10, ((tenth + 1) * impressionCount) / 10);
      expect(Math.abs(surprise(click, pClick, members)), `tenth ${tenth + 1}`).toBeLessThan(3.5);
    }
  });

  it('converts and engages as often as the truth says', () => {
    const clicked = rows.filter((row) => click[row] === 1);
    expect(Math.abs(surprise(conversion, numbersOf(log, 'true_p_conversion'), clicked))).toBeLessThan(3);
    expect(Math.abs(surprise(conversion, numbersOf(log, 'true_p_click_conversion'), rows))).toBeLessThan(3);
    expect(Math.abs(surprise(wholeOf(log, 'engaged'), numbersOf(log, 'true_p_engaged'), rows))).toBeLessThan(3);
  });

  it('has the click and conversion rates of its preset', () => {
    const clicks = click.reduce((sum, value) => sum + value, 0);
    const conversions = conversion.reduce((sum, value) => sum + value, 0);
    expect(clicks / impressionCount / preset.clickRate).toBeGreaterThan(0.9);
    expect(clicks / impressionCount / preset.clickRate).toBeLessThan(1.1);
    expect(conversions / clicks / preset.conversionRate).toBeGreaterThan(0.85);
    expect(conversions / clicks / preset.conversionRate).toBeLessThan(1.15);
  });

  it('converts only after clicks, with a positive delay that ends at the conversion’s time', () => {
    const timeMs = longOf(log, 'time_ms');
    const clickDelay = log.columns.get('click_delay_ms') as IntegerColumn;
    const delay = log.columns.get('conversion_delay_ms') as IntegerColumn;
    const when = log.columns.get('conversion_time_ms') as IntegerColumn;
    const wrong = rows.filter(
      (row) =>
        (conversion[row] === 1 && click[row] === 0) ||
        clickDelay.valid![row] !== click[row] ||
        delay.valid![row] !== conversion[row] ||
        when.valid![row] !== conversion[row] ||
        (click[row] === 1 && clickDelay.values[row] <= 0) ||
        (conversion[row] === 1 && delay.values[row] <= clickDelay.values[row]) ||
        (conversion[row] === 1 && when.values[row] !== timeMs[row] + (delay.values[row] as bigint)),
    );
    expect(wrong).toEqual([]);
  });

  it('is examined less the further down, at each placement', () => {
    const examined = numbersOf(log, 'true_p_examined');
    for (const [where, most] of [
      ['feed', 6],
      ['search', 4],
    ] as const) {
      let above = 1;
      for (let slot = 1; slot <= most; slot++) {
        const members = rows.filter((row) => placement[row] === where && position[row] === slot);
        const mean = members.reduce((sum, row) => sum + examined[row], 0) / members.length;
        expect(mean).toBeLessThan(above);
        above = mean;
      }
    }
  });

  it('shows each request’s ads once, in positions from 1, to one user at one time', () => {
    const requestId = longOf(log, 'request_id');
    const userId = longOf(log, 'user_id');
    const adId = longOf(log, 'ad_id');
    const timeMs = longOf(log, 'time_ms');
    const wrong: number[] = [];
    let shown = new Set<bigint>();
    for (const row of rows) {
      const starts = row === 0 || requestId[row] !== requestId[row - 1];
      if (starts) shown = new Set();
      const follows = starts
        ? position[row] === 1
        : position[row] === position[row - 1] + 1 && userId[row] === userId[row - 1] && timeMs[row] === timeMs[row - 1];
      if (!follows || shown.has(adId[row])) wrong.push(row);
      shown.add(adId[row]);
    }
    expect(wrong).toEqual([]);
    expect(Number(requestId[impressionCount - 1])).toBe(market.requestCount);
  });

  it('runs through its fourteen days in order of time, hour and weekday beside it', () => {
    const timeMs = longOf(log, 'time_ms');
    const hour = wholeOf(log, 'hour');
    const weekday = textsOf(log, 'weekday');
    const names = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
    for (const row of rows) {
      if (row > 0 && timeMs[row] < timeMs[row - 1]) expect.fail(`row ${row} goes back in time`);
      if (row % 97 !== 0) continue;
      const date = new Date(Number(timeMs[row]));
      expect(hour[row]).toBe(date.getUTCHours());
      expect(weekday[row]).toBe(names[date.getUTCDay()]);
    }
    expect(Number(timeMs[0])).toBeLessThan(preset.startMs + 600_000);
    expect(Number(timeMs[impressionCount - 1])).toBeLessThan(endMsOf(preset));
    expect(Number(timeMs[impressionCount - 1])).toBeGreaterThan(endMsOf(preset) - 600_000);
  });

  it('has user ids beyond 2^53 that a double would merge', () => {
    const ids = new Set(longOf(log, 'user_id'));
    const large = [...ids].filter((id) => id > 2n ** 53n);
    expect(large.length).toBeGreaterThan(100);
    expect(new Set(large.map(Number)).size).toBeLessThan(large.length);
    const all = (market.users.columns.get('user_id') as IntegerColumn).values as BigInt64Array;
    expect(new Set(all).size).toBe(preset.userCount);
  });

  it('lacks a few values of users and images, and a query outside search', () => {
    const share = (name: string) => {
      const { valid } = log.columns.get(name)!;
      return rows.filter((row) => !valid![row]).length / impressionCount;
    };
    for (const name of ['age_band', 'gender', 'past_spend']) {
      expect(share(name), name).toBeGreaterThan(0.002);
      expect(share(name), name).toBeLessThan(0.08);
    }
    const query = log.columns.get('query_topic') as IntegerColumn;
    for (const row of rows) if (query.valid![row] !== (placement[row] === 'search' ? 1 : 0)) expect.fail(`row ${row}`);
    const image = log.columns.get('image_embedding') as ListColumn;
    for (const row of rows) {
      const length = image.offsets[row + 1] - image.offsets[row];
      if (length !== (image.valid![row] ? 8 : 0)) expect.fail(`row ${row} has ${length} image numbers`);
    }
  });

  it('has a few popular ads and a long tail', () => {
    const counts = new Map<bigint, number>();
    for (const id of longOf(log, 'ad_id')) counts.set(id, (counts.get(id) ?? 0) + 1);
    const sorted = [...counts.values()].sort((a, b) => b - a);
    const top = sorted.slice(0, preset.adCount / 20).reduce((sum, n) => sum + n, 0);
    expect(top / impressionCount).toBeGreaterThan(0.2);
    expect(sorted.length).toBeGreaterThan(0.95 * preset.adCount);
  });

  it('orders some requests at random, and in those relevance does not fall with the position', () => {
    const randomized = wholeOf(log, 'randomized');
    const examined = numbersOf(log, 'true_p_examined');
    const relevance = (flag: number, slot: number) => {
      const members = rows.filter((r) => placement[r] === 'feed' && randomized[r] === flag && position[r] === slot);
      return members.reduce((sum, row) => sum + pClick[row] / examined[row], 0) / members.length;
    };
    expect(relevance(0, 1) / relevance(0, 3)).toBeGreaterThan(1.1);
    expect(relevance(1, 1) / relevance(1, 3)).toBeGreaterThan(0.9);
    expect(relevance(1, 1) / relevance(1, 3)).toBeLessThan(1.1);
  });
});

describe('the drifting market', () => {
  const impressionCount = 120_000;
  const log = createMarket(driftingPreset, { seed: 3, impressionCount }).nextBatch(impressionCount);
  const click = wholeOf(log, 'click');
  const pClick = numbersOf(log, 'true_p_click');
  const examined = numbersOf(log, 'true_p_examined');
  const userId = longOf(log, 'user_id');
  const adId = longOf(log, 'ad_id');
  const rows = Array.from({ length: impressionCount }, (_, row) => row);
  const relevance = (among: readonly number[]) =>
    among.reduce((sum, row) => sum + pClick[row] / examined[row], 0) / among.length;
  /** By how often the user had seen the ad: 0, 1, 2, 3 and more. */
  const bySeen: number[][] = [[], [], [], []];
  const seen = new Map<string, number>();
  for (const row of rows) {
    const pair = `${userId[row]} ${adId[row]}`;
    const times = seen.get(pair) ?? 0;
    seen.set(pair, times + 1);
    bySeen[Math.min(times, 3)].push(row);
  }

  it('clicks as often as the truth says, however often the user has seen the ad', () => {
    expect(Math.abs(surprise(click, pClick, rows))).toBeLessThan(3);
    for (const members of bySeen) expect(Math.abs(surprise(click, pClick, members))).toBeLessThan(3.5);
  });

  it('clicks less on what it has seen', () => {
    const [never, once, twice, often] = bySeen.map(relevance);
    expect(once).toBeLessThan(0.9 * never);
    expect(twice).toBeLessThan(once);
    expect(often).toBeLessThan(twice);
  });

  it('clicks on the topics it clicked on within the hour more than on those it passed over', () => {
    const topic = wholeOf(log, 'topic');
    const timeMs = longOf(log, 'time_ms');
    const last = new Map<string, number>();
    const after: number[][] = [[], []];
    for (const row of rows) {
      const pair = `${userId[row]} ${topic[row]}`;
      const before = last.get(pair);
      if (before !== undefined && timeMs[row] - timeMs[before] < 3_600_000n) after[click[before]].push(row);
      last.set(pair, row);
    }
    expect(relevance(after[1])).toBeGreaterThan(1.5 * relevance(after[0]));
  });

  it('is visited by a few users at a time, for several page views each', () => {
    const requestId = longOf(log, 'request_id');
    const visitors = rows.filter((row) => row > 0 && requestId[row] !== requestId[row - 1]).map((row) => userId[row]);
    let returns = 0;
    visitors.forEach((user, i) => {
      if (visitors.slice(Math.max(0, i - 30), i).includes(user)) returns++;
    });
    // Seven in eight page views are of a user who is there already, and most of those within the last thirty.
    expect(returns / visitors.length).toBeGreaterThan(0.7);
    expect(new Set(userId).size).toBeGreaterThan(0.5 * driftingPreset.userCount);
  });
});
