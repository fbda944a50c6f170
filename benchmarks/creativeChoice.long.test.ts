import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { choiceRows } from './creativeChoice.bench.ts';

const folder = mkdtempSync(join(tmpdir(), 'limelight-creative-choice-'));
const options = { small: false, rounds: 1, log: (text: string) => console.log(text) };
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the dual tower chooses creatives as well as one tower over everything, and better with it as a teacher', async () => {
  const names = ['senet-dnn', 'dual-tower', 'dual-tower, distilled'];
  const { rows } = await choiceRows(folder, options, names);
  const [one, dual, distilled] = names.map((name) => {
    const row = rows.find(({ model }) => model === name);
    const percent = (column: string) => Number.parseFloat(String(row?.[column]));
    return { auc: Number(row?.['click AUC']), ofBest: percent('of best'), ofNewBest: percent('new: of best') };
  });
  expect(dual.auc).toBeGreaterThan(one.auc - 0.002);
  expect(dual.ofBest).toBeGreaterThan(80);
  expect(dual.ofNewBest).toBeGreaterThan(70);
  expect(distilled.auc).toBeGreaterThan(dual.auc + 0.001);
  expect(distilled.ofBest).toBeGreaterThan(dual.ofBest);
});
