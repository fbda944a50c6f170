import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { UserError } from '../core/errors.ts';
import { createRandom } from '../core/random.ts';
import { writeTestTable } from '../tables/writeTestTable.ts';
import { addCreativeEvaluate } from './creativeEvaluate.ts';
import {
  type CreativePolicyEvaluation,
  type EvaluateCreativePolicy,
  evaluateCreativePolicy,
  type Observed,
} from './creativeEvaluation.ts';
import type { CreativeLog } from './creativeLog.ts';
import { targetedLog } from './creativeTarget.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'creative-evaluate-'));
});
afterEach(() => rm(folder, { recursive: true }));

type Row = Readonly<Record<string, string | number | null>>;

function write(name: string, rows: readonly Row[]): Promise<string> {
  const columns = Object.keys(rows[0]).map((key) => [key, rows.map((row) => row[key])] as const);
  return writeTestTable(join(folder, `${name}.parquet`), Object.fromEntries(columns));
}

const evaluate = (options: Partial<EvaluateCreativePolicy> & { data: string }) =>
  evaluateCreativePolicy({ target: 'uniform', seed: 1, resamples: 100, ...options });
const estimated = ({ estimates }: CreativePolicyEvaluation, name: string) =>
  estimates.find(({ estimator }) => estimator === name)?.value as number;

/** Impressions of two ads, with three and two creatives, drawn unevenly. */
function ownLog(rows: number): Row[] {
  const random = createRandom(5);
  const shares = { a: [0.2, 0.5, 0.3], b: [0.9, 0.1] };
  return Array.from({ length: rows }, () => {
    const ad = random.next() < 0.5 ? 'a' : 'b';
    let creative = 0;
    for (let left = random.next() - shares[ad][0]; left > 0; left -= shares[ad][creative]) creative++;
    const rate = ad === 'a' ? 0.1 * (creative + 1) : 0.5 * creative;
    return {
      ad_id: ad,
      creative_id: `${ad}${creative}`,
      click: Number(random.next() < rate),
      propensity: shares[ad][creative],
    };
  });
}

function logOf(rows: readonly { ad: string; action: string; reward: number }[], unitRows: number): CreativeLog {
  const ads = rows.map(({ ad }) => ad);
  return {
    files: [],
    columns: {},
    ads,
    contexts: ads,
    actions: rows.map(({ action }) => action),
    rewards: Float64Array.from(rows, ({ reward }) => reward),
    propensities: new Float64Array(rows.length).fill(0.5),
    units: Int32Array.from(rows, (_, row) => Math.floor(row / unitRows)),
  };
}

