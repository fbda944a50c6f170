import { expect, test } from 'vitest';
import { against } from './against.bench.ts';
import { call } from './call.bench.ts';
import { creative } from './creative.bench.ts';
import { creativeChoice } from './creativeChoice.bench.ts';
import { creativeReplay } from './creativeReplay.bench.ts';
import { history } from './history.bench.ts';
import { hotPath } from './hotPath.bench.ts';
import { ingest } from './ingest.bench.ts';
import { load } from './load.bench.ts';
import { positions } from './positions.bench.ts';
import { quality } from './quality.bench.ts';
import { rankCreatives } from './rankCreatives.bench.ts';
import { roofline } from './roofline.bench.ts';
import { scaling } from './scaling.bench.ts';
import { towers } from './towers.bench.ts';
import { training } from './training.bench.ts';

const options = { small: true, rounds: 1, log: () => {} };

for (const topic of [
  quality,
  training,
  ingest,
  hotPath,
  against,
  scaling,
  roofline,
  call,
  history,
  positions,
  creative,
  creativeChoice,
  creativeReplay,
  rankCreatives,
  towers,
]) {
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
