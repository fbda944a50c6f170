import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../core/errors.ts';
import { createRandom } from '../../core/random.ts';
import { architectures } from '../../model/architectures.ts';
import type { Bundle } from '../../model/bundle.ts';
import type { EncodedColumn, EncodedIds, EncodedLists } from '../../schema/encoded.ts';
import { missingId } from '../../schema/fields.ts';
import { runSteps } from '../engines/reference/runSteps.ts';
import { probabilitiesOf } from '../engines/reference/scorer.ts';
import type { Scorer, ScoringInput } from '../scorer.ts';
import { type Answers, copyOf, expectClose } from './answers.ts';
import { describeCandidates, largestValue } from './describeCandidates.ts';
import { goldenCases } from './goldenCases.ts';
import { historyFields, randomBundle, randomInput, sampleFields } from './randomBundle.ts';
import { randomModel } from './randomModel.ts';
import { oneRow, repeatRows } from './rows.ts';

/** Options that bring every part of an architecture into play. */
const rich: Readonly<Record<string, unknown>> = {
  'senet-dnn': { hidden: [17, 8], crossLayers: 2, crossRank: 5, innerUnits: 3, dropout: 0.2 },
  'dcn-v2': { hidden: [9], crossLayers: 3, crossRank: null },
  din: { hidden: [16], attention: { units: 8, weights: 'sigmoid' } },
  'deep-fm': { hidden: [16, 16, 3], embeddingSize: 5 },
  'dual-tower': { hidden: [17, 8], crossLayers: 1, crossRank: 5, right: { hidden: [9, 5], productUnits: 3 } },
};

/**
 * The suite every engine passes: golden answers of an independent program, agreement with the reference engine on every
 * architecture and on random models, and the refusals of `Scorer`.
 *
 * @param tolerance largest difference in probability, for models whose values stay near 1
 */
