import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../src/core/random.ts';
import { randomBundle, randomInput } from '../../src/scoring/conformance/randomBundle.ts';
import { createReferenceScorer } from '../../src/scoring/engines/reference/scorer.ts';
import { createCheck } from './checkRow.ts';
import type { PeerProcess } from './peerProcess.ts';
import type { WrittenTask } from './task.ts';

const folder = mkdtempSync(join(tmpdir(), 'limelight-against-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('createCheck', () => {
  const bundle = randomBundle({ random: createRandom(5) });
  const candidates = 7;
  const answered = [1, 2, 3].map((seed) => randomInput(bundle, candidates, createRandom(seed), 'request'));
  const scorer = createReferenceScorer(bundle);
  const right = answered.flatMap((input) => {
    const scores = scorer.score(input);
    return ['click', 'conversion'].flatMap((task) => [...(scores.get(task) as Float32Array)]);
  });
  // The first candidate of each request is clicked.
  const clicks = Float32Array.from({ length: 3 * candidates }, (_, i) => (i % candidates === 0 ? 1 : 0));
  const task = { candidates, tasks: ['click', 'conversion'] };
  const file = join(folder, 'answers');
  const check = createCheck(bundle, { task, answered, clicks } as unknown as WrittenTask, file);
  /** A contestant that gives these answers. */
  const answering = (answers: readonly number[]) =>
    ({ answer: async () => void writeFileSync(file, Float32Array.from(answers)) }) as unknown as PeerProcess;

  it('passes answers within their precision, and rates them against the clicks', async () => {
    const given = right.map((p, i) => (i === 10 ? p + 1e-3 : p));
    const { difference, auc, logLoss } = await check(answering(given), 'bf16, eager');
    expect(difference).toBeCloseTo(1e-3, 6);
    const p = answered.flatMap((_, r) => right.slice(r * 2 * candidates, r * 2 * candidates + candidates));
    const losses = p.map((x, i) => -Math.log(clicks[i] === 1 ? x : 1 - x));
    expect(logLoss).toBeCloseTo(losses.reduce((a, b) => a + b) / losses.length, 4);
    expect(auc).toBeGreaterThan(0);
    expect(auc).toBeLessThan(1);
  });

  it.each([
    ['a difference beyond the precision', right.map((p, i) => (i === 41 ? p + 1e-3 : p)), 'fp32, eager'],
    ['a number that is none', right.map((p, i) => (i === 20 ? Number.NaN : p)), 'int8'],
    ['too few answers', right.slice(1), 'fp32'],
  ])('refuses %s', async (_, answers, how) => {
    await expect(check(answering(answers), how)).rejects.toThrow(/answers/);
  });
});
