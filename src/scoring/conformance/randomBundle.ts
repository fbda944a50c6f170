import { UserError } from '../../core/errors.ts';
import type { Random } from '../../core/random.ts';
import { buildModel } from '../../model/architectures.ts';
import { type Bundle, tableWeight } from '../../model/bundle.ts';
import { checkModel, type TypedModel } from '../../model/checkModel.ts';
import { createManifest } from '../../model/manifest.ts';
import type { Tensor } from '../../model/safetensors.ts';
import type { Sample } from '../../model/sample.ts';
import type { Model } from '../../model/steps.ts';
import { takenFields } from '../../model/takenFields.ts';
import type { EncodedColumn } from '../../schema/encoded.ts';
import { createEncoder } from '../../schema/encoder.ts';
import { columnOf, isMade, isSequence, scopeOfField } from '../../schema/fields.ts';
import { Fitter } from '../../schema/fit.ts';
import type { Fitted } from '../../schema/fitted.ts';
import { parseSchema } from '../../schema/parseSchema.ts';
import type { Field, HistoryField, HistorySettings, IdsField, Schema } from '../../schema/schema.ts';
import { measureActivations } from '../activations.ts';
import { createReferenceScorer } from '../engines/reference/scorer.ts';
import { batchFromJson, makeGolden } from '../golden.ts';
import type { ScoringInput } from '../scorer.ts';

/** Every kind of field in every scope, embeddings of one size, one table shared by two fields. */
export const sampleFields: readonly Field[] = [
  { name: 'userId', kind: 'id', scope: 'request', size: 8, minCount: 2 },
  { name: 'clickedAds', kind: 'ids', scope: 'request', size: 8, table: 'adId' },
  { name: 'age', kind: 'number', scope: 'request', quantiles: 6, size: 8 },
  { name: 'visits', kind: 'number', scope: 'request', transform: 'log1p' },
  { name: 'taste', kind: 'vector', scope: 'request', length: 3 },
  { name: 'adId', kind: 'id', scope: 'ad', size: 8 },
  { name: 'keywords', kind: 'ids', scope: 'ad', size: 8, pooling: 'sum', buckets: 20 },
  { name: 'budget', kind: 'number', scope: 'ad' },
  { name: 'imageId', kind: 'id', scope: 'creative', size: 8 },
  { name: 'distance', kind: 'number', scope: 'candidate', quantiles: 4, size: 8 },
  { name: 'userKeyword', kind: 'cross', of: ['userId', 'keywords'], size: 8, buckets: 50 },
];

/** A request's sequence and a candidate's, which share tables with the sample's fields, and a counter. */
export const historyFields: readonly HistoryField[] = [
  { name: 'recent', kind: 'sequence', by: 'userId', length: 6, items: ['adId', 'imageId'], actions: ['click'] },
  { name: 'shown', kind: 'sequence', by: 'adId', length: 3, items: ['userId'], gapSize: 0 },
  { name: 'clicks', kind: 'counter', by: ['userId'], values: ['count', { rate: 'click' }] },
];

export interface RandomBundleOptions {
  readonly random: Random;
  /** One that `buildModel` knows, with its options; `senet-dnn` with one hidden layer of 8 where absent. */
  readonly architecture?: string;
  readonly options?: unknown;
  /** A model of one's own, in place of an architecture. */
  readonly model?: (schema: Schema) => Model;
  readonly fields?: readonly (Field | HistoryField)[];
  /** Labels by name, each after the one before it; click and conversion where absent. */
  readonly labels?: readonly string[];
  /** How long after the impression labels are known; at once where absent. */
  readonly labelDelay?: string;
  readonly history?: HistorySettings;
  /** Rows the encoder is fitted to; 200 where absent. */
  readonly rowCount?: number;
}

/**
 * A small bundle with random weights, its encoder fitted to random rows: for tests of whatever takes a bundle.
 * The same `random` gives the same bundle.
 */
