import { expect, it } from 'vitest';
import { counterNames } from './counterNames.ts';

it('names a counter’s numbers window by window', () => {
  const names = counterNames({
    name: 'user_stats',
    kind: 'counter',
    by: ['user'],
    over: ['lifetime', { halfLife: '1d' }, { window: '2h' }],
    values: ['count', { strength: 3, rate: 'click', prior: { by: ['placement'] } }],
  });
  expect(names).toEqual([
    'user_stats.lifetime.count',
    'user_stats.lifetime.rate(click)',
    'user_stats.halfLife(1d).count',
    'user_stats.halfLife(1d).rate(click)',
    'user_stats.window(2h).count',
    'user_stats.window(2h).rate(click)',
  ]);
});

it('names a counter over a lifetime where it says nothing of windows', () => {
  const values = ['sinceLast' as const, { sinceLast: 'click' }];
  expect(counterNames({ name: 'ad', kind: 'counter', by: ['ad'], values })).toEqual([
    'ad.lifetime.sinceLast',
    'ad.lifetime.sinceLast(click)',
  ]);
});
