import { expect, test } from 'vitest';
import { against } from './against.bench.ts';
import { ingest } from './ingest.bench.ts';
import { load } from './load.bench.ts';
import { quality } from './quality.bench.ts';
import { training } from './training.bench.ts';

const options = { small: true, rounds: 1, log: () => {} };

for (const topic of [quality, training, ingest, against]) {
  test(`the ${topic.name} benchmark runs at a small size`, async () => {
    const { rows, setting } = await topic.run(options);
    expect(setting).not.toBe('');
    expect(rows.length).toBeGreaterThan(0);
    for (const row of rows) for (const value of Object.values(row)) expect(value).not.toBeNaN();
  });
}

test('the load benchmark runs at a small size', async () => {
  const { rows } = await load.run({ ...options, engines: ['reference'] });
  expect(rows).toMatchObject([{ load: 'first' }, { load: expect.stringMatching(/^second/) }]);
  for (const row of rows) expect(row['all ms']).toBeGreaterThan(0);
});
