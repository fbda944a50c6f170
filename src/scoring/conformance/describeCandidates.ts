import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../core/errors.ts';
import { createRandom } from '../../core/random.ts';
import { architectures } from '../../model/architectures.ts';
import type { Bundle } from '../../model/bundle.ts';
import { expandCandidates, pickRows } from '../candidates.ts';
import { runSteps } from '../engines/reference/runSteps.ts';
import { probabilitiesOf } from '../engines/reference/scorer.ts';
import type { Scorer, ScoringInput } from '../scorer.ts';
import { type Answers, copyOf, expectClose } from './answers.ts';
import { randomBundle } from './randomBundle.ts';
import { randomModel } from './randomModel.ts';
import { creativeCounts, variantFields, variantInput } from './variantInput.ts';

/**
 * What every engine does with creatives of candidates: it answers as for the same rows without candidates, which the reference
 * engine scores one by one, and refuses what does not fit together.
 *
 * @param richOptions of architectures, so that each of their parts comes into play
 */
export function describeCandidates(
  name: string,
  load: (bundle: Bundle) => Scorer | Promise<Scorer>,
  tolerance: number,
  richOptions: Readonly<Record<string, unknown>>,
): void {
  async function withScorer<T>(bundle: Bundle, use: (scorer: Scorer) => T): Promise<T> {
    const scorer = await load(bundle);
    try {
      return use(scorer);
    } finally {
      scorer.dispose();
    }
  }

  describe(`${name} answers for creatives of candidates as for the same rows one by one`, () => {
    it.each(architectures.map(({ name }) => name))(
      '%s, whatever the numbers of creatives, call after call',
      async (of) => {
        const { bundle, shapes } = caseOf(of, richOptions[of]);
        await withScorer(bundle, (scorer) => {
          for (const { shape, input, answers } of [...shapes, ...shapes.toReversed()])
            expectClose(copyOf(scorer.score(input)), answers, tolerance, shape);
        });
      },
    );

    it('on random models: any step over any values of the five scopes', async () => {
      await fc.assert(
        fc.asyncProperty(fc.nat(), fc.nat(12), fc.constantFrom(1, 2, 19), async (seed, stepCount, count) => {
          const random = createRandom(seed);
          const model = (schema: Bundle['typed']['schema']) => randomModel(schema, random, stepCount);
          const bundle = randomBundle({ random, model, rowCount: 40, fields: variantFields });
          const input = variantInput(bundle, creativeCounts(count, random), random);
          const largest = largestValue(bundle, expandCandidates(input));
          await withScorer(bundle, (scorer) => {
            expectClose(copyOf(scorer.score(input)), rowByRow(bundle, input), tolerance * Math.max(1, largest));
          });
        }),
        { numRuns: 150 },
      );
    });
  });

  describe(`${name} keeps to the contract of candidates`, () => {
    const bundle = randomBundle({ random: createRandom(29), options: richOptions['senet-dnn'], fields: variantFields });
    const input = variantInput(bundle, [2, 1, 4], createRandom(31));
    const answers = rowByRow(bundle, input);
    const { of } = input.candidates;
    const withFields = (change: (field: string, isOfCandidates: boolean) => ArrayLike<number> | undefined) => ({
      ...input,
      fields: new Map(
        [...input.fields].map(([field, column]) => {
          const isOfCandidates = !['imageId', 'title', 'length', 'match', 'matches', 'userImage'].includes(field);
          const rows = change(field, isOfCandidates);
          return [field, rows === undefined ? column : pickRows(column, rows)] as const;
        }),
      ),
    });

    it('takes an ad’s field a row a creative, or one row for all', async () => {
      const repeated = withFields((field) => (field === 'adId' || field === 'distance' ? of : undefined));
      const once = withFields((field) => (field === 'adId' ? [0] : undefined));
      await withScorer(bundle, (scorer) => {
        expectClose(copyOf(scorer.score(repeated)), answers, tolerance);
        expectClose(copyOf(scorer.score(once)), rowByRow(bundle, once), tolerance);
      });
    });

    it('takes a request’s fields a row a creative, as rows of any users have them', async () => {
      const names = [
        'userId',
        'clickedAds',
        'age',
        'visits',
        'taste',
        'recent.adId',
        'recent.imageId',
        'recent.action',
      ];
      const isOfRequest = (field: string) => names.includes(field) || /^(recent|clicks)\b/.test(field);
      const repeated = withFields((field) => (isOfRequest(field) ? new Array(7).fill(0) : undefined));
      await withScorer(bundle, (scorer) => expectClose(copyOf(scorer.score(repeated)), answers, tolerance));
    });

    it('refuses candidates that do not fit the rows, and scores on', async () => {
      const cases: [number, number[], RegExp][] = [
        [3, [0, 0, 1, 2, 2, 2], /7 rows have 6 numbers of candidates/],
        [3, [0, 0, 1, 2, 2, 2, 2, 2], /7 rows have 8 numbers of candidates/],
        [3, [1, 1, 1, 2, 2, 2, 2], /row 0 is of candidate 1, expected 0/],
        [3, [-1, 0, 1, 2, 2, 2, 2], /row 0 is of candidate -1/],
        [3, [0, 0, 2, 2, 2, 2, 2], /row 2 is of candidate 2, expected 0 or 1/],
        [3, [0, 1, 0, 2, 2, 2, 2], /row 2 is of candidate 0, expected 1 or 2/],
        [3, [0, 0, 1, 2, 2, 2, 2 ** 31 - 1], /row 6 is of candidate 2147483647/],
        [3, [0, 0, 1, 1, 1, 1, 1], /there are 3 candidates, the rows are of 2/],
        [2, [0, 0, 1, 2, 2, 2, 2], /there are 2 candidates, the rows are of 3/],
        [-1, [0, 0, 1, 2, 2, 2, 2], /count of candidates of 0 or more, got -1/],
        [2.5, [0, 0, 1, 2, 2, 2, 2], /count of candidates of 0 or more, got 2.5/],
        [0, [0, 0, 0, 0, 0, 0, 0], /there are 0 candidates/],
      ];
      await withScorer(bundle, (scorer) => {
        for (const [count, given, message] of cases) {
          const wrong = { ...input, candidates: { count, of: Int32Array.from(given) } };
          expect(() => scorer.score(wrong)).toThrow(message);
          expect(() => scorer.score(wrong)).toThrow(UserError);
        }
        expectClose(copyOf(scorer.score(input)), answers, tolerance);
      });
    });

    it('refuses a row a candidate of a creative’s field, and of a request’s', async () => {
      await withScorer(bundle, (scorer) => {
        for (const field of ['imageId', 'match', 'matches', 'title', 'userImage', 'userId'])
          expect(() => scorer.score(withFields((name) => (name === field ? [0, 0, 0] : undefined))), field).toThrow(
            new RegExp(`field '${field}' has 3 rows, expected 7 or 1`),
          );
        expect(() => scorer.score(withFields((name) => (name === 'adId' ? [0, 1] : undefined)))).toThrow(
          /field 'adId' has 2 rows, expected 7 or 3 or 1/,
        );
      });
    });

    it('refuses an id outside its table in whatever scope', async () => {
      await withScorer(bundle, (scorer) => {
        for (const [field, column] of input.fields) {
          if (column.kind === 'dense' || column.ids.length === 0) continue;
          const ids = column.ids.with(column.ids.length - 1, 2 ** 31 - 1);
          const wrong = { ...input, fields: new Map([...input.fields, [field, { ...column, ids }]]) };
          expect(() => scorer.score(wrong), field).toThrow(/outside its table/);
        }
        expectClose(copyOf(scorer.score(input)), answers, tolerance);
      });
    });
  });
}

