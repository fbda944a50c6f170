import { readFileSync } from 'node:fs';
import { createRandom } from '../../src/core/random.ts';
import type { EventRows } from '../../src/history/history.ts';
import { createHistoryPlan, type HistoryPlan } from '../../src/history/historyPlan.ts';
import type { Keys } from '../../src/schema/keys.ts';
import { parseSchema } from '../../src/schema/parseSchema.ts';
import type { Schema } from '../../src/schema/schema.ts';

/** A schema with history, and how many users, ads and so on there are. */
export interface Workload {
  readonly name: string;
  readonly schema: Schema;
  readonly plan: HistoryPlan;
}

const key = (name: string, scope: 'request' | 'ad') => ({ name, scope, kind: 'id', minCount: 1 });

/** 20 values over 6 keys and 3 sequences. */
const twenty = {
  name: 'bench',
  labels: [
    { name: 'click', column: 'click', delay: '60s' },
    { name: 'conversion', column: 'conversion', after: 'click', delay: '60s' },
  ],
  time: 'time',
  user: 'user',
  fields: [
    key('user', 'request'),
    key('placement', 'request'),
    key('ad', 'ad'),
    key('topic', 'ad'),
    key('author', 'ad'),
    {
      name: 'user_record',
      kind: 'counter',
      by: ['user'],
      over: ['lifetime', { halfLife: '1d' }],
      values: ['count', { rate: 'click' }, { coec: 'click' }],
    },
    { name: 'user_placement', kind: 'counter', by: ['user', 'placement'], values: ['count', { rate: 'click' }] },
    { name: 'user_topic', kind: 'counter', by: ['user', 'topic'], values: ['count', { rate: 'click' }] },
    {
      name: 'ad_record',
      kind: 'counter',
      by: ['ad'],
      over: ['lifetime', { halfLife: '2d' }],
      values: ['count', { rate: 'click', strength: 20 }, { coec: 'click', strength: 20 }],
    },
    {
      name: 'ad_placement',
      kind: 'counter',
      by: ['ad', 'placement'],
      values: ['count', { rate: 'click', strength: 20 }],
    },
    { name: 'author_record', kind: 'counter', by: ['author'], values: ['count', { rate: 'click', strength: 20 }] },
    {
      name: 'recent',
      kind: 'sequence',
      by: 'user',
      length: 30,
      items: ['ad', 'topic'],
      actions: ['click', 'conversion'],
    },
    { name: 'clicked', kind: 'sequence', by: 'user', length: 20, items: ['ad'], where: 'click' },
    { name: 'skipped', kind: 'sequence', by: 'user', length: 20, items: ['ad'], without: 'click' },
  ],
};

export function workloads(): Workload[] {
  const kuairand = JSON.parse(readFileSync(new URL('../../data/kuairand/schema.json', import.meta.url), 'utf8'));
  return [
    { name: '20 values over 6 keys, 3 sequences', ...planned(twenty) },
    { name: 'data/kuairand/schema.json', ...planned(kuairand) },
  ];
}

function planned(json: unknown): { schema: Schema; plan: HistoryPlan } {
  const schema = parseSchema(json);
  const plan = createHistoryPlan(schema);
  if (plan === undefined) throw new Error(`schema '${schema.name}' has no history`);
  return { schema, plan };
}

/** How many values a key field has: users and ads by the bench's size, contexts a few. */
function valuesOf(name: string, { userCount, adCount }: LogSize): number {
  if (/^user/.test(name)) return userCount;
  if (/^(ad|video_id)$/.test(name)) return adCount;
  if (/author|music/.test(name)) return Math.max(1, adCount / 5);
  return /topic/.test(name) ? 60 : 12;
}

export interface LogSize {
  readonly userCount: number;
  readonly adCount: number;
}

/** Keys of rows: users and ads at random, a third of them of a tenth of all; what belongs to an ad follows from it. */
export function drawKeys(plan: HistoryPlan, rowCount: number, size: LogSize, seed: number, ads?: Int32Array): Keys[] {
  const random = createRandom(seed);
  const skewed = (count: number) => random.below(random.next() < 1 / 3 ? Math.ceil(count / 10) : count);
  const ad = ads ?? Int32Array.from({ length: rowCount }, () => skewed(size.adCount));
  return plan.keyFields.map(({ name, scope }) => {
    const count = valuesOf(name, size);
    const words = new Int32Array(2 * rowCount);
    for (let row = 0; row < rowCount; row++)
      words[2 * row] =
        scope === 'ad'
          ? (count === size.adCount ? ad[row] : Math.imul(ad[row], 2654435761) >>> 0) % count
          : skewed(count);
    return { rowCount, words };
  });
}

/** A log of impressions, 20 ms apart. */
export function drawLog(plan: HistoryPlan, rowCount: number, size: LogSize, seed: number): EventRows {
  const random = createRandom(seed).fork('outcomes');
  return {
    rowCount,
    eventMs: Float64Array.from({ length: rowCount }, (_, row) => 1.7e12 + row * 20),
    keys: drawKeys(plan, rowCount, size, seed),
    values: plan.values.map(({ kind }) =>
      Float64Array.from({ length: rowCount }, () => (kind === 'label' ? Number(random.next() < 0.2) : random.next())),
    ),
  };
}
