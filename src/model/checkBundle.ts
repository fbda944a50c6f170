import { UserError } from '../core/errors.ts';
import { columnOf, firstId, isEmbedded, isMade, tableOf } from '../schema/fields.ts';
import type { ColumnType, Fitted, NumberStatistics, VectorStatistics } from '../schema/fitted.ts';
import type { Field, VectorField } from '../schema/schema.ts';
import type { Vocabulary, VocabularyKind } from '../schema/vocabulary.ts';
import { type Bundle, type CalibrationCurve, type Golden, tableWeight } from './bundle.ts';
import type { TypedModel } from './checkModel.ts';
import type { Tensor } from './safetensors.ts';
import { checkSample } from './sample.ts';
import { widthOf } from './values.ts';

const columnTypes: ReadonlySet<string> = new Set<ColumnType>([
  'integer',
  'number',
  'text',
  'list of integer',
  'list of number',
  'list of text',
]);

/**
 * Checks that the parts of a bundle fit each other, so that no engine and no encoder can be led out of bounds by one
 * that does not: every vocabulary, statistic and weight is there, of the right shape, and finite.
 *
 * @param source how messages name the bundle
 * @param options.values whether to look at every weight and at the sample, true where absent; engines do not rely on it to
 * stay within their memory
 * @throws UserError at the first thing wrong
 */
export function checkBundle(bundle: Bundle, source: string, { values = true } = {}): void {
  const fail: Fail = (what) => {
    throw new UserError(`${source}: ${what}; restore the bundle or train it anew`);
  };
  const { typed, fitted, weights, golden, manifest, sample } = bundle;
  for (const field of typed.schema.fields) {
    checkFitted(field, fitted, fail);
    checkKind(field, manifest, fail);
  }
  checkWeights(typed, fitted, weights, values, fail);
  const tasks = new Set(typed.model.tasks.map(({ name }) => name));
  for (const [task, curve] of Object.entries(manifest.calibration)) {
    if (!tasks.has(task)) fail(`has a calibration curve of '${task}', which is no task of its model`);
    checkCurve(task, curve, fail);
  }
  checkGolden(golden, tasks, fail);
  checkActivations(manifest, typed, fail);
  if (values && sample !== undefined) checkSample(sample, typed, fitted, fail);
}

type Fail = (what: string) => never;

function checkFitted(field: Field, fitted: Fitted, fail: Fail): void {
  const statistics = fitted.numbers.get(field.name);
  if (field.kind === 'number') {
    if (statistics === undefined) fail(`has no statistics of number field '${field.name}'`);
    checkStatistics(field.name, statistics, isEmbedded(field), fail);
  }
  if (field.kind === 'vector' && field.standardise) checkVector(field, fitted.vectors.get(field.name), fail);
  if (!isMade(field)) {
    const type = fitted.columnTypes.get(columnOf(field));
    if (type === undefined || !columnTypes.has(type))
      fail(`has type '${type}' for column '${columnOf(field)}', expected one of ${[...columnTypes].join(', ')}`);
  }
  const table = tableOf(field);
  if (table === undefined) return;
  const vocabulary = fitted.vocabularies.get(table);
  if (vocabulary === undefined) fail(`has no vocabulary '${table}' of field '${field.name}'`);
  checkVocabulary(table, vocabulary, field, statistics, fail);
}

/** Keys looked up as quantiles, say, would be ids of anything. */
function checkKind(field: Field, { fitted: { vocabularies } }: Bundle['manifest'], fail: Fail): void {
  const table = tableOf(field);
  if (table === undefined) return;
  const kind = Object.hasOwn(vocabularies, table) ? vocabularies[table].kind : 'none';
  const expected = field.kind === 'number' ? 'quantiles' : (fixedRows(field)?.kind ?? 'listed');
  if (kind !== expected) fail(`has vocabulary '${table}' of kind ${kind}, expected ${expected} for '${field.name}'`);
}

/** How many rows, the reserved ones apart, a field's vocabulary has by the schema alone; undefined where it lists what was seen. */
function fixedRows(field: Field): { kind: VocabularyKind; rows: number } | undefined {
  if ((field.kind === 'id' || field.kind === 'ids') && field.identity !== undefined)
    return { kind: 'identity', rows: field.identity };
  if ('buckets' in field && field.buckets !== undefined) return { kind: 'hashed', rows: field.buckets };
  return undefined;
}

function checkVector({ name, length }: VectorField, statistics: VectorStatistics | undefined, fail: Fail): void {
  if (statistics === undefined) fail(`has no statistics of vector field '${name}'`);
  const { means, deviations } = statistics;
  if (means.length !== length || deviations.length !== length)
    fail(`has ${means.length} means and ${deviations.length} deviations for field '${name}', expected ${length} each`);
  means.forEach((mean, i) => {
    checkStatistics(name, { mean, deviation: deviations[i] }, false, fail);
  });
}