interface Case {
  readonly bundle: Bundle;
  readonly shapes: readonly { readonly shape: string; readonly input: ScoringInput; readonly answers: Answers }[];
}

/** Made once, for all engines of a test. */
const cases = new Map<string, Case>();

function caseOf(architecture: string, options: unknown): Case {
  const known = cases.get(architecture);
  if (known !== undefined) return known;
  const random = createRandom(17);
  const bundle = randomBundle({ random: createRandom(23), architecture, options, fields: variantFields });
  const many = creativeCounts(100, random);
  const counts: Readonly<Record<string, number[]>> = {
    'no candidate': [],
    'one creative': [1],
    'one candidate of 9': [9],
    'one each': new Array(40).fill(1),
    '1 to 7 each': many,
    'more than a block of one candidate': [3, 100, 1, 65],
    'more than a batch': [...many, 1100, ...creativeCounts(30, random)],
  };
  const shapes = Object.entries(counts).map(([shape, creatives]) => {
    const input = variantInput(bundle, creatives, createRandom(creatives.length));
    return { shape, input, answers: rowByRow(bundle, input) };
  });
  const made = { bundle, shapes };
  cases.set(architecture, made);
  return made;
}

/** The reference engine's answers, every value computed for every row. */
function rowByRow({ typed, weights }: Bundle, input: ScoringInput): Answers {
  const rows = expandCandidates(input);
  return probabilitiesOf(typed, runSteps(typed, weights, rows), rows);
}

/** An engine's rounding grows with the numbers it adds. */
export function largestValue({ typed, weights }: Bundle, input: ScoringInput): number {
  let largest = 0;
  for (const { values } of runSteps(typed, weights, input).values())
    for (const value of values) largest = Math.max(largest, Math.abs(value));
  return largest;
}
