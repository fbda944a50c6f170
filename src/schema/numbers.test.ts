import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../core/random.ts';
import type { Column, NumberColumn } from './columns.ts';
import { createEncoder } from './encoder.ts';
import { Fitter } from './fit.ts';
import { columnFromJson } from './jsonColumns.ts';
import { numbersOf, vectorsOf } from './numbers.ts';
import { parseSchema } from './parseSchema.ts';
import type { NumberField, VectorField } from './schema.ts';

interface Case {
  column: string;
  transform?: 'none' | 'log1p';
  clip?: number;
  mean: number;
  deviation: number;
  standardised: number[];
  quantiles?: number;
  boundaries: number[];
  ids: number[];
  counts: number[];
}

const golden: { columns: Record<string, (number | null)[]>; cases: Case[] } = JSON.parse(
  readFileSync(new URL('golden/numberFields.json', import.meta.url), 'utf8'),
);

function fitOne(field: Partial<NumberField>, values: readonly (number | null)[], batchRows = 64) {
  const schema = parseSchema({
    name: 'x',
    labels: [{ name: 'click', column: 'click' }],
    fields: [{ name: 'x', kind: 'number', scope: 'request', ...field }],
  });
  const fitter = new Fitter(schema, createRandom(1));
  const batch = (part: readonly (number | null)[]) => ({
    rowCount: part.length,
    columns: new Map([['x', columnFromJson(part, 'number', 'x')]]),
  });
  for (let from = 0; from < values.length; from += batchRows)
    fitter.observe(batch(values.slice(from, from + batchRows)));
  const fitted = fitter.finish();
  return { fitted, encoded: createEncoder(schema, fitted).encode(batch(values)).fields.get('x') };
}

describe('a number field', () => {
  it.each(golden.cases.filter((c) => c.quantiles === undefined))(
    'of $column is standardised as NumPy does (transform $transform, clip $clip)',
    ({ column, transform, clip, mean, deviation, standardised }) => {
      const { fitted, encoded } = fitOne({ transform, clip }, golden.columns[column]);
      const statistics = fitted.numbers.get('x');
      expect(Math.abs((statistics?.mean ?? 0) - mean)).toBeLessThanOrEqual(1e-12 * Math.abs(mean) + 1e-12);
      // Values of 1e9 and a deviation of 1 leave a float64 some six digits, in one pass as in two.
      expect(Math.abs((statistics?.deviation ?? 0) / deviation - 1)).toBeLessThan(column === 'large' ? 1e-5 : 1e-10);
      if (encoded?.kind !== 'dense') return expect.fail('a dense field');
      const tolerance = column === 'large' ? 1e-3 : 1e-6;
      standardised.forEach((z, row) => {
        expect(Math.abs(encoded.values[row] - z)).toBeLessThan(tolerance * Math.max(1, Math.abs(z)));
      });
    },
  );

  it.each(golden.cases.filter((c) => c.quantiles !== undefined))(
    'of $column is cut into $quantiles quantiles as NumPy does',
    ({ column, quantiles, boundaries, ids, counts }) => {
      const { fitted, encoded } = fitOne({ quantiles }, golden.columns[column]);
      expect(fitted.numbers.get('x')?.boundaries).toEqual(boundaries);
      expect(encoded).toMatchObject({ kind: 'id', ids: Int32Array.from(ids) });
      expect([...(fitted.vocabularies.get('x')?.counts ?? [])]).toEqual(counts);
    },
  );

  it('takes quantiles of a sample where there are many values, and counts scaled up', () => {
    const random = createRandom(4);
    const values = Array.from({ length: 250_000 }, () => random.next());
    const { fitted } = fitOne({ quantiles: 4 }, values, 50_000);
    fitted.numbers.get('x')?.boundaries?.forEach((boundary, k) => {
      // Standard error √(p(1−p)/100,000), 0.0016 at most; five of them.
      expect(Math.abs(boundary - (k + 1) / 4)).toBeLessThan(0.008);
    });
    const counts = fitted.vocabularies.get('x')?.counts ?? [];
    expect([...counts].reduce((a, b) => a + b)).toBeCloseTo(250_000, 3);
  });

  it('without a value anywhere, or with one value alone, encodes to the middle', () => {
    expect(fitOne({}, [null, null]).encoded).toMatchObject({ values: Float32Array.of(0, 0) });
    expect(fitOne({ quantiles: 4 }, [null, null]).encoded).toMatchObject({ ids: Int32Array.of(0, 0) });
    expect(fitOne({}, [7]).encoded).toMatchObject({ values: Float32Array.of(0) });
    expect(fitOne({ quantiles: 4 }, [7, 7, 7]).fitted.numbers.get('x')?.boundaries).toEqual([7]);
  });

  it('refuses values too large to have a deviation, and says what to do', () => {
    expect(() => fitOne({}, [1e300, -1e300, 1e300])).toThrow(
      `field 'x': its values are too large to standardise; set "transform": "log1p" or scale the column`,
    );
    expect(fitOne({ transform: 'log1p' }, [1e300, -1e300]).encoded).toMatchObject({ kind: 'dense' });
  });
});