function checkStatistics(name: string, statistics: NumberStatistics, bucketed: boolean, fail: Fail): void {
  const { mean, deviation, boundaries } = statistics;
  if (!Number.isFinite(mean) || !Number.isFinite(deviation) || deviation <= 0)
    fail(
      `has mean ${mean} and deviation ${deviation} for field '${name}', expected finite numbers, the second above 0`,
    );
  if (!bucketed) return;
  if (boundaries === undefined) fail(`has no quantile boundaries of field '${name}'`);
  if (!ascends(boundaries)) fail(`has quantile boundaries of field '${name}' that do not ascend`);
}

function checkVocabulary(
  table: string,
  { rows, counts, words }: Vocabulary,
  field: Field,
  statistics: NumberStatistics | undefined,
  fail: Fail,
): void {
  const expected =
    field.kind === 'number'
      ? (statistics?.boundaries?.length ?? 0) + 1
      : (fixedRows(field)?.rows ??
        (words === undefined
          ? fail(`has no keys of vocabulary '${table}', which field '${field.name}' lists`)
          : words.length / 2));
  if (rows !== expected + firstId)
    fail(`gives vocabulary '${table}' ${rows} rows, expected ${expected + firstId} for field '${field.name}'`);
  if (counts.length !== rows) fail(`has ${counts.length} counts for the ${rows} rows of vocabulary '${table}'`);
}

function checkWeights(
  { tables, parameters }: TypedModel,
  fitted: Fitted,
  weights: Bundle['weights'],
  everyValue: boolean,
  fail: Fail,
): void {
  const check = (name: string, expected: readonly number[]) => {
    const tensor = weights.get(name);
    if (tensor === undefined) fail(`lacks the weights '${name}' [${expected.join(', ')}]`);
    const { shape, values } = tensor;
    if (shape.length !== expected.length || shape.some((n, i) => n !== expected[i]))
      fail(`has weights '${name}' of shape [${shape.join(', ')}], expected [${expected.join(', ')}]`);
    if (values.length !== expected.reduce((product, n) => product * n, 1))
      fail(`has ${values.length} numbers in weights '${name}' [${expected.join(', ')}]`);
    const wrong = everyValue ? firstNotFinite(tensor) : -1;
    if (wrong >= 0) fail(`has ${values[wrong]} in weights '${name}' at ${wrong}, expected finite numbers`);
  };
  for (const { name, vocabulary, size } of tables.values()) {
    const rows = fitted.vocabularies.get(vocabulary)?.rows;
    if (rows === undefined) fail(`has a table '${name}' of vocabulary '${vocabulary}', which it lacks`);
    check(tableWeight(name), [rows, size]);
  }
  for (const [output, specs] of parameters) for (const { name, shape } of specs) check(`${output}.${name}`, shape);
}

/** The index of the first NaN or infinity, −1 where there is none. */
function firstNotFinite({ values }: Tensor<Float32Array>): number {
  // One multiplication a number: 0 · x is 0 unless x is NaN or infinite, and a NaN stays in the sum.
  let poison = 0;
  for (let i = 0; i < values.length; i++) poison += values[i] * 0;
  return poison === 0 ? -1 : values.findIndex((x) => !Number.isFinite(x));
}

function checkCurve(task: string, { x, y }: CalibrationCurve, fail: Fail): void {
  if (x.length !== y.length) fail(`has ${x.length} x and ${y.length} y in the calibration of '${task}'`);
  // Outside its knots a curve runs on to (−30, −30) and (30, 30).
  const inside = (value: number) => Math.abs(value) < 30;
  if (!ascends(x) || !ascends(y) || !x.every(inside) || !y.every(inside))
    fail(`has a calibration of '${task}' that does not rise strictly between −30 and 30`);
}

function checkGolden({ rowCount, columns, probabilities }: Golden, tasks: ReadonlySet<string>, fail: Fail): void {
  for (const [name, values] of Object.entries(columns)) {
    if (values.length !== rowCount) fail(`has ${values.length} golden values of '${name}', expected ${rowCount}`);
  }
  for (const task of tasks) {
    const answers = Object.hasOwn(probabilities, task) ? probabilities[task] : [];
    if (answers.length !== rowCount) fail(`has ${answers.length} golden answers of '${task}', expected ${rowCount}`);
    if (!answers.every((p) => p >= 0 && p <= 1)) fail(`has a golden answer of '${task}' that is no probability`);
  }
}

function checkActivations({ precision }: Bundle['manifest'], { values }: TypedModel, fail: Fail): void {
  for (const [name, { largest }] of Object.entries(precision?.activations ?? {})) {
    const value = values.get(name);
    if (value === undefined) fail(`has activations of '${name}', which is no value of its model`);
    const width = widthOf(value.type);
    if (largest.length !== width) fail(`has ${largest.length} activations of '${name}', expected ${width}`);
  }
}

/** Whether all are finite and each is above the one before it. */
function ascends(numbers: readonly number[]): boolean {
  return numbers.every((x, i) => Number.isFinite(x) && (i === 0 || x > numbers[i - 1]));
}
