import { createHash } from 'node:crypto';
import { cp, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '../../core/errors.ts';
import { createRandom } from '../../core/random.ts';
import type { Bundle } from '../../model/bundle.ts';
import { readBundle, writeBundle } from '../../model/bundleFiles.ts';
import { sidecarFolder } from '../../model/bundleSidecar.ts';
import { createEncoder } from '../../schema/encoder.ts';
import { scopeOfField } from '../../schema/fields.ts';
import { runSteps } from '../engines/reference/runSteps.ts';
import { createReferenceScorer, probabilitiesOf } from '../engines/reference/scorer.ts';
import { createScorer, type EngineChoice, engines, precisions } from '../engines.ts';
import { batchFromJson } from '../golden.ts';
import { createInputCheck } from '../input.ts';
import { tolerances } from '../precision.ts';
import type { Scorer, ScoringInput } from '../scorer.ts';
import { type Answers, copyOf, expectClose } from './answers.ts';
import { historyFields, randomBundle, sampleFields } from './randomBundle.ts';
import { oneRow } from './rows.ts';

/*
 * Bundles with something wrong in them whose checksums are right, as a hostile author would make them: every engine refuses
 * with a clear error, or answers as the reference engine does. A crash ends the process, and so the test.
 */

const random = createRandom(5);
const bundle = randomBundle({
  random: createRandom(1),
  fields: [...sampleFields, ...historyFields],
  options: { hidden: [40, 17], crossLayers: 2, crossRank: 5, innerUnits: 3 },
});
let root: string;
let original: string;
let tried: EngineChoice[];

async function prepare(): Promise<void> {
  root = await mkdtemp(path.join(tmpdir(), 'limelight-damaged-'));
  original = path.join(root, 'original');
  await writeBundle(original, bundle);
  tried = await loadable();
}

/** Every engine, in every precision it has, that loads here at all. */
async function loadable(): Promise<EngineChoice[]> {
  const all = engines.flatMap(({ name, has }): EngineChoice[] =>
    has.includes('precision') ? precisions.map((precision) => ({ engine: name, precision })) : [{ engine: name }],
  );
  const loaded: EngineChoice[] = [];
  for (const choice of all) {
    try {
      (await createScorer(bundle, choice)).scorer.dispose();
      loaded.push(choice);
    } catch (error) {
      expect(error, (error as Error).stack).toBeInstanceOf(UserError);
    }
  }
  return loaded;
}

/** Golden requests as the bundle encodes them: as rows of any users, and as candidates of the first one's request. */
function inputsOf({ golden, typed, fitted }: Bundle): ScoringInput[] {
  const rows = createEncoder(typed.schema, fitted).encode(
    batchFromJson(golden.columns, golden.rowCount, fitted.columnTypes),
  );
  const byName = new Map(typed.schema.fields.map((field) => [field.name, field]));
  const ofRequest = typed.schema.fields.filter((field) => scopeOfField(field, byName) === 'request');
  if (rows.rowCount === 0) return [rows];
  const first = oneRow(rows, 0).fields;
  const alone = ofRequest.flatMap(({ name }) => [[name, first.get(name) as NonNullable<ReturnType<typeof first.get>>]]);
  return [rows, { rowCount: rows.rowCount, fields: new Map([...rows.fields, ...(alone as [])]) }];
}

interface Expected {
  readonly input: ScoringInput;
  readonly answers: Answers;
  /** Of all values on the way: an engine's rounding grows with them. */
  readonly largest: number;
}

function expectedOf({ typed, fitted, weights }: Bundle, input: ScoringInput): Expected {
  createInputCheck(typed, (vocabulary) => fitted.vocabularies.get(vocabulary)?.rows ?? 0)(input);
  const values = runSteps(typed, weights, input);
  let largest = 1;
  for (const { values: numbers } of values.values())
    for (const x of numbers) if (!(Math.abs(x) <= largest)) largest = Number.isNaN(x) ? Infinity : Math.abs(x);
  return { input, answers: probabilitiesOf(typed, values, input), largest };
}

const hasOtherRanges = ({ manifest }: Bundle) =>
  !isDeepStrictEqual(manifest.precision?.activations, bundle.manifest.precision?.activations);

/** Scores with one engine; any error but one for the user fails the test, as does a wrong answer. */
async function tryEngine(read: Bundle, choice: EngineChoice, expected: readonly Expected[]): Promise<void> {
  let scorer: Scorer | undefined;
  try {
    scorer = (await createScorer(read, choice)).scorer;
    const precision = scorer.precision ?? 'fp32';
    // Twice, so that what an engine keeps of ads is used.
    for (const { input, answers, largest } of [...expected, ...expected]) {
      const got = copyOf(scorer.score(input));
      for (const [task, p] of answers) expect(got.get(task)).toHaveLength(p.length);
      // Where numbers grow beyond what an engine’s format holds, no two formats agree.
      if (largest >= (precision === 'fp32' ? 1e6 : 20)) continue;
      // Told other ranges than the model’s own, int8 cuts off what lies outside: only a probability can be asked of it.
      if (precision === 'int8' && hasOtherRanges(read))
        for (const p of got.values()) for (const x of p) expect(x >= 0 && x <= 1, `${x}`).toBe(true);
      else expectClose(got, answers, tolerances[precision] * 2 * largest);
    }
  } catch (error) {
    if (!(error instanceof UserError))
      throw new Error(`${scorer?.engine ?? JSON.stringify(choice)}: ${(error as Error).message}`, { cause: error });
  } finally {
    scorer?.dispose();
  }
}

async function outcomeOf(folder: string): Promise<'scored' | 'refused'> {
  let read: Bundle;
  let expected: Expected[];
  try {
    read = await readBundle(folder);
    expected = inputsOf(read).map((input) => expectedOf(read, input));
    createReferenceScorer(read).score(expected[0].input);
  } catch (error) {
    expect(error, (error as Error).stack).toBeInstanceOf(UserError);
    return 'refused';
  }
  for (const choice of tried) await tryEngine(read, choice, expected);
  return 'scored';
}

/** Puts a file in another's place, as a new file: what maps the old one keeps it. */
async function replace(file: string, content: string | Uint8Array): Promise<void> {
  await writeFile(`${file}.new`, content);
  await rename(`${file}.new`, file);
}

async function resum(folder: string): Promise<void> {
  let sums = '';
  for (const name of (await readdir(folder)).filter((name) => name !== 'SHA256SUMS'))
    sums += `${createHash('sha256')
      .update(await readFile(path.join(folder, name)))
      .digest('hex')}  ${name}\n`;
  await replace(path.join(folder, 'SHA256SUMS'), sums);
}

const files = ['manifest.json', 'weights.safetensors', 'vocabularies.safetensors', 'golden.json', 'sample.safetensors'];

async function damage(rounds: number, change: (name: string, bytes: Buffer, round: number) => Buffer | string) {
  const outcomes = { refused: 0, scored: 0 };
  for (let round = 0; round < rounds; round++) {
    const folder = path.join(root, 'model', String(round));
    await cp(original, folder, { recursive: true });
    const name = files[round % files.length];
    const file = path.join(folder, name);
    await replace(file, change(name, await readFile(file), round));
    await resum(folder);
    const outcome = await outcomeOf(folder).catch((error) => {
      throw new Error(`round ${round}, ${name} damaged: ${error.message}`, { cause: error });
    });
    outcomes[outcome]++;
    await rm(path.join(root, 'model'), { recursive: true });
  }
  return outcomes;
}

/** Walks down at random and replaces, removes or copies what it comes to. */
function replaceSomewhere(json: Record<string, unknown>, others: readonly unknown[]): void {
  const keys = Object.keys(json);
  if (keys.length === 0) return;
  const key = keys[random.below(keys.length)];
  const value = json[key];
  const choice = random.next();
  if (typeof value === 'object' && value !== null && choice < 0.8)
    replaceSomewhere(value as Record<string, unknown>, others);
  else if (choice < 0.1 || choice > 0.95) delete json[key];
  else if (choice < 0.3) json[key] = json[keys[random.below(keys.length)]];
  else json[key] = others[random.below(others.length)];
}

function damageHeader(bytes: Buffer, others: readonly unknown[]): Buffer {
  const end = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, end).toString());
  replaceSomewhere(header, others);
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, bytes.subarray(end)]);
}

