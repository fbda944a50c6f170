import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parseSchema } from '../schema/parseSchema.ts';
import { createHistoryRows } from './assemble.ts';
import { createHistory } from './createHistory.ts';
import { createHistoryPlan, type HistoryPlan } from './historyPlan.ts';
import { eventsOfLog } from './randomLog.ts';

it('counts, rates, means and sums over lifetime, half-lives and windows are those of a NumPy program', () => {
  const golden = JSON.parse(readFileSync(new URL('golden/decay.json', import.meta.url), 'utf8'));
  const values = ['count', { rate: 'click' }, { mean: 'play', strength: 2 }, { sum: 'play' }];
  const schema = parseSchema({
    name: 'golden',
    time: 'time',
    user: 'user',
    labels: [{ name: 'click', column: 'click', delay: '1m' }],
    history: { numbers: [{ name: 'play', column: 'play', delay: '1m' }] },
    fields: [
      { name: 'user', kind: 'id', scope: 'request' },
      { name: 'past', kind: 'counter', by: ['user'], over: golden.windows, values },
    ],
  });
  const plan = createHistoryPlan(schema) as HistoryPlan;
  const log = golden.times.map((eventMs: number, i: number) => ({
    eventMs,
    arrivedMs: eventMs,
    isOutcome: false,
    keys: { user: '42' },
    values: { click: golden.clicks[i], play: golden.plays[i] },
  }));
  const history = createHistory(plan);
  const events = eventsOfLog(plan, log);
  const out = createHistoryRows(plan, 1);
  let row = 0;
  golden.reads.forEach((nowMs: number, r: number) => {
    while (row < log.length && log[row].arrivedMs < nowMs) history.add(events, row++);
    history.advance(nowMs);
    history.readRow(events.keys, 0, nowMs, out, 0);
    for (const [i, value] of out.counters[0].entries())
      expect(Math.abs(value - golden.expected[r][i])).toBeLessThanOrEqual(
        6.1e-8 * Math.abs(golden.expected[r][i]) + 1e-12,
      );
  });
});