describe('a column of numbers', () => {
  const field: NumberField = { name: 'x', kind: 'number', scope: 'ad' };
  const floats = (...values: number[]): NumberColumn => ({
    type: 'number',
    rowCount: values.length,
    values: Float64Array.from(values),
  });

  it('is refused with the row where it holds NaN or infinity, unless the field calls them missing', () => {
    expect(() => numbersOf(floats(1, Number.NaN), field, 'price')).toThrow(
      'field \'x\' (column \'price\', number): expected finite numbers, got NaN in row 1; clean the column, or set "invalid": "missing" on the field',
    );
    expect(() => numbersOf(floats(Number.NEGATIVE_INFINITY), field, 'x')).toThrow('got -Infinity in row 0');
    expect([...numbersOf(floats(Number.POSITIVE_INFINITY, 2), { ...field, invalid: 'missing' }, 'x')]).toEqual([
      Number.NaN,
      2,
    ]);
  });

  it('may be of integers of any width, of Booleans, and unsigned', () => {
    const column = (values: Int32Array | BigInt64Array, more: object = {}): Column => ({
      type: 'integer',
      rowCount: values.length,
      values,
      ...more,
    });
    expect([...numbersOf(column(Int32Array.of(-1, 5)), field, 'x')]).toEqual([-1, 5]);
    expect([...numbersOf(column(BigInt64Array.of(2n ** 60n, -1n)), field, 'x')]).toEqual([2 ** 60, -1]);
    expect([...numbersOf(column(BigInt64Array.of(-1n, 3n), { unsigned: true }), field, 'x')]).toEqual([2 ** 64, 3]);
    expect([...numbersOf(column(Int32Array.of(9, 8), { valid: Uint8Array.of(0, 1) }), field, 'x')]).toEqual([
      Number.NaN,
      8,
    ]);
  });

  it('may not be of text or lists', () => {
    expect(() => numbersOf(columnFromJson(['a'], 'text', ''), field, 'x')).toThrow("use kind 'id'");
    expect(() => numbersOf(columnFromJson([[1]], 'list of number', ''), field, 'x')).toThrow(
      "use kind 'ids or vector'",
    );
  });
});

describe('a standardised vector', () => {
  const golden: {
    rows: (number | null)[][];
    means: number[];
    deviations: number[];
    cases: { clip: number; standardised: number[][] }[];
  } = JSON.parse(readFileSync(new URL('golden/vectorFields.json', import.meta.url), 'utf8'));

  it.each(golden.cases)(
    'has each of its numbers standardised by itself, clipped to $clip',
    ({ clip, standardised }) => {
      const field = { name: 'v', kind: 'vector', scope: 'ad', length: 4, standardise: true, invalid: 'missing', clip };
      const schema = parseSchema({ name: 'x', labels: [{ name: 'click', column: 'click' }], fields: [field] });
      const fitter = new Fitter(schema, createRandom(1));
      const batchOf = (rows: (number | null)[][]) => ({
        rowCount: rows.length,
        columns: new Map([['v', columnFromJson(rows, 'list of number', 'v')]]),
      });
      fitter.observe(batchOf(golden.rows.slice(0, 25)));
      fitter.observe(batchOf(golden.rows.slice(25)));
      const fitted = fitter.finish();
      const { means, deviations } = fitted.vectors.get('v') ?? { means: [], deviations: [] };
      means.forEach((mean, i) => {
        expect(Math.abs(mean / golden.means[i] - 1)).toBeLessThan(1e-12);
        // Values of a million and a deviation of 0.3 leave a float64 nine digits.
        expect(Math.abs(deviations[i] / golden.deviations[i] - 1)).toBeLessThan(1e-8);
      });
      const encoded = createEncoder(schema, fitted).encode(batchOf(golden.rows)).fields.get('v');
      if (encoded?.kind !== 'dense') return expect.fail('a dense field');
      expect(encoded.values).toHaveLength(240);
      standardised.flat().forEach((z, i) => {
        expect(Math.abs(encoded.values[i] - z)).toBeLessThan(1e-6);
      });
    },
  );

  it('names the field whose values are too large', () => {
    const schema = parseSchema({
      name: 'x',
      labels: [{ name: 'click', column: 'click' }],
      fields: [{ name: 'v', kind: 'vector', scope: 'ad', length: 1, standardise: true }],
    });
    const fitter = new Fitter(schema, createRandom(1));
    fitter.observe({
      rowCount: 2,
      columns: new Map([['v', columnFromJson([[1e300], [-1e300]], 'list of number', 'v')]]),
    });
    expect(() => fitter.finish()).toThrow("field 'v': its values are too large to standardise; scale the column");
  });
});

describe('a column of vectors', () => {
  const field: VectorField = { name: 'v', kind: 'vector', scope: 'ad', length: 2 };

  it('is laid row by row, a missing row as zeros', () => {
    const column = columnFromJson([[1, 2], null, [3, 4.5]], 'list of number', '');
    expect([...vectorsOf(column, field, 'v')]).toEqual([1, 2, 0, 0, 3, 4.5]);
  });

  it('is refused where a row has another length, a number is not finite or missing, or there is text', () => {
    expect(() => vectorsOf(columnFromJson([[1, 2], [1]], 'list of number', ''), field, 'v')).toThrow(
      "field 'v', list of number: expected 2 numbers a row, got 1 in row 1; correct the field's length or the data",
    );
    expect(() => vectorsOf(columnFromJson([[1, null]], 'list of number', ''), field, 'v')).toThrow('got NaN in row 0');
    expect([
      ...vectorsOf(columnFromJson([[1, null]], 'list of number', ''), { ...field, invalid: 'missing' }, 'v'),
    ]).toEqual([1, 0]);
    expect(() => vectorsOf(columnFromJson([['a', 'b']], 'list of text', ''), field, 'v')).toThrow(
      'needs a list of 2 numbers a row',
    );
    expect(() => vectorsOf(columnFromJson([1], 'number', ''), field, 'v')).toThrow('needs a list of 2 numbers a row');
  });
});
