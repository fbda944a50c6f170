import Type from 'typebox';
import { UserError } from '../core/errors.ts';
import { firstId } from '../schema/fields.ts';
import type { ColumnType, Fitted } from '../schema/fitted.ts';
import { areSlotsOf, indexKeys } from '../schema/keyIndex.ts';
import { parseJson, parseSchema, problemsOf } from '../schema/parseSchema.ts';
import {
  hashedVocabulary,
  identityVocabulary,
  listedVocabulary,
  quantileVocabulary,
  type Vocabulary,
} from '../schema/vocabulary.ts';
import { type Bundle, bundleFormat, type Golden, type Manifest, ManifestShape } from './bundle.ts';
import { checkBundle } from './checkBundle.ts';
import { checkModel } from './checkModel.ts';
import { manifestText } from './manifest.ts';
import { decodeSafetensors, encodeSafetensors, type Tensor } from './safetensors.ts';
import { decodeSample, encodeSample } from './sample.ts';

/** The files every bundle has, their checksums apart. */
export const bundleFiles = ['manifest.json', 'weights.safetensors', 'vocabularies.safetensors', 'golden.json'] as const;

/** The file that only a bundle with a sample has. */
export const sampleFile = 'sample.safetensors';

export type BundleFile = (typeof bundleFiles)[number] | typeof sampleFile;

const GoldenShape = Type.Object(
  {
    rowCount: Type.Integer({ minimum: 0 }),
    columns: Type.Record(Type.String(), Type.Array(Type.Unknown())),
    probabilities: Type.Record(Type.String(), Type.Array(Type.Number())),
  },
  { additionalProperties: false },
);

/** A bundle as the content of its files. */
export function encodeBundle(bundle: Bundle): Map<BundleFile, string | Uint8Array> {
  const vocabularies = new Map<string, Tensor>();
  for (const [table, { counts, words }] of bundle.fitted.vocabularies) {
    vocabularies.set(`${table}.counts`, { shape: [counts.length], values: counts });
    if (words === undefined) continue;
    const keys = new BigInt64Array(words.slice().buffer);
    vocabularies.set(`${table}.keys`, { shape: [keys.length], values: keys });
  }
  return new Map<BundleFile, string | Uint8Array>([
    ['manifest.json', manifestText(bundle.manifest)],
    ['weights.safetensors', encodeSafetensors(bundle.weights)],
    ['vocabularies.safetensors', encodeSafetensors(vocabularies)],
    ['golden.json', `${JSON.stringify(bundle.golden)}\n`],
    ...(bundle.sample === undefined ? [] : [[sampleFile, encodeSample(bundle.sample)] as const]),
  ]);
}

/**
 * Reads `manifest.json` as far as its format, which says whether the rest can be understood.
 *
 * @throws UserError of kind `unsupported` for a newer format
 */
export function parseManifestFormat(text: string, source: string): unknown {
  let json: { format?: unknown } | null;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new UserError(
      `${source}: not readable as JSON (${(error as Error).message}), so it was changed or cut short; restore it from where the bundle came from`,
    );
  }
  const format = json?.format;
  if (typeof format !== 'number' || !Number.isInteger(format) || format < 1)
    throw new UserError(
      `${source}: expected a bundle's manifest with a format, got none; name a folder that holds a bundle`,
    );
  if (format > bundleFormat) {
    throw new UserError(
      `${source}: bundle format ${format} is newer than ${bundleFormat}, the newest this limelight reads; upgrade limelight`,
      'unsupported',
    );
  }
  return json;
}

/** Of a bundle that was found whole and sound before. */
export interface Proven {
  /** As `encodeIndex` made it then. */
  readonly index?: Uint8Array;
}

/**
 * Puts a bundle together from its files; nothing in them is taken on trust.
 *
 * @param json the manifest, as `parseManifestFormat` returned it
 * @param file the content of a file; of the sample undefined where there is none
 * @param source how messages name the bundle, e.g. its folder
 * @param proven spares the checks that touch every weight and key; those that keep engines inside their memory are made all
 * the same
 * @throws UserError at the first thing wrong
 */