export function randomBundle(given: RandomBundleOptions): Bundle {
  const {
    random,
    fields = sampleFields,
    labels = ['click', 'conversion'],
    rowCount = 200,
    labelDelay,
    history,
  } = given;
  const schema = parseSchema({
    name: 'sample',
    labels: labels.map((name, i) => ({
      name,
      column: name,
      ...(i > 0 && { after: labels[i - 1] }),
      ...(labelDelay && { delay: labelDelay }),
    })),
    ...(history && { history }),
    user: 'userId',
    time: 'time',
    fields,
  });
  const columns = randomColumns(schema, rowCount, random.fork('rows'));
  const fitter = new Fitter(schema, random.fork('fit'));
  fitter.observe(batchFromJson(columns, rowCount, columnTypes(schema)));
  const fitted = fitter.finish();
  const typed = given.model
    ? checkModel(given.model(schema), schema)
    : buildModel(given.architecture ?? 'senet-dnn', schema, given.options ?? smallOptions(given.architecture));
  const weights = randomWeights(typed, fitted, random.fork('weights'));
  const golden = makeGolden({ typed, fitted, weights }, randomColumns(schema, 4, random.fork('golden')), 4);
  const sample = sampleOf({ typed, fitted, weights }, columns, rowCount, random.fork('labels'));
  const precision = {
    limits: { auc: 0.0003, logLoss: 0.0003 },
    activations: measureActivations(typed, weights, sample.input),
  };
  return { manifest: { ...manifestOf(typed, fitted), precision }, typed, fitted, weights, golden, sample };
}

/** The rows the encoder was fitted to, with labels drawn as the model predicts them. */
function sampleOf(
  { typed, fitted, weights }: Pick<Bundle, 'typed' | 'fitted' | 'weights'>,
  columns: Record<string, unknown[]>,
  rowCount: number,
  random: Random,
): Sample {
  const { fields } = createEncoder(typed.schema, fitted).encode(batchFromJson(columns, rowCount, fitted.columnTypes));
  const taken = takenFields(typed).map(({ name }) => [name, fields.get(name) as EncodedColumn] as const);
  const input = { rowCount, fields: new Map(taken) };
  const labels = [...createReferenceScorer({ typed, fitted, weights }).score(input)].map(
    ([task, p]) => [task, p.map((pOfRow) => (random.next() < pOfRow ? 1 : 0))] as const,
  );
  return { input, labels: new Map(labels) };
}

function smallOptions(architecture = 'senet-dnn'): unknown {
  return architecture === 'lr' || architecture === 'fm' ? {} : { hidden: [8] };
}

function manifestOf(typed: TypedModel, fitted: Fitted): Bundle['manifest'] {
  const facts = {
    name: 'sample',
    version: '1',
    createdAt: '2026-01-01T00:00:00.000Z',
    createdBy: 'limelight tests',
    calibration: Object.fromEntries(typed.model.tasks.map(({ name }) => [name, { x: [-2, 0, 2], y: [-2.5, -0.5, 1] }])),
    metrics: { testHalf: { click: { auc: 0.75, logLoss: 0.5 } } },
    training: { seed: 1, rows: 200 },
  };
  return createManifest(facts, typed, fitted);
}

/** Weights whose values stay near 1 through any number of layers: deviations of √(1/inputs). */
export function randomWeights(typed: TypedModel, fitted: Fitted, random: Random): Map<string, Tensor<Float32Array>> {
  const weights = new Map<string, Tensor<Float32Array>>();
  const draw = (name: string, shape: readonly number[], deviation: number) => {
    const values = new Float32Array(shape.reduce((product, n) => product * n, 1));
    for (let i = 0; i < values.length; i++) values[i] = random.normal() * deviation;
    weights.set(name, { shape, values });
  };
  for (const { name, vocabulary, size } of typed.tables.values()) {
    const rows = fitted.vocabularies.get(vocabulary)?.rows;
    if (rows === undefined) throw new UserError(`table '${name}' has no vocabulary '${vocabulary}'`);
    draw(tableWeight(name), [rows, size], 0.5);
  }
  for (const [output, parameters] of typed.parameters) {
    for (const { name, shape } of parameters)
      draw(`${output}.${name}`, shape, shape.length > 1 ? Math.sqrt(1 / shape[0]) : 0.2);
  }
  return weights;
}

