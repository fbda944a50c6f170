import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom, type Random } from '../core/random.ts';
import { decodeSafetensors, encodeSafetensors } from '../model/safetensors.ts';
import { createHistoryRows } from './assemble.ts';
import { createHistory } from './createHistory.ts';
import type { History, HistoryRows } from './history.ts';
import { createHistoryPlan, type HistoryPlan } from './historyPlan.ts';
import { type NaiveRow, naiveHistory } from './naiveHistory.ts';
import { eventsOfLog, type LogRow, randomLog, randomSchema } from './randomLog.ts';
import { loadHistory, saveHistory } from './state.ts';

function planOf(schema: ReturnType<typeof randomSchema>): HistoryPlan {
  const plan = createHistoryPlan(schema);
  if (plan === undefined) throw new Error('a schema with history has a plan');
  return plan;
}

/** What every row of a log sees before it is added. */
function replayed(history: History, log: readonly LogRow[]): HistoryRows {
  const { plan } = history;
  const events = eventsOfLog(plan, log);
  const out = createHistoryRows(plan, log.length);
  for (let row = 0; row < log.length; row++) {
    history.advance(log[row].arrivedMs);
    history.readRow(events.keys, row, log[row].arrivedMs, out, row);
    history.add(events, row);
  }
  return out;
}

function rowAt(plan: HistoryPlan, rows: HistoryRows, row: number): NaiveRow {
  const counters = rows.counters.map((values) => {
    const width = values.length / rows.rowCount;
    return [...values.subarray(row * width, (row + 1) * width)];
  });
  const sequences = rows.sequences.map((rows, s) => {
    const { length, items } = plan.sequences[s];
    return Array.from({ length: rows.counts[row] }, (_, i) => {
      const at = row * length + i;
      const key = (item: number) => new BigInt64Array(rows.items[item].slice(2 * at, 2 * at + 2).buffer)[0];
      return {
        items: items.map((_, item) => (rows.valid[item][at] === 1 ? String(key(item)) : undefined)),
        actions: rows.actions[at],
        gap: rows.gaps[at],
      };
    });
  });
  return { counters, sequences };
}

/** Half of all histories have so little room that keys go, and forget soon. */
const pickLimits = (random: Random) =>
  random.next() < 0.5 ? {} : { maxKeys: 3 + random.below(5), maxPairs: 1 + random.below(3), timeToLive: '3m' };

const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });

describe('history', () => {
  it('is what its definitions say of all that can be seen, for random schemas and logs', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = createRandom(seed);
        const schema = randomSchema(random);
        const plan = planOf(schema);
        const log = randomLog(random, 40);
        const rows = replayed(createHistory(plan), log);
        const naive = naiveHistory(schema, plan, log);
        log.forEach(({ keys, arrivedMs }, row) => {
          const expected = naive(keys, arrivedMs);
          const got = rowAt(plan, rows, row);
          expect(got.sequences, `row ${row}`).toEqual(expected.sequences);
          for (const [c, values] of got.counters.entries()) {
            for (const [i, value] of values.entries()) {
              const want = expected.counters[c][i];
              const what = `row ${row}, ${JSON.stringify(plan.counters[c])}, ${i}: ${value}, not ${want}`;
              // Half a step of float32, and what decay in place rounds off.
              expect(Math.abs(value - want), what).toBeLessThanOrEqual(Math.abs(want) * 6.1e-8 + 1e-9);
            }
          }
        });
      }),
      { numRuns: 40 },
    );
  });

  it('goes on after a restart, and after times it was advanced to in between, to the same bits', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = createRandom(seed);
        const limits = pickLimits(random);
        const plan = planOf(randomSchema(random, limits));
        const log = randomLog(random, 120, 9);
        const rows = replayed(createHistory(plan), log);
        const stops = new Set([random.below(log.length), random.below(log.length)]);
        let history = createHistory(plan);
        const events = eventsOfLog(plan, log);
        const out = createHistoryRows(plan, log.length);
        for (let row = 0; row < log.length; row++) {
          const { arrivedMs } = log[row];
          if (stops.has(row))
            history = loadHistory(plan, decodeSafetensors(encodeSafetensors(saveHistory(history)), 'x'));
          if (row > 0) history.advance(Math.max(log[row - 1].arrivedMs, arrivedMs - random.below(30_000)));
          history.advance(arrivedMs);
          history.readRow(events.keys, row, arrivedMs, out, row);
          history.add(events, row);
        }
        expect(out).toEqual(rows);
      }),
      { numRuns: 60 },
    );
  });
});