export function decodeBundle(
  json: unknown,
  file: (name: BundleFile) => Uint8Array,
  source: string,
  proven?: Proven,
): Bundle {
  const at = (name: string) => `${source}/${name}`;
  const problems = problemsOf(ManifestShape, json, (path) => (path === '' ? 'it' : path.slice(1).replaceAll('/', '.')));
  if (problems.length > 0) throw new UserError(`${at('manifest.json')}: ${problems.join('; ')}`);
  const manifest = json as Manifest;
  const schema = parseSchema(manifest.schema, `${at('manifest.json')}: schema`);
  const typed = checkModel(manifest.model, schema, `${at('manifest.json')}: model`);
  const index = decodeIndex(proven?.index);
  const fitted = decodeFitted(manifest, file('vocabularies.safetensors'), at('vocabularies.safetensors'), index);
  const weights = new Map<string, Tensor<Float32Array>>();
  for (const [name, tensor] of decodeSafetensors(file('weights.safetensors'), at('weights.safetensors'))) {
    if (name.endsWith('.filler')) continue; // keeps the next tensor aligned
    if (!(tensor.values instanceof Float32Array))
      throw new UserError(`${at('weights.safetensors')}: '${name}' is not of float32; export the bundle anew`);
    weights.set(name, tensor as Tensor<Float32Array>);
  }
  const golden = parseJson(new TextDecoder().decode(file('golden.json')), at('golden.json'));
  const goldenProblems = problemsOf(GoldenShape, golden, (path) => path.slice(1).replaceAll('/', '.') || 'it');
  if (goldenProblems.length > 0) throw new UserError(`${at('golden.json')}: ${goldenProblems.slice(0, 3).join('; ')}`);
  // The one file that may be absent.
  const sampleBytes = file(sampleFile) as Uint8Array | undefined;
  const sample = sampleBytes && decodeSample(sampleBytes, typed, at(sampleFile));
  const bundle: Bundle = { manifest, typed, fitted, weights, golden: golden as Golden, ...(sample && { sample }) };
  checkBundle(bundle, source, { values: proven === undefined });
  return bundle;
}

/** The hash tables of the listed vocabularies, worth keeping beside a bundle; none where it lists no keys. */
export function encodeIndex({ vocabularies }: Fitted): Uint8Array | undefined {
  const slots = new Map<string, Tensor>();
  for (const [table, vocabulary] of vocabularies)
    if (vocabulary.slots !== undefined)
      slots.set(table, { shape: [vocabulary.slots.length], values: vocabulary.slots });
  return slots.size === 0 ? undefined : encodeSafetensors(slots);
}

/** An index that cannot be read is none: the tables are then made anew. */
function decodeIndex(bytes: Uint8Array | undefined): Map<string, Tensor> {
  try {
    return bytes === undefined ? new Map() : decodeSafetensors(bytes, 'index');
  } catch {
    return new Map();
  }
}

function decodeFitted(
  { fitted }: Manifest,
  bytes: Uint8Array,
  source: string,
  index: ReadonlyMap<string, Tensor>,
): Fitted {
  const tensors = decodeSafetensors(bytes, source);
  const fail: (what: string) => never = (what) => {
    throw new UserError(`${source}: ${what}; restore the bundle or train it anew`);
  };
  const vocabularies = new Map<string, Vocabulary>();
  for (const [table, { kind, rows }] of Object.entries(fitted.vocabularies)) {
    const counts = tensors.get(`${table}.counts`)?.values;
    if (!(counts instanceof Float64Array) || counts.length !== rows)
      fail(`expected ${rows} float64 counts of '${table}', got ${counts?.length ?? 'none'}`);
    if (kind === 'quantiles') vocabularies.set(table, quantileVocabulary(counts));
    else if (kind === 'identity') vocabularies.set(table, identityVocabulary(rows - firstId, counts));
    else if (kind === 'hashed') vocabularies.set(table, hashedVocabulary(rows - firstId, counts));
    else {
      const keys = tensors.get(`${table}.keys`)?.values;
      if (!(keys instanceof BigInt64Array) || keys.length !== rows - firstId)
        fail(`expected ${rows - firstId} int64 keys of '${table}', got ${keys?.length ?? 'none'}`);
      const words = new Int32Array(keys.buffer, keys.byteOffset, keys.length * 2);
      const kept = index.get(table)?.values;
      const slots =
        kept instanceof Int32Array && areSlotsOf(keys.length, kept)
          ? kept
          : indexKeys(words, (i) => fail(`'${table}' lists key ${keys[i]} twice`));
      vocabularies.set(table, listedVocabulary(words, counts, slots));
    }
  }
  return {
    vocabularies,
    numbers: new Map(Object.entries(fitted.numbers)),
    vectors: new Map(Object.entries(fitted.vectors ?? {})),
    columnTypes: new Map(Object.entries(fitted.columnTypes)) as Map<string, ColumnType>,
  };
}