export function describeScorer(
  name: string,
  load: (bundle: Bundle) => Scorer | Promise<Scorer>,
  tolerance: number,
): void {
  /** Loads, scores and disposes. */
  async function scoresOf(bundle: Bundle, ...inputs: ScoringInput[]): Promise<Map<string, number[]>[]> {
    const scorer = await load(bundle);
    try {
      return inputs.map((input) => copyOf(scorer.score(input)));
    } finally {
      scorer.dispose();
    }
  }

  describe(`${name} answers as an independent float64 program does`, () => {
    it.each(goldenCases().map((given) => [given.name, given] as const))('%s', async (_, given) => {
      const [scores] = await scoresOf(given.bundle, given.input);
      expectClose(scores, new Map(Object.entries(given.probabilities)), tolerance);
    });
  });

  describe(`${name} agrees with the reference engine`, () => {
    describe.each(architectures.map(({ name }) => name))('on %s', (architecture) => {
      const options = rich[architecture];
      const plain = randomBundle({ random: createRandom(7), architecture, options });
      const fields = [...sampleFields, ...historyFields];
      const remembering = randomBundle({ random: createRandom(7), architecture, options, fields });

      it.each([
        ['0 rows', plain, 0],
        ['1 row', plain, 1],
        ['2 rows', plain, 2],
        ['33 rows', plain, 33],
        ['1000 rows', plain, 1000],
        ['history, 1 row', remembering, 1],
        ['history, 200 rows', remembering, 200],
      ])('with %s, whether the request’s fields come once or repeated', async (_, bundle, rows) => {
        const once = randomInput(bundle, rows, createRandom(rows), 'request');
        const repeated = repeatRows(once);
        const [fromOne, fromAll] = await scoresOf(bundle, once, repeated);
        expectClose(fromOne, reference(bundle, once), tolerance);
        expectClose(fromAll, reference(bundle, repeated), tolerance);
        expectClose(fromOne, fromAll, tolerance);
      });
    });

    it('on random models: any step over any values, whatever their scopes', async () => {
      await fc.assert(
        fc.asyncProperty(fc.nat(), fc.nat(12), fc.constantFrom(1, 2, 19), async (seed, stepCount, rows) => {
          const random = createRandom(seed);
          const model = (schema: Bundle['typed']['schema']) => randomModel(schema, random, stepCount);
          const bundle = randomBundle({ random, model, rowCount: 40, fields: [...sampleFields, ...historyFields] });
          const input = randomInput(bundle, rows, random, random.next() < 0.7 ? 'request' : undefined);
          const [scores] = await scoresOf(bundle, input);
          expectClose(scores, reference(bundle, input), tolerance * Math.max(1, largestValue(bundle, input)));
        }),
        { numRuns: 150 },
      );
    });
  });

  describe(`${name} keeps to the contract of a scorer`, () => {
    const bundle = randomBundle({ random: createRandom(11), options: rich['senet-dnn'] });
    const input = randomInput(bundle, 6, createRandom(12), 'request');
    const withColumn = (field: string, column: EncodedColumn): ScoringInput => ({
      rowCount: input.rowCount,
      fields: new Map([...input.fields, [field, column]]),
    });
    const ids = (field: string) => (input.fields.get(field) as EncodedIds).ids;
    const lists = (field: string) => input.fields.get(field) as EncodedLists;
    const rowsOf = (table: string) => bundle.fitted.vocabularies.get(table)?.rows as number;

    it('answers every task with a probability a row', async () => {
      const [scores] = await scoresOf(bundle, input);
      expect([...scores.keys()]).toEqual(bundle.typed.model.tasks.map((task) => task.name));
      for (const p of scores.values()) {
        expect(p).toHaveLength(input.rowCount);
        expect(p.every((x) => x > 0 && x < 1)).toBe(true);
      }
    });

    it('answers alike whatever it was asked before: more rows, fewer, none', async () => {
      const more = randomInput(bundle, 50, createRandom(1));
      const none = randomInput(bundle, 0, createRandom(1), 'request');
      const [before, , , after] = await scoresOf(bundle, input, more, none, input);
      expect(after).toEqual(before);
    });

    it('answers each row by itself, whatever the rows beside it', async () => {
      const all = randomInput(bundle, 9, createRandom(3));
      const [together, ...apart] = await scoresOf(
        bundle,
        all,
        ...Array.from({ length: 9 }, (_, row) => oneRow(all, row)),
      );
      for (const [task, p] of together) {
        for (let row = 0; row < 9; row++) expect(Math.abs(apart[row].get(task)![0] - p[row])).toBeLessThan(tolerance);
      }
    });

    it('takes an empty list for the missing row, in a mean as in a sum', async () => {
      for (const field of ['clickedAds', 'keywords']) {
        const { pooling, offsets } = lists(field);
        const rows = offsets.length - 1;
        const empty = { kind: 'ids', pooling, ids: new Int32Array(0), offsets: new Int32Array(rows + 1) } as const;
        const missing = {
          kind: 'ids',
          pooling,
          ids: new Int32Array(rows).fill(missingId),
          offsets: Int32Array.from({ length: rows + 1 }, (_, row) => row),
        } as const;
        const [a, b] = await scoresOf(bundle, withColumn(field, empty), withColumn(field, missing));
        expect(a).toEqual(b);
      }
    });

    it('takes lists that begin anywhere in their ids', async () => {
      const { offsets, ids, pooling } = lists('keywords');
      const padded = Int32Array.from([rowsOf('keywords') - 1, 0, ...ids, 1]);
      const shifted = { kind: 'ids', pooling, ids: padded, offsets: offsets.map((offset) => offset + 2) } as const;
      const [a, b] = await scoresOf(bundle, input, withColumn('keywords', shifted));
      expect(b).toEqual(a);
    });

    it('refuses an id outside its table, negative or in a list, and scores on', async () => {
      const scorer = await load(bundle);
      const before = copyOf(scorer.score(input));
      const spoilt = (values: Int32Array, at: number, id: number) => values.map((value, i) => (i === at ? id : value));
      for (const id of [-1, rowsOf('adId'), 2 ** 31 - 1, -(2 ** 31)]) {
        const single = withColumn('adId', { kind: 'id', ids: spoilt(ids('adId'), 5, id) });
        expect(() => scorer.score(single)).toThrow(
          new UserError(
            `scoring input: field 'adId' has id ${id} at 5, outside its table of ${rowsOf('adId')} rows; encode it with the bundle's own vocabulary`,
          ),
        );
        const list = lists('keywords');
        expect(() => scorer.score(withColumn('keywords', { ...list, ids: spoilt(list.ids, 0, id) }))).toThrow(
          UserError,
        );
      }
      expect(copyOf(scorer.score(input))).toEqual(before);
      scorer.dispose();
    });

    it('refuses offsets that do not ascend within the ids', async () => {
      const scorer = await load(bundle);
      const list = lists('keywords');
      const last = list.offsets.length - 1;
      for (const [at, offset] of [
        [0, -1],
        [2, 10 ** 6],
        [last, list.ids.length + 1],
        [last, -5],
      ]) {
        const offsets = list.offsets.map((value, i) => (i === at ? offset : value));
        expect(() => scorer.score(withColumn('keywords', { ...list, offsets }))).toThrow(/offsets that do not ascend/);
      }
      scorer.dispose();
    });

    it('refuses a field that is missing, of another kind, width or number of rows', async () => {
      const scorer = await load(bundle);
      const without = (field: string) => ({
        rowCount: input.rowCount,
        fields: new Map([...input.fields].filter(([name]) => name !== field)),
      });
      for (const field of input.fields.keys())
        expect(() => scorer.score(without(field))).toThrow(new RegExp(`field '${field}' is missing`));
      const cases: [string, EncodedColumn, RegExp][] = [
        ['adId', { kind: 'dense', width: 1, values: new Float32Array(6) }, /is dense, the model takes it as ids/],
        ['budget', { kind: 'id', ids: new Int32Array(6) }, /is of ids, the model takes it dense/],
        ['taste', { kind: 'dense', width: 2, values: new Float32Array(2) }, /has 2 numbers a row, the model takes 3/],
        ['adId', { kind: 'id', ids: new Int32Array(5) }, /has 5 rows, expected 6 or 1/],
        ['adId', { kind: 'id', ids: new Int32Array(0) }, /has 0 rows, expected 6 or 1/],
        ['keywords', { ...lists('keywords'), offsets: new Int32Array(8) }, /has 7 rows, expected 6 or 1/],
        ['taste', { kind: 'dense', width: 3, values: new Float32Array(4) }, /rows, expected 6 or 1/],
      ];
      for (const [field, column, message] of cases) {
        expect(() => scorer.score(withColumn(field, column))).toThrow(message);
        expect(() => scorer.score(withColumn(field, column))).toThrow(UserError);
      }
      scorer.dispose();
    });

    it('takes an ad’s column of one row for all candidates', async () => {
      const one = withColumn('adId', { kind: 'id', ids: ids('adId').slice(0, 1) });
      const all = withColumn('adId', { kind: 'id', ids: new Int32Array(6).fill(ids('adId')[0]) });
      const [a, b] = await scoresOf(bundle, one, all);
      expectClose(a, b, tolerance);
    });
  });

  describeCandidates(name, load, tolerance, rich);
}

function reference({ typed, weights }: Bundle, input: ScoringInput): Answers {
  return probabilitiesOf(typed, runSteps(typed, weights, input), input);
}
