import { mix32 } from '../../src/core/hash.ts';
import { createRandom } from '../../src/core/random.ts';
import { buildModel } from '../../src/model/architectures.ts';
import { type Bundle, tableWeight } from '../../src/model/bundle.ts';
import { createManifest } from '../../src/model/manifest.ts';
import type { Tensor } from '../../src/model/safetensors.ts';
import { isMade } from '../../src/schema/fields.ts';
import type { Fitted } from '../../src/schema/fitted.ts';
import type { Field, Schema } from '../../src/schema/schema.ts';
import { hashedVocabulary, listedVocabulary } from '../../src/schema/vocabulary.ts';
import { makeGolden } from '../../src/scoring/golden.ts';

/*
 * What loading is measured on: SENet-DNN over 20 user and 12 ad fields × 16, 512-256-128, two heads, nearly all of whose bytes
 * are one table of ads by a listed vocabulary. The weights are random: nothing here says how well it predicts.
 */

export const embeddingSize = 16;
const buckets = 1_000;
const seed = 1;

const fieldsOf = (scope: 'request' | 'ad', count: number): Field[] =>
  Array.from({ length: count }, (_, f) => ({ name: `${scope}${f}`, kind: 'id', scope, size: embeddingSize, buckets }));

const schema: Schema = {
  name: 'load',
  labels: [
    { name: 'click', column: 'click' },
    { name: 'conversion', column: 'conversion', after: 'click' },
  ],
  fields: [
    ...fieldsOf('request', 20),
    { name: 'adId', kind: 'id', scope: 'ad', size: embeddingSize },
    ...fieldsOf('ad', 11),
  ],
};

/** Ad `i`'s raw id: whole numbers of 32 bits, far apart, each once. */
export const rawAdId = (i: number) => mix32(i + 1) >>> 0;

/** Raw values of one user and of `candidates` ads drawn evenly, by column, as JSON would bring them. */
export function rawRequest(ads: number, candidates: number, requestSeed: number) {
  const random = createRandom(requestSeed);
  const columns = (scope: 'request' | 'ad', rows: number) =>
    Object.fromEntries(
      schema.fields.flatMap((field) => {
        if (isMade(field) || field.scope !== scope) return [];
        const draw = () => (field.name === 'adId' ? rawAdId(random.below(ads)) : random.below(1_000_000));
        return [[field.name, Array.from({ length: rows }, draw)] as const];
      }),
    );
  return { user: columns('request', 1), ads: columns('ad', candidates) };
}

/** Rows whose values take a moment to draw and are spread as an embedding's are. */
function table(rows: number): Tensor<Float32Array> {
  const values = new Float32Array(rows * embeddingSize);
  for (let i = 0; i < values.length; i++) values[i] = mix32(i) * 2 ** -33;
  return { shape: [rows, embeddingSize], values };
}

function fittedOf(ads: number): Fitted {
  const words = new Int32Array(2 * ads);
  for (let i = 0; i < ads; i++) words[2 * i] = rawAdId(i);
  const vocabularies = new Map(
    schema.fields.map(({ name }) => [
      name,
      name === 'adId'
        ? listedVocabulary(words, new Float64Array(ads + 2).fill(1))
        : hashedVocabulary(buckets, new Float64Array(buckets + 2).fill(1)),
    ]),
  );
  const columnTypes = new Map(schema.fields.map(({ name }) => [name, 'integer'] as const));
  return { vocabularies, numbers: new Map(), vectors: new Map(), columnTypes };
}

/** A bundle of 80 bytes an ad and half a megabyte. */
export function loadBundleOf(ads: number): Bundle {
  const typed = buildModel('senet-dnn', schema, { hidden: [512, 256, 128] });
  const fitted = fittedOf(ads);
  const random = createRandom(seed);
  const weights = new Map<string, Tensor<Float32Array>>();
  for (const { name, vocabulary } of typed.tables.values())
    weights.set(tableWeight(name), table(fitted.vocabularies.get(vocabulary)?.rows ?? 0));
  for (const [output, parameters] of typed.parameters) {
    for (const { name, shape } of parameters) {
      const values = new Float32Array(shape.reduce((product, n) => product * n, 1));
      const deviation = shape.length > 1 ? Math.sqrt(1 / shape[0]) : 0.1;
      for (let i = 0; i < values.length; i++) values[i] = random.normal() * deviation;
      weights.set(`${output}.${name}`, { shape, values });
    }
  }
  const facts = {
    name: 'load',
    version: '1',
    createdAt: '2026-01-01T00:00:00.000Z',
    createdBy: 'limelight benchmarks',
    calibration: {},
    metrics: {},
    training: { seed },
  };
  const raw = rawRequest(ads, 4, seed);
  const user = Object.entries(raw.user).map(([name, [value]]) => [name, [value, value, value, value]]);
  const golden = makeGolden({ typed, fitted, weights }, { ...Object.fromEntries(user), ...raw.ads }, 4);
  return { manifest: createManifest(facts, typed, fitted), typed, fitted, weights, golden };
}
