import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../core/random.ts';
import { counterWidth } from '../schema/derivedFields.ts';
import { standardiseVectors, vectorScale } from '../schema/numbers.ts';
import { createAdHistory } from './adHistory.ts';
import { createHistoryRows } from './assemble.ts';
import { createHistory } from './createHistory.ts';
import { createHistoryPlan, type HistoryPlan } from './historyPlan.ts';
import { eventsOfLog, keysOfLog, randomLog, randomSchema } from './randomLog.ts';

describe('what a request sees of a catalog', () => {
  it('is what it sees of each of its ads alone, bit for bit, whatever came between', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 - 1 }), (seed) => {
        const random = createRandom(seed);
        const limits = random.next() < 0.5 ? {} : { maxKeys: 4, maxPairs: 2, timeToLive: '3m' };
        const plan = createHistoryPlan(randomSchema(random, limits)) as HistoryPlan;
        const history = createHistory(plan);
        const log = randomLog(random, 150, 5);
        const events = eventsOfLog(plan, log);
        const catalog = keysOfLog(plan, randomLog(random, 20, 6));
        const scalings = plan.counters.map((counter) => {
          const length = counterWidth(counter);
          const draw = (least: number) => Array.from({ length }, () => least + random.next());
          const statistics = { means: draw(-0.5), deviations: draw(0.1) };
          const field = { name: counter.name, kind: 'vector', scope: 'ad', length, clip: 2 } as const;
          return random.next() < 0.5 ? { field, statistics } : undefined;
        });
        // Each field by one of two readers, or all by one.
        const share = random.next() < 0.5 ? 1 : random.next();
        const fieldsOf = (reader: number) => {
          const chosen = (all: readonly unknown[]) =>
            new Set(all.flatMap((_, i) => (readers[i % 20] === reader ? [i] : [])));
          return { counters: chosen(plan.counters), sequences: chosen(plan.sequences) };
        };
        const readers = Array.from({ length: 20 }, () => Number(random.next() >= share));
        const [ads, others] = [share === 1 ? undefined : fieldsOf(0), fieldsOf(1)].map((fields) =>
          createAdHistory(
            history,
            catalog.map((keys, k) => (plan.keyFields[k].scope === 'request' ? undefined : keys)),
            scalings.map((scaling) => scaling && vectorScale(scaling.field, scaling.statistics)),
            random.next() < 0.5 ? 1000 : undefined,
            fields,
          ),
        );
        const readerOf = (i: number) => (share < 1 && readers[i % 20] === 1 ? others : ads);
        const [out, alone] = [createHistoryRows(plan, 30), createHistoryRows(plan, 30)];
        for (let row = 0; row < log.length; row++) {
          history.add(events, row);
          const any = random.below(Math.max(1, plan.keyFields.length));
          if (plan.keyFields.length > 0 && random.next() < 0.02) {
            const [lo, hi] = events.keys[any].words.subarray(2 * row, 2 * row + 2);
            history.forget(plan.keyFields[any].name, lo, hi);
          }
          if (random.next() < 0.6) continue;
          const nowMs = log[row].arrivedMs + random.below(3) * 700;
          history.advance(nowMs);
          const of = random.below(log.length);
          const chosen = Int32Array.from({ length: random.below(30) }, () => random.below(20));
          for (const reader of share < 1 ? [ads, others] : [ads])
            reader.read(events.keys, of, nowMs, chosen, chosen.length, out);
          chosen.forEach((ad, i) => {
            const keys = plan.keyFields.map(({ scope }, k) => {
              const { words, valid } = scope === 'request' ? events.keys[k] : catalog[k];
              const at = scope === 'request' ? of : ad;
              return { rowCount: 1, words: words.slice(2 * at, 2 * at + 2), valid: valid?.slice(at, at + 1) };
            });
            history.readRow(keys, 0, nowMs, alone, i);
          });
          plan.counters.forEach((_, c) => {
            const width = out.counters[c].length / 30;
            const count = readerOf(c).counterIsOfAd[c] ? chosen.length : Math.min(1, chosen.length);
            const raw = alone.counters[c].subarray(0, count * width);
            const scaling = scalings[c];
            const expected = scaling ? standardiseVectors(raw, scaling.field, scaling.statistics) : raw;
            expect(out.counters[c].subarray(0, count * width)).toEqual(expected);
          });
          plan.sequences.forEach(({ length }, s) => {
            const [a, b] = [out.sequences[s], alone.sequences[s]];
            const count = readerOf(s).sequenceIsOfAd[s] ? chosen.length : Math.min(1, chosen.length);
            for (let i = 0; i < count; i++) {
              expect(a.counts[i]).toBe(b.counts[i]);
              const [from, to] = [i * length, i * length + b.counts[i]];
              expect(a.items.map((words) => words.slice(2 * from, 2 * to))).toEqual(
                b.items.map((words) => words.slice(2 * from, 2 * to)),
              );
              expect(a.valid.map((bits) => bits.slice(from, to))).toEqual(b.valid.map((bits) => bits.slice(from, to)));
              expect(a.actions.slice(from, to)).toEqual(b.actions.slice(from, to));
              expect(a.gaps.slice(from, to)).toEqual(b.gaps.slice(from, to));
            }
          });
        }
      }),
      { numRuns: 40 },
    );
  });
});