/**
 * The suite of damaged bundles.
 *
 * @param rounds how many bundles of each kind
 */
export function describeDamagedBundles(rounds: number): void {
  beforeAll(prepare);
  afterAll(() => rm(root, { recursive: true, force: true }));

  describe('a damaged bundle', () => {
    it('is first tried whole, by every engine that loads', async () => {
      expect(tried).toContainEqual({ engine: 'reference' });
      expect(tried).toContainEqual({ engine: 'tfjs' });
      expect(await outcomeOf(original)).toBe('scored');
    });

    it('is refused with a clear error, or scores as it should, whatever bytes change', async () => {
      const outcomes = await damage(rounds, (_, bytes, round) => {
        // Half of the changes are in the first 2000 bytes, where the headers are.
        const reach = round % 2 === 0 ? Math.min(bytes.length, 2000) : bytes.length;
        for (let i = random.below(3); i >= 0; i--) bytes[random.below(reach)] = random.below(256);
        return random.next() < 0.1 ? bytes.subarray(0, random.below(bytes.length)) : bytes;
      });
      expect(outcomes.refused).toBeGreaterThan(rounds / 10);
      expect(outcomes.scored).toBeGreaterThan(rounds / 10);
    });

    it('is refused with a clear error, or scores as it should, whatever JSON value is replaced', async () => {
      const others = [null, true, 0, -1, 1.5, 2 ** 31, 1e300, '', 'click', '__proto__', [], [[]], {}, { a: 1 }];
      const outcomes = await damage(rounds, (name, bytes) => {
        if (!name.endsWith('.json')) return damageHeader(bytes, others);
        const json = JSON.parse(bytes.toString());
        replaceSomewhere(json, others);
        return JSON.stringify(json);
      });
      expect(outcomes.refused).toBeGreaterThan(rounds / 10);
      expect(outcomes.scored).toBeGreaterThan(rounds / 50);
    });

    it('is refused with a clear error, or scores as it should, whatever number takes another’s place', async () => {
      const odd = [0, -0, 1e-45, -1e-38, 1, 1e4, -1e20, 3.4e38, 2 ** 31 - 1, -(2 ** 31), 7];
      const outcomes = await damage(rounds, (name, bytes) => {
        if (name.endsWith('.json')) {
          const json = JSON.parse(bytes.toString());
          const activations = Object.values<{ largest: number[] }>(json.precision?.activations ?? {});
          const [given] = activations.length > 0 ? [activations[random.below(activations.length)].largest] : [[]];
          for (let i = random.below(5); i >= 0; i--)
            given[random.below(given.length)] = Math.abs(odd[random.below(odd.length)]);
          return JSON.stringify(json);
        }
        const begin = 8 + Number(bytes.readBigUInt64LE(0));
        for (let i = random.below(5); i >= 0; i--) {
          const at = begin + 4 * random.below((bytes.length - begin) / 4);
          const value = odd[random.below(odd.length)];
          if (random.next() < 0.5) bytes.writeFloatLE(value, at);
          else bytes.writeInt32LE(value | 0, at);
        }
        return bytes;
      });
      expect(outcomes.refused).toBeGreaterThan(rounds / 50);
      expect(outcomes.scored).toBeGreaterThan(rounds / 10);
    });

    it('scores as it should, whatever happens to what is kept beside it', async () => {
      const folder = path.join(root, 'kept');
      await cp(original, folder, { recursive: true });
      await outcomeOf(folder);
      const beside = await sidecarFolder(folder);
      const whole = path.join(root, 'beside');
      await cp(beside, whole, { recursive: true });
      const names = (await readdir(whole)).sort();
      for (let round = 0; round < rounds; round++) {
        const name = names[round % names.length];
        const bytes = await readFile(path.join(whole, name));
        for (let i = random.below(3); i >= 0; i--) bytes[random.below(bytes.length)] = random.below(256);
        const cut = random.next() < 0.2 ? random.below(bytes.length) : bytes.length;
        await replace(path.join(beside, name), bytes.subarray(0, cut));
        expect(await outcomeOf(folder), `${name} damaged`).toBe('scored');
        await rm(beside, { recursive: true });
        await cp(whole, beside, { recursive: true });
      }
    });
  });
}
