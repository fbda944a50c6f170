import { expect, test } from 'vitest';
import { load } from './load.bench.ts';
import { topics } from './topics.ts';

const options = { small: true, rounds: 1, log: () => {} };

for (const topic of topics.filter((topic) => topic !== load)) {
  test(`the ${topic.name} benchmark runs at a small size`, async () => {
    const { rows, setting, notes } = await topic.run(options);
    expect(setting).not.toBe('');
    // Nothing to measure is an answer where it is said why, as on a machine without a compiler.
    expect(rows.length + notes.filter((note) => note.startsWith('left out')).length).toBeGreaterThan(0);
    for (const row of rows) for (const value of Object.values(row)) expect(value).not.toBeNaN();
  });
}

test('the load benchmark runs at a small size', async () => {
  const { rows } = await load.run({ ...options, engines: ['reference'] });
  expect(rows).toMatchObject([{ load: 'first' }, { load: expect.stringMatching(/^second/) }]);
  for (const row of rows) expect(row['all ms']).toBeGreaterThan(0);
});
