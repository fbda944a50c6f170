import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../core/errors.ts';
import { createRandom } from '../core/random.ts';
import { createHistory, type Reducer } from './createHistory.ts';
import { DECAY, EXPECTED, SESSION, SUM } from './familyPlan.ts';
import { createHistoryPlan, type HistoryPlan } from './historyPlan.ts';
import { eventsOfLog, keysOfLog, type LogRow, randomLog, randomSchema } from './randomLog.ts';
import { ViewRows } from './viewRows.ts';

function fed(plan: HistoryPlan, log: readonly LogRow[], untilMs: number): Reducer {
  const history = createHistory(plan) as Reducer;
  const events = eventsOfLog(plan, log);
  for (let row = 0; row < log.length; row++) history.add(events, row);
  history.advance(untilMs);
  return history;
}

/** What every family holds of a row's keys. */
function viewsOf(history: Reducer, keys: ReturnType<typeof keysOfLog>, row: number): Float64Array[] {
  const rows = new ViewRows(history.plan, 1);
  rows.words.set(keys.flatMap((of) => [of.words[2 * row], of.words[2 * row + 1]]));
  rows.valid.set(keys.map((of) => of.valid?.[row] ?? 1));
  return history.plan.families.map(({ viewBase, viewSize }, f) => {
    rows.times[f] = history.readMs(f);
    history.families.view(f, rows);
    return rows.views.slice(viewBase, viewBase + viewSize);
  });
}

describe('merge', () => {
  it('keeps what only one shard knows to the bit, and adds what both know', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 - 1 }), (seed) => {
        const random = createRandom(seed);
        const plan = createHistoryPlan(randomSchema(random)) as HistoryPlan;
        // An outcome of no impression finds other records in a shard than in the whole.
        const all = randomLog(random, 120, 6);
        const log = all.filter(
          ({ isOutcome, keys }) => !isOutcome || all.some((row) => !row.isOutcome && row.keys === keys),
        );
        const untilMs = log[log.length - 1].arrivedMs + random.below(200_000);
        const isFirst = ({ keys }: LogRow) => keys.user !== undefined && BigInt(keys.user) % 5n === 0n;
        const shards = [log.filter(isFirst), log.filter((row) => !isFirst(row))];
        const whole = fed(plan, log, untilMs);
        const parts = shards.map((shard) => fed(plan, shard, untilMs));
        const merged = fed(plan, shards[0], untilMs);
        merged.merge(fed(plan, shards[1], shards[1].length > 0 ? shards[1][shards[1].length - 1].arrivedMs : untilMs));
        for (const laterMs of [untilMs, untilMs + 60_000, untilMs + 400_000]) {
          for (const history of [whole, ...parts, merged]) history.advance(laterMs);
          const keys = keysOfLog(plan, log);
          for (let row = 0; row < log.length; row += 7) {
            const got = viewsOf(merged, keys, row);
            const ofPart = viewsOf(parts[isFirst(log[row]) ? 0 : 1], keys, row);
            const ofWhole = viewsOf(whole, keys, row);
            plan.families.forEach((family, f) => {
              if (family.isUser && [...family.keys].every((key) => keys[key].valid?.[row] === 1))
                expect(got[f]).toEqual(ofPart[f]);
              for (let i = 0; i < family.viewSums.length / 2; i++) {
                const window = family.viewSums[2 * i + 1];
                const stat = family.stats[family.viewStats[i]];
                // What was expected and sessions depend on what a shard knew of others.
                if (family.windowKinds[window] === SESSION || stat.kind === EXPECTED) continue;
                const [a, b] = [got[f][2 + i], ofWhole[f][2 + i]];
                // Whole numbers are exact; numbers of both signs, of 2000 at most, cancel.
                const isWhole = family.windowKinds[window] !== DECAY;
                const size = stat.kind === SUM ? Math.max(2000, Math.abs(b)) : Math.abs(b);
                expect(Math.abs(a - b)).toBeLessThanOrEqual(isWhole ? 0 : 1e-12 * size);
              }
            });
          }
        }
        expect(merged.stats().events).toBe(whole.stats().events);
        expect(merged.stats().keys).toBe(whole.stats().keys);
      }),
      { numRuns: 40 },
    );
  });

  it('refuses the state of another schema', () => {
    const [a, b] = [1, 2].map((seed) =>
      createHistory(createHistoryPlan(randomSchema(createRandom(seed))) as HistoryPlan),
    );
    expect(() => a.merge(b)).toThrow(UserError);
  });
});
