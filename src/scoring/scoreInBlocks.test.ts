import { describe, expect, it } from 'vitest';
import { createRandom } from '../core/random.ts';
import { randomBundle, randomInput } from './conformance/randomBundle.ts';
import { createReferenceScorer } from './engines/reference/scorer.ts';
import { scoreInBlocks } from './scoreInBlocks.ts';

describe('scoring in blocks', () => {
  const bundle = randomBundle({ random: createRandom(1) });
  const scorer = createReferenceScorer(bundle);

  it.each([1, 7, 12, 36, 37, 100])('of %i rows answers as at once, whatever the fields', (block) => {
    for (const alone of [undefined, 'request'] as const) {
      const input = randomInput(bundle, 37, createRandom(2), alone);
      const seen: number[] = [];
      const counting = {
        ...scorer,
        score: (part: typeof input) => {
          seen.push(part.rowCount);
          return scorer.score(part);
        },
      };
      expect([...scoreInBlocks(counting, input, block)]).toEqual([...scorer.score(input)]);
      expect(Math.max(...seen)).toBeLessThanOrEqual(block);
      expect(seen.reduce((sum, rows) => sum + rows)).toBe(37);
    }
  });
});
