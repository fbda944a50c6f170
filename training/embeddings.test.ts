import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adamStep, updateAdam } from '../src/core/adam.ts';
import { createRandom } from '../src/core/random.ts';
import type { EncodedColumn } from '../src/schema/encoded.ts';
import { firstId, missingId, unknownId } from '../src/schema/fields.ts';
import type { EmbedPlan } from '../src/scoring/gather.ts';
import { dropIds, dropProbabilities, scatter, TrainedTable } from './embeddings.ts';

interface Steps {
  weights: number[][];
  means: number[][];
  squares: number[][] | number[];
}

const golden: {
  rows: number;
  size: number;
  rate: number;
  start: number[][];
  counts: number[];
  batches: { ids: number[]; gradients: number[][] }[];
  dense: { weights: number[]; means: number[]; squares: number[] };
  adam: Record<string, Steps>;
  adagrad: Record<string, Steps>;
} = JSON.parse(readFileSync(new URL('golden/optimizers.json', import.meta.url), 'utf8'));

/** float32 weights against float64 ones, after four steps. */
function expectClose(found: ArrayLike<number>, expected: readonly number[]): void {
  expect(found.length).toBe(expected.length);
  for (let i = 0; i < found.length; i++)
    expect(Math.abs(found[i] - expected[i])).toBeLessThan(2e-6 * Math.max(1, Math.abs(expected[i])));
}

function tableOf(
  rows: number,
  size: number,
  start: readonly number[],
  more: Partial<ConstructorParameters<typeof TrainedTable>[2]> = {},
  counts = new Float64Array(rows).fill(1),
) {
  const tensor = { shape: [rows, size], values: Float32Array.from(start) };
  return new TrainedTable(tensor, counts, { optimizer: 'adam', l2: 0, ...more });
}

describe('a table in training', () => {
  it.each([
    ['adam', '0'],
    ['adam', '0.3'],
    ['adagrad', '0'],
    ['adagrad', '0.3'],
  ] as const)('takes the steps of %s with L2 of %s that NumPy takes', (optimizer, l2) => {
    const { rows, size, rate, start, counts, batches } = golden;
    const table = tableOf(rows, size, start.flat(), { optimizer, l2: Number(l2) }, Float64Array.from(counts));
    batches.forEach(({ ids, gradients }, step) => {
      const flat = Float32Array.from(gradients.flat());
      ids.forEach((id, i) => {
        table.add(id, flat, i * size, 1);
      });
      table.update(rate, step + 1);
    });
    const expected = golden[optimizer][l2];
    expectClose(table.tensor.values, expected.weights.flat());
    expectClose(table.state.squares, expected.squares.flat());
    if (optimizer === 'adam') expectClose(table.state.means as Float32Array, expected.means.flat());
    else expect(table.state.means).toBeUndefined();
  });

  it('takes one step for an id met ten times, the gradients summed', () => {
    for (const optimizer of ['adam', 'adagrad'] as const) {
      const start = [0.5, -0.25, 1, 2];
      const [ten, one] = [tableOf(2, 2, start, { optimizer }), tableOf(2, 2, start, { optimizer })];
      for (let i = 0; i < 10; i++) ten.add(1, Float32Array.of(0.5, -2), 0, 1);
      one.add(1, Float32Array.of(5, -20), 0, 1);
      ten.update(0.1, 1);
      one.update(0.1, 1);
      expect(ten.tensor.values).toEqual(one.tensor.values);
      expect(ten.state).toEqual(one.state);
    }
  });

  it('leaves every row a batch does not touch as it was, bit for bit, and forgets the batch after its step', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uniqueArray(fc.nat(19), { maxLength: 6 }), { maxLength: 5 }),
        fc.constantFrom('adam' as const, 'adagrad' as const),
        (batches, optimizer) => {
          const random = createRandom(1);
          const table = tableOf(
            20,
            3,
            Array.from({ length: 60 }, () => random.normal()),
            { optimizer, l2: 0.1 },
          );
          batches.forEach((ids, step) => {
            const before = structuredClone({ values: table.tensor.values, state: table.state });
            for (const id of ids) table.add(id, Float32Array.of(1, 2, 3), 0, 1);
            table.update(0.1, step + 1);
            for (let row = 0; row < 20; row++) {
              const changed = ids.includes(row);
              const at = (values: Float32Array) => values.slice(3 * row, 3 * row + 3);
              if (changed) expect(at(table.tensor.values)).not.toEqual(at(before.values));
              else expect(at(table.tensor.values)).toEqual(at(before.values));
            }
          });
        },
      ),
    );
  });

  it('holds any number of rows of any width in one batch', () => {
    for (const size of [1, 16, 17, 64]) {
      const rows = 5000;
      const table = tableOf(rows, size, new Array(rows * size).fill(0));
      for (let row = 0; row < rows; row++) table.add(row, new Float32Array(size).fill(row % 2 === 0 ? 1 : -1), 0, 1);
      table.update(0.5, 1);
      // Adam's first step is the rate against the sign.
      let wrong = 0;
      table.tensor.values.forEach((value, i) => {
        if (Math.abs(value - (Math.floor(i / size) % 2 === 0 ? -0.5 : 0.5)) > 1e-6) wrong++;
      });
      expect(wrong).toBe(0);
    }
  });

  it('is pulled to zero by L2 in inverse proportion to the id’s count', () => {
    const table = tableOf(3, 1, [1, 1, 1], { optimizer: 'adagrad', l2: 0.5 }, Float64Array.of(0, 1, 50));
    const pulls = [0, 1, 2].map((row) => {
      table.add(row, Float32Array.of(0), 0, 1);
      table.update(1e-3, 1);
      return Math.sqrt(table.state.squares[row]);
    });
    // Row-wise Adagrad's first state is |g| itself; a count of 0 is as one of 1.
    expectClose(pulls, [0.5, 0.5, 0.01]);
  });
});