/** The type of each column of a schema as `randomColumns` fills it. */
export function columnTypes(schema: Schema): Fitted['columnTypes'] {
  const types = { id: 'integer', ids: 'list of text', number: 'number', vector: 'list of number' } as const;
  const columns = schema.fields.flatMap((field) =>
    isMade(field) ? [] : [[columnOf(field), holdsIntegers(field, schema) ? 'list of integer' : types[field.kind]]],
  );
  return new Map(columns as [string, 'integer'][]);
}

/** A list of ids that looks them up with a field of single ids holds the same type as that; one of identities holds numbers. */
function holdsIntegers(field: Field, schema: Schema): boolean {
  return field.kind === 'ids' && (field.identity !== undefined || sharesIds(field, schema));
}

function sharesIds(field: IdsField, schema: Schema): boolean {
  return schema.fields.some(
    (other) => other.kind === 'id' && (other.table ?? other.name) === (field.table ?? field.name),
  );
}

/**
 * Raw values of every column, as JSON: skewed ids, lists of 0 to 5 items, one value in twenty missing.
 *
 * @param alone fields of this scope get one value instead of `rowCount`
 */
export function randomColumns(
  schema: Schema,
  rowCount: number,
  random: Random,
  alone?: 'request',
): Record<string, unknown[]> {
  const types = columnTypes(schema);
  const columns: Record<string, unknown[]> = {};
  // Lists of one sequence are of the same events.
  const counts = new Map<string, number[]>();
  for (const field of schema.fields) {
    if (isMade(field)) continue;
    const length = field.scope === alone ? 1 : rowCount;
    if (isSequence(field)) {
      const [sequence] = field.name.split('.');
      const drawn = () => Array.from({ length }, () => random.below((field.maxItems ?? 5) + 1));
      const events = counts.get(sequence) ?? drawn();
      counts.set(sequence, events);
      const id = () => random.below(field.identity ?? 40);
      columns[columnOf(field)] = events.map((count) => Array.from({ length: count }, id));
      continue;
    }
    columns[columnOf(field)] = Array.from({ length }, () => {
      if (field.kind === 'vector') return Array.from({ length: field.length }, () => random.normal());
      if (random.next() < 0.05) return null;
      const id = () => Math.floor(40 * random.next() ** 2);
      if (field.kind === 'number') return Math.round(random.normal() * 1000) / 100;
      if (field.kind === 'id') return id();
      const text = types.get(columnOf(field)) === 'list of text';
      return Array.from({ length: random.below(6) }, () => (text ? `word${id()}` : id()));
    });
  }
  return columns;
}

/** Random rows, encoded; with `alone`, the request's fields have one row, which counts for all. */
export function randomInput(
  { typed, fitted }: Pick<Bundle, 'typed' | 'fitted'>,
  rowCount: number,
  random: Random,
  alone?: 'request',
): ScoringInput {
  const { schema } = typed;
  const encoder = createEncoder(schema, fitted);
  if (alone === undefined)
    return encoder.encode(batchFromJson(randomColumns(schema, rowCount, random), rowCount, fitted.columnTypes));
  const columns = randomColumns(schema, rowCount, random, alone);
  const byName = new Map(schema.fields.map((field) => [field.name, field]));
  const alike = (field: Field) => scopeOfField(field, byName) === alone;
  const request = encoder.encode(batchFromJson(columns, 1, fitted.columnTypes), schema.fields.filter(alike));
  // What depends on both sides needs the request's raw values beside every candidate.
  const repeated = Object.fromEntries(
    Object.entries(columns).map(([name, values]) => [
      name,
      values.length === 1 ? new Array(rowCount).fill(values[0]) : values,
    ]),
  );
  const others = encoder.encode(
    batchFromJson(repeated, rowCount, fitted.columnTypes),
    schema.fields.filter((field) => !alike(field)),
  );
  return { rowCount, fields: new Map([...request.fields, ...others.fields]) };
}
