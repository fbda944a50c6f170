import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { driftRows, simulatorRows } from './quality.bench.ts';

const folder = mkdtempSync(join(tmpdir(), 'limelight-quality-'));
const options = { small: false, rounds: 1, log: (text: string) => console.log(text) };
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('on the simulator LR closes less than 60 % of the gap to the truth, and SENet DNN at least 85 %', async () => {
  const { rows } = await simulatorRows(folder, options);
  expect(clickGapClosed(rows, 'lr')).toBeLessThan(60);
  expect(clickGapClosed(rows, 'senet-dnn')).toBeGreaterThanOrEqual(85);
});

test('where interests drift and ads wear out, history closes at least 5 points more of the gap to the truth', async () => {
  const { rows } = await driftRows(folder, options);
  const without = clickGapClosed(rows, 'senet-dnn');
  expect(without).toBeGreaterThan(30);
  expect(clickGapClosed(rows, 'senet-dnn, with history')).toBeGreaterThanOrEqual(without + 5);
});

/** In per cent. */
function clickGapClosed(rows: readonly Record<string, string | number | null>[], model: string): number {
  return Number.parseFloat(String(rows.find((row) => row.model === model && row.task === 'click')?.['gap closed']));
}