describe('updateAdam', () => {
  it('takes Adam’s steps as NumPy does, on a part of longer arrays', () => {
    const { rows, size, rate, start, batches, dense } = golden;
    const count = rows * size;
    const offset = 5;
    const [w, m, v] = [0, 1, 2].map(() => new Float32Array(count + 2 * offset));
    w.set(start.flat(), offset);
    batches.forEach(({ ids, gradients }, step) => {
      const g = new Float32Array(count + 2);
      ids.forEach((id, i) => {
        for (let d = 0; d < size; d++) g[2 + id * size + d] += gradients[i][d];
      });
      updateAdam(w, m, v, offset, g, 2, count, adamStep(rate, step + 1));
    });
    expectClose(w.subarray(offset, offset + count), dense.weights);
    expectClose(m.subarray(offset, offset + count), dense.means);
    expectClose(v.subarray(offset, offset + count), dense.squares);
    for (const array of [w, m, v]) {
      expect([...array.subarray(0, offset), ...array.subarray(offset + count)].every((x) => x === 0)).toBe(true);
    }
  });
});

describe('scatter', () => {
  const plan = (...fields: [field: string, table: string, size: number][]): EmbedPlan => {
    let width = 0;
    const gathered = fields.map(([field, table, size]) => {
      const offset = width;
      width += size;
      return { field, table, values: new Float32Array(0), size, offset };
    });
    return { fields: gathered, width };
  };
  /** What each row was given: its gradient, read back from Adam's state. */
  const gradientsOf = (
    columns: Record<string, EncodedColumn>,
    embed: EmbedPlan,
    rows: number,
    gradient: number[],
    size: number,
  ) => {
    const table = tableOf(8, size, new Array(8 * size).fill(0));
    scatter(embed, new Map(Object.entries(columns)), rows, Float32Array.from(gradient), new Map([['t', table]]));
    table.update(0, 1);
    // Adam's first mean is (1 − β1)·g.
    return Array.from(table.state.means as Float32Array, (mean) => Math.round(mean * 1e5) / 1e4);
  };

  it('gives each item of a mean its share, each of a sum the whole, and an empty list’s to the missing row', () => {
    const lists = (pooling: 'mean' | 'sum'): EncodedColumn => ({
      kind: 'ids',
      pooling,
      offsets: Int32Array.of(0, 3, 3, 4),
      ids: Int32Array.of(2, 2, 4, 5),
    });
    const gradient = [3, 6, 9];
    expect(gradientsOf({ x: lists('mean') }, plan(['x', 't', 1]), 3, gradient, 1)).toEqual([6, 0, 2, 0, 1, 9, 0, 0]);
    expect(gradientsOf({ x: lists('sum') }, plan(['x', 't', 1]), 3, gradient, 1)).toEqual([6, 0, 6, 0, 3, 9, 0, 0]);
    expect(missingId).toBe(0);
  });

  it('adds up what fields that share a table ask for', () => {
    const columns: Record<string, EncodedColumn> = {
      a: { kind: 'id', ids: Int32Array.of(3, 4) },
      b: { kind: 'id', ids: Int32Array.of(4, 4) },
    };
    const embed = plan(['a', 't', 2], ['b', 't', 2]);
    expect(gradientsOf(columns, embed, 2, [1, 2, 10, 20, 3, 4, 30, 40], 2)).toEqual([
      0, 0, 0, 0, 0, 0, 1, 2, 43, 64, 0, 0, 0, 0, 0, 0,
    ]);
  });
});

describe('dropout of ids', () => {
  const counts = Float64Array.of(5, 5, 0, 1, 3, 1000);

  it('has probability max·e^(−count/scale), none for reserved rows nor where it would never happen', () => {
    const p = dropProbabilities(counts, { max: 0.4, scale: 2 });
    expectClose(p, [0, 0, 0.4, 0.4 * Math.exp(-0.5), 0.4 * Math.exp(-1.5), 0]);
  });

  it('replaces ids by the unknown one at that rate, in single ids and in lists, and changes nothing else', () => {
    const p = dropProbabilities(counts, { max: 0.4, scale: 2 });
    const random = createRandom(3);
    const n = 60_000;
    const ids = Int32Array.from({ length: n }, (_, i) => i % 6);
    const kept = ids.slice();
    for (const column of [
      { kind: 'id', ids } as const,
      { kind: 'ids', ids, offsets: Int32Array.of(0, n), pooling: 'mean' } as const,
    ]) {
      const dropped = dropIds(column, p, unknownId, random.next);
      if (dropped.kind === 'dense') return expect.fail('ids');
      for (let id = 0; id < 6; id++) {
        let replaced = 0;
        for (let i = id; i < n; i += 6)
          if (dropped.ids[i] !== id) replaced += dropped.ids[i] === unknownId ? 1 : Number.NaN;
        const rate = id === unknownId ? 0 : p[id];
        // Five standard errors of a binomial of 10,000.
        expect(Math.abs(replaced / 10_000 - rate)).toBeLessThanOrEqual(5 * Math.sqrt((rate * (1 - rate)) / 10_000));
      }
      expect(ids).toEqual(kept);
    }
    const dense = { kind: 'dense', width: 1, values: Float32Array.of(2) } as const;
    expect(dropIds(dense, p, unknownId, random.next)).toBe(dense);
    expect(firstId).toBe(2);
  });
});
