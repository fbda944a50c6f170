import { readFileSync } from 'node:fs';
import type { Bundle } from '../../model/bundle.ts';
import { checkModel } from '../../model/checkModel.ts';
import { createManifest } from '../../model/manifest.ts';
import { firstId, tableOf } from '../../schema/fields.ts';
import type { Fitted } from '../../schema/fitted.ts';
import { parseSchema } from '../../schema/parseSchema.ts';
import type { Schema } from '../../schema/schema.ts';
import { hashedVocabulary } from '../../schema/vocabulary.ts';
import type { ScoringInput } from '../scorer.ts';

/** A small model with an input and its answers from `golden/make_golden.py`. */
export interface GoldenCase {
  readonly name: string;
  readonly bundle: Bundle;
  readonly input: ScoringInput;
  readonly probabilities: Readonly<Record<string, readonly number[]>>;
}

interface ColumnJson {
  readonly kind: 'id' | 'ids' | 'dense';
  readonly ids: number[];
  readonly offsets: number[];
  readonly pooling: 'mean' | 'sum' | 'none';
  readonly width: number;
  readonly values: number[];
}

export function goldenCases(): GoldenCase[] {
  const json = JSON.parse(readFileSync(new URL('./golden/ops.json', import.meta.url), 'utf8'));
  const schema = parseSchema(json.schema);
  const fitted = fittedOf(schema, json.vocabularies);
  const columns = Object.entries(json.input as Record<string, ColumnJson>).map(([name, column]) => [
    name,
    columnOf(column),
  ]);
  const input = { rowCount: json.rowCount, fields: new Map(columns as never) } as ScoringInput;
  return json.cases.map((given: { name: string; model: unknown; weights: object; probabilities: never }) => {
    const typed = checkModel(given.model, schema, given.name);
    const facts = {
      name: 'golden',
      version: '1',
      createdAt: '',
      createdBy: '',
      calibration: {},
      metrics: {},
      training: {},
    };
    const weights = new Map(
      Object.entries(given.weights).map(([name, { shape, values }]) => [
        name,
        { shape, values: Float32Array.from(values) },
      ]),
    );
    const golden = { rowCount: 0, columns: {}, probabilities: {} };
    const bundle: Bundle = { manifest: createManifest(facts, typed, fitted), typed, fitted, weights, golden };
    return { name: given.name, bundle, input, probabilities: given.probabilities };
  });
}

function columnOf(column: ColumnJson) {
  switch (column.kind) {
    case 'id':
      return { kind: 'id', ids: Int32Array.from(column.ids) };
    case 'ids':
      return {
        kind: 'ids',
        offsets: Int32Array.from(column.offsets),
        ids: Int32Array.from(column.ids),
        pooling: column.pooling,
      };
    case 'dense':
      return { kind: 'dense', width: column.width, values: Float32Array.from(column.values) };
  }
}

/** Vocabularies of so many rows; nothing is encoded with them. */
function fittedOf(schema: Schema, rows: Readonly<Record<string, number>>): Fitted {
  const tables = new Set(schema.fields.flatMap((field) => tableOf(field) ?? []));
  const vocabulary = (table: string) => hashedVocabulary(rows[table] - firstId, new Float64Array(rows[table]));
  return {
    vocabularies: new Map([...tables].map((table) => [table, vocabulary(table)])),
    numbers: new Map(),
    vectors: new Map(),
    columnTypes: new Map(),
  };
}