describe('creative evaluate', () => {
  it('takes as uniform what is uniform over the creatives of each ad', async () => {
    const result = await evaluate({ data: await write('log', ownLog(4000)) });
    // (0.1 + 0.2 + 0.3)/3 for one half of the impressions, (0 + 0.5)/2 for the other.
    for (const { estimator, value, low, high } of result.estimates) {
      expect(value, estimator).toBeGreaterThan(0.2);
      expect(value, estimator).toBeLessThan(0.25);
      expect(low, estimator).toBeLessThan(0.225);
      expect(high, estimator).toBeGreaterThan(0.225);
    }
    expect(result).toMatchObject({ rows: 4000, target: 'uniform', seed: 1, warnings: [] });
    expect(result.weightMax).toBeCloseTo(5, 12);
    expect(result.observed.target).toBeNull();
    expect(result.estimates.map(({ estimator }) => estimator)).toEqual([
      'ips',
      'snips',
      'dm',
      'dr',
      'switch-dr',
      'replay',
    ]);
  });

  it('takes another log’s shares by position as the target, and says what was observed in both', async () => {
    const row = (item_id: number, position: number, click: number) => ({ item_id, position, click });
    const data = await write(
      'log',
      [row(1, 1, 1), row(2, 1, 0), row(1, 2, 0), row(2, 2, 1)].map((r) => ({ ...r, propensity: 0.5 })),
    );
    const other = [row(1, 1, 1), row(1, 1, 1), row(1, 1, 0), row(2, 1, 0), row(2, 2, 1)];
    const result = await evaluate({ data, target: await write('other', other), estimator: ['ips', 'snips'] });
    // Weights of the clicked rows: .75/.5 for item 1 in position 1, 1/.5 for item 2 in position 2.
    expect(estimated(result, 'ips')).toBeCloseTo((1.5 + 2) / 4, 12);
    expect(estimated(result, 'snips')).toBeCloseTo((1.5 + 2) / (1.5 + 0.5 + 2), 12);
    expect(result.observed).toMatchObject({ log: { rows: 4, value: 0.5 }, target: { rows: 5, value: 0.6 } });
    expect(result.warnings).toEqual([]);
  });

  it('warns of rows that the target says nothing of, and of what the target does and the log never shows', async () => {
    const rows = (list: readonly (readonly [number, number])[]) =>
      list.map(([item_id, position]) => ({ item_id, position, click: 1, propensity: 0.5 }));
    const data = await write(
      'log',
      rows([
        [1, 1],
        [2, 1],
        [1, 2],
        [1, 3],
      ]),
    );
    const target = await write(
      'other',
      rows([
        [1, 1],
        [3, 1],
        [1, 2],
        [3, 4],
      ]),
    );
    const { warnings, rows: count } = await evaluate({ data, target });
    expect(count).toBe(3);
    expect(warnings.slice(0, 2)).toEqual([
      "1 of 4 rows are of an ad or position that the target's log lacks; left out",
      'the log never shows 33 % of what the target does, and says nothing of it',
    ]);
  });

  it('reads other columns by name, draws whole units, and needs no propensity or reward of the target', async () => {
    const data = await write(
      'log',
      ownLog(300).map(({ ad_id, creative_id, click, propensity }, i) => ({
        campaign: ad_id,
        shown: creative_id,
        bought: click,
        p: propensity,
        user: i >> 2,
      })),
    );
    const target = await write('other', [
      { campaign: 'a', shown: 'a2' },
      { campaign: 'b', shown: 'b1' },
    ]);
    const columns = { action: 'shown', reward: 'bought', propensity: 'p', ad: 'campaign' };
    expect((await evaluate({ data, target, ...columns })).observed.target).toBeNull();
    const named = await evaluate({ data, ...columns, unit: 'user' });
    const alone = await evaluate({ data, ...columns });
    expect(estimated(named, 'ips')).toBe(estimated(alone, 'ips'));
    expect(named.estimates[0].low).not.toBe(alone.estimates[0].low);
  });

  it('learns of a creative from its own rows, whatever was logged of its ad first', () => {
    // Of each of 20 ads the creative that came first is never clicked, the second mostly.
    const others = Array.from({ length: 400 }, (_, i) => {
      const second = Math.floor(i / 20) & 1;
      return { ad: `a${i % 20}`, action: `${second}`, reward: i % 3 === 0 ? 0 : second };
    });
    const alike = Array.from({ length: 12 }, (_, i) => ({ ad: 'b', action: 'xy'[i & 1], reward: (i >> 1) & 1 }));
    const predicted = (first: string, second: string) => {
      const start = [first, second].map((action) => ({ ad: 'b', action, reward: 0 }));
      // The first two rows are of one unit, hence of one half: in which order they come tells nothing.
      const { predictions } = targetedLog(logOf([...start, ...others, ...alike], 2), 'uniform').decisions;
      return Array.from(predictions?.logged ?? []).slice(2);
    };
    for (const [i, q] of predicted('y', 'x').entries()) expect(q).toBeCloseTo(predicted('x', 'y')[i], 12);
  });

  it('takes a log of many ads of one creative and one of many', () => {
    const count = 100_000;
    const rows = Array.from({ length: 2 * count }, (_, i) => ({
      ad: `${Math.min(i, count)}`,
      action: `${i}`,
      reward: 1,
    }));
    const { decisions } = targetedLog(logOf(rows, 1), 'uniform');
    expect(decisions.targetProbabilities[0]).toBe(1);
    expect(decisions.targetProbabilities[2 * count - 1]).toBe(1 / count);
  });

  it('draws what was observed from units too', async () => {
    const once = ownLog(200);
    const data = await write(
      'log',
      once.map((row, user) => ({ ...row, user })),
    );
    const fourfold = await write(
      'often',
      [0, 1, 2, 3].flatMap(() => once.map((row, user) => ({ ...row, user }))),
    );
    const { observed } = await evaluate({ data, unit: 'user' });
    const often = await evaluate({ data: fourfold, target: fourfold, unit: 'user' });
    for (const { value, low, high } of [often.observed.log, often.observed.target as Observed]) {
      expect(value).toBeCloseTo(observed.log.value, 12);
      expect(low).toBeCloseTo(observed.log.low as number, 12);
      expect(high).toBeCloseTo(observed.log.high as number, 12);
    }
    // Wilson's of 200 rows, as of no units.
    expect(observed.log.low).toBeCloseTo((await evaluate({ data })).observed.log.low as number, 12);
    const none = await write(
      'none',
      once.map((row, i) => ({ ...row, user: i % 5, click: 0 })),
    );
    expect((await evaluate({ data: none, unit: 'user' })).observed.log.high).toBeCloseTo(0.4345, 4);
    const alone = await write(
      'alone',
      once.map((row) => ({ ...row, user: 1 })),
    );
    expect((await evaluate({ data: alone, unit: 'user' })).observed.log).toMatchObject({ low: null, high: null });
  });

  it('prints of a target from a log that its own error is in no interval', async () => {
    const data = await write('log', ownLog(50));
    const printed = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    const run = async (target: string) => {
      const program = new Command();
      addCreativeEvaluate(program);
      await program.parseAsync(['evaluate', '--data', data, '--target', target, '--estimator', 'snips'], {
        from: 'user',
      });
      return printed.mock.calls.splice(0).join('');
    };
    try {
      expect(await run(data)).toMatch(/snips .*observed in this log.*shares in its log, whose own error no interval/s);
      expect(await run('uniform')).not.toContain('its log');
    } finally {
      printed.mockRestore();
    }
  });

  it.each([
    ['ips,ips', /'ips' is named twice/],
    ['ips,dp', /'dp' is none; expected ips, snips, dm, dr, switch-dr, replay/],
  ])('refuses the estimators %s', async (names, message) => {
    const program = new Command().exitOverride().configureOutput({ writeErr: () => {} });
    addCreativeEvaluate(program);
    const subcommand = program.commands[0].exitOverride().configureOutput({ writeErr: () => {} });
    expect(subcommand.name()).toBe('evaluate');
    await expect(
      program.parseAsync(['evaluate', '--data', 'x', '--estimator', names], { from: 'user' }),
    ).rejects.toThrow(message);
  });

  it('takes a target that is like uniform and no file for a slip', async () => {
    const data = await write('log', ownLog(3));
    await expect(evaluate({ data, target: 'unifrom' })).rejects.toThrow(
      "--target 'unifrom': no such file or folder; did you mean 'uniform'?",
    );
    await expect(evaluate({ data, target: 'elsewhere' })).rejects.toThrow(/^elsewhere: no such file or folder; check/);
  });

  it.each<[string, Row, RegExp]>([
    [
      'a propensity of 0',
      { propensity: 0 },
      /log\.parquet: row 2, column 'propensity': 0, where a probability above 0/,
    ],
    ['a propensity above 1', { propensity: 1.5 }, /row 2, column 'propensity': 1\.5/],
    ['no propensity', { propensity: null }, /row 2, column 'propensity': no value/],
    ['a propensity that is no number', { propensity: Number.NaN }, /row 2, column 'propensity': NaN/],
    ['no reward', { click: null }, /row 2, column 'click': no value/],
    ['no creative', { creative_id: null }, /row 2, column 'creative_id': no value/],
    ['no ad', { ad_id: null }, /row 2, column 'ad_id': no value/],
  ])('refuses a row with %s', async (_, part, message) => {
    const data = await write('log', [...ownLog(2), { ...ownLog(1)[0], ...part }]);
    await expect(evaluate({ data })).rejects.toThrow(message);
    await expect(evaluate({ data })).rejects.toThrow(UserError);
  });

  it('refuses a log without its columns, one of text for numbers, and a target of other ads', async () => {
    const data = await write('log', ownLog(20));
    await expect(evaluate({ data: await write('none', [{ x: 1 }]) })).rejects.toThrow(
      /none\.parquet: has no column 'creative_id' or 'item_id'; name it with --action; it has 'x'/,
    );
    await expect(evaluate({ data, position: 'slot' })).rejects.toThrow(/has no column 'slot'; name it with --position/);
    await expect(evaluate({ data, reward: 'creative_id' })).rejects.toThrow(/column 'creative_id' is text; numbers/);
    const target = await write('other', [{ ad_id: 'z', creative_id: 'z1', click: 1 }]);
    await expect(evaluate({ data, target })).rejects.toThrow(
      /other\.parquet: shows no ad and position of .*log\.parquet/,
    );
    await expect(evaluate({ data, target: 'unifrom' })).rejects.toThrow(UserError);
  });
});
