import { describe, expect, it } from 'vitest';
import { createRandom } from '../core/random.ts';
import { randomBundle, randomInput } from './conformance/randomBundle.ts';
import { variantFields, variantInput } from './conformance/variantInput.ts';
import { createReferenceScorer } from './engines/reference/scorer.ts';
import { scoreInBlocks } from './scoreInBlocks.ts';
import type { ScoringInput } from './scorer.ts';

describe('scoring in blocks', () => {
  const bundle = randomBundle({ random: createRandom(1) });
  const scorer = createReferenceScorer(bundle);

  it.each([1, 7, 12, 36, 37, 100])(
    "of %i rows, given or the engine's own, answers as at once, whatever the fields",
    (block) => {
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
        const before = seen.splice(0);
        scoreInBlocks({ ...counting, rowsAtOnce: block }, input);
        expect(seen).toEqual(before);
      }
    },
  );

  it.each([1, 3, 7, 12, 100])('of %i rows cuts between candidates where it can', (block) => {
    const bundle = randomBundle({ random: createRandom(1), fields: variantFields });
    const scorer = createReferenceScorer(bundle);
    const input = variantInput(bundle, [3, 1, 7, 2, 2, 15, 1, 1, 5], createRandom(2));
    const seen: (typeof input)[] = [];
    const counting = {
      ...scorer,
      score: (part: ScoringInput) => {
        seen.push(part as typeof input);
        return scorer.score(part);
      },
    };
    expect([...scoreInBlocks(counting, input, block)]).toEqual([...scorer.score(input)]);
    expect(Math.max(...seen.map(({ rowCount }) => rowCount))).toBeLessThanOrEqual(block);
    let row = 0;
    for (const { rowCount } of seen) {
      const isCut = row > 0 && input.candidates.of[row] === input.candidates.of[row - 1];
      const creatives = input.candidates.of.filter((of) => of === input.candidates.of[row]).length;
      if (isCut) expect(creatives).toBeGreaterThan(block);
      row += rowCount;
    }
    expect(row).toBe(37);
    for (const { candidates, rowCount } of seen)
      expect([candidates.of[0], candidates.of[rowCount - 1]]).toEqual([0, candidates.count - 1]);
  });
});
