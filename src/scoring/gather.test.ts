import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../core/random.ts';
import { tableWeight } from '../model/bundle.ts';
import type { Model, Step, StepOf } from '../model/steps.ts';
import type { EncodedColumn, EncodedDense } from '../schema/encoded.ts';
import { randomBundle } from './conformance/randomBundle.ts';
import { type EmbedPlan, gather, gatherDense, gatherGroups, planEmbed, rowsOfFields } from './gather.ts';

/** Tables whose row `i` is i·100, i·100 + 1, … . */
function plan(...sizes: number[]): EmbedPlan {
  let width = 0;
  const fields = sizes.map((size, f) => {
    const values = Float32Array.from({ length: 10 * size }, (_, i) => Math.floor(i / size) * 100 + (i % size));
    const offset = width;
    width += size;
    return { field: `f${f}`, table: `t${f}`, values, size, offset };
  });
  return { fields, width };
}

const columns = (...given: EncodedColumn[]) => new Map(given.map((column, f) => [`f${f}`, column]));
const ids = (...values: number[]): EncodedColumn => ({ kind: 'id', ids: Int32Array.from(values) });
const lists = (pooling: 'mean' | 'sum', ...rows: number[][]): EncodedColumn => {
  const offsets = new Int32Array(rows.length + 1);
  rows.forEach((row, i) => {
    offsets[i + 1] = offsets[i] + row.length;
  });
  return { kind: 'ids', pooling, offsets, ids: Int32Array.from(rows.flat()) };
};

function gathered(embed: EmbedPlan, fields: ReadonlyMap<string, EncodedColumn>, rows: number): number[] {
  const out = new Float32Array(rows * embed.width).fill(Number.NaN);
  gather(embed, fields, rows, out);
  return [...out];
}

describe('gather', () => {
  it('lays fields side by side, row by row', () => {
    expect(gathered(plan(2, 1), columns(ids(3, 0), ids(1, 9)), 2)).toEqual([300, 301, 100, 0, 1, 900]);
  });

  it.each([1, 3, 4, 5, 8, 16, 20])('copies rows of %i numbers whole', (size) => {
    const expected = [7, 2].flatMap((id) => Array.from({ length: size }, (_, d) => id * 100 + d));
    expect(gathered(plan(size), columns(ids(7, 2)), 2)).toEqual(expected);
  });

  it('averages or adds lists; an empty one is the missing row', () => {
    expect(gathered(plan(2), columns(lists('mean', [1, 4], [], [5])), 3)).toEqual([250, 251, 0, 1, 500, 501]);
    expect(gathered(plan(2), columns(lists('sum', [1, 4], [], [5])), 3)).toEqual([500, 502, 0, 1, 500, 501]);
  });

  it('repeats a column of one row for all', () => {
    const fields = columns(ids(2), ids(1, 3, 4), lists('sum', [1, 1]));
    expect(gathered(plan(1, 1, 1), fields, 3)).toEqual([200, 100, 200, 200, 300, 200, 200, 400, 200]);
  });

  it('writes every number and none beyond, whatever the rows', () => {
    fc.assert(
      fc.property(
        fc.nat(20),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }),
        (rows, sizes) => {
          const embed = plan(...sizes);
          const random = createRandom(rows);
          const some = () => Array.from({ length: rows }, () => random.below(10));
          const given = sizes.map((_, i) =>
            i % 3 === 0 ? ids(...some()) : i % 3 === 1 ? lists('mean', ...some().map((n) => some().slice(n))) : ids(4),
          );
          const out = new Float32Array(rows * embed.width + 8).fill(Number.NaN);
          gather(embed, columns(...given), rows, out);
          expect([...out].findIndex(Number.isNaN)).toBe(rows * embed.width);
          expect([...out.subarray(rows * embed.width)].every(Number.isNaN)).toBe(true);
        },
      ),
    );
  });

  it('refuses an output too short for its rows', () => {
    expect(() => gather(plan(3), columns(ids(1, 2)), 2, new Float32Array(5))).toThrow(/internal error: gather/);
  });
});

describe('planEmbed', () => {
  it('binds each field to its table, in the step’s order', () => {
    const { typed, weights } = randomBundle({ random: createRandom(1) });
    const step = typed.model.steps.find(({ output }) => output === 'embeddings.request') as StepOf<'embed'>;
    const { fields, width } = planEmbed(step, typed, weights);
    expect(width).toBe(24);
    expect(fields.map(({ field, table, offset, size }) => [field, table, offset, size])).toEqual([
      ['userId', 'userId', 0, 8],
      ['clickedAds', 'adId', 8, 8],
      ['age', 'age', 16, 8],
    ]);
    expect(fields[1].values).toBe(weights.get(tableWeight('adId'))?.values);
  });
});

describe('gatherDense', () => {
  it('lays dense fields side by side, one row for all where there is one', () => {
    const given: EncodedDense[] = [
      { kind: 'dense', width: 2, values: Float32Array.of(1, 2, 3, 4, 5, 6) },
      { kind: 'dense', width: 1, values: Float32Array.of(9) },
    ];
    const out = new Float32Array(9);
    gatherDense(given, 3, out);
    expect([...out]).toEqual([1, 2, 9, 3, 4, 9, 5, 6, 9]);
  });
});

describe('rowsOfFields', () => {
  it('is one where all have one, else the rows of those that have more or none', () => {
    expect(rowsOfFields(columns(ids(1), lists('sum', [1, 2])), ['f0', 'f1'])).toBe(1);
    expect(rowsOfFields(columns(ids(1), ids(1, 2, 3)), ['f0', 'f1'])).toBe(3);
    expect(rowsOfFields(columns(ids(1), ids()), ['f0', 'f1'])).toBe(0);
  });
});

describe('what is gathered at once', () => {
  const fields = [
    { name: 'user', kind: 'id', scope: 'request', size: 3 },
    { name: 'ad', kind: 'id', scope: 'ad', size: 4 },
  ] as const;
  const { typed, weights } = randomBundle({ random: createRandom(1), fields });
  const outputs = (model: Model) => gatherGroups({ ...typed, model }).map(({ output }) => output);

  it('is a stack in place of its embed steps, as it would have put them together', () => {
    const groups = gatherGroups(typed);
    expect(groups.map(({ output }) => output)).toEqual(['embeddings']);
    const given = new Map([
      ['user', ids(2, 3)],
      ['ad', ids(3, 2)],
    ]);
    const [user, ad] = groups[0].steps.map((step) => gathered(planEmbed(step, typed, weights), given, 2));
    const joined = [...user.slice(0, 3), ...ad.slice(0, 4), ...user.slice(3), ...ad.slice(4)];
    expect(gathered(planEmbed(groups[0].steps, typed, weights), given, 2)).toEqual(joined);
  });

  it('is each embed step alone that another step reads too, or that nothing stacks', () => {
    const { model } = typed;
    const alone = ['embeddings.request', 'embeddings.ad'];
    const other: Step = { op: 'fm', inputs: ['embeddings.ad'], output: 'other' };
    expect(outputs({ ...model, steps: [...model.steps, other] })).toEqual(['embeddings', 'embeddings.ad']);
    expect(outputs({ ...model, steps: model.steps.filter(({ op }) => op !== 'stack') })).toEqual(alone);
  });
});
