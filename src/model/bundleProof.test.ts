import { cp, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '../core/errors.ts';
import { createRandom } from '../core/random.ts';
import { createEncoder } from '../schema/encoder.ts';
import { firstId, unknownId } from '../schema/fields.ts';
import { randomBundle } from '../scoring/conformance/randomBundle.ts';
import { nativeMapFile } from '../scoring/engines/native/load.ts';
import { createReferenceScorer } from '../scoring/engines/reference/scorer.ts';
import { batchFromJson } from '../scoring/golden.ts';
import type { Bundle } from './bundle.ts';
import { readBundle, writeBundle } from './bundleFiles.ts';
import { filesState, keepProof } from './bundleProof.ts';
import { type MapFile, readSidecar, sidecarFolder } from './bundleSidecar.ts';
import { decodeSafetensors, encodeSafetensors } from './safetensors.ts';

const bundle = randomBundle({ random: createRandom(1) });
const proof = 'checked.txt';
const index = 'vocabulary-index.safetensors';
const listed = [...bundle.fitted.vocabularies].filter(([, { words }]) => words !== undefined).map(([table]) => table);
let root: string;
let counter = 0;

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'limelight-proof-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** Files changed just now are not remembered: their next change could have the same time. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 80));

async function written(): Promise<string> {
  const folder = path.join(root, String(counter++));
  await writeBundle(folder, bundle);
  await settle();
  return folder;
}

const kept = async (folder: string) => (await readdir(await sidecarFolder(folder)).catch(() => [])).sort();

/** Remembers the files as they are as whole, which they need not be: what a forger of a proof does. */
async function forge(folder: string, indexBytes?: Uint8Array): Promise<void> {
  const sums = await readFile(path.join(folder, 'SHA256SUMS'), 'utf8');
  const names = sums.split('\n').flatMap((line) => line.split('  ').slice(1));
  const state = await filesState(folder, sums, names);
  expect(await keepProof(folder, state, indexBytes, Date.now() + 1000)).toBe(true);
}

async function change(folder: string, name: string, edit: (bytes: Buffer) => Buffer): Promise<void> {
  const file = path.join(folder, name);
  await writeFile(file, edit(await readFile(file)));
}

const flipLast = (bytes: Buffer) => {
  bytes[bytes.length - 1] ^= 1;
  return bytes;
};

function answersOf({ typed, fitted, weights, golden }: Bundle): Float32Array[] {
  const batch = batchFromJson(golden.columns, golden.rowCount, fitted.columnTypes);
  const input = createEncoder(typed.schema, fitted).encode(batch);
  return [...createReferenceScorer({ typed, fitted, weights }).score(input).values()];
}

describe.each<[string, MapFile | undefined]>([
  ['read into memory', undefined],
  ['mapped', nativeMapFile()],
])('a bundle %s', (way, mapFile) => {
  // Without the native addon there is nothing to map with.
  const test = it.skipIf(way === 'mapped' && mapFile === undefined);

  test('is checked once: the next load finds it proven, with its index, and answers the same', async () => {
    const folder = await written();
    expect(await kept(folder)).toEqual([]);
    const first = await readBundle(folder, { mapFile });
    expect(await kept(folder)).toEqual([proof, index]);
    const slots = decodeSafetensors((await readSidecar(folder, index)) as Uint8Array, index);
    expect([...slots.keys()].sort()).toEqual([...listed].sort());
    const again = await readBundle(folder, { mapFile });
    expect(again.folder).toBe(folder);
    expect(again.checksum).toMatch(/^[0-9a-f]{64}$/);
    for (const each of [first, again]) expect(answersOf(each)).toEqual(answersOf(bundle));
    for (const table of listed) {
      const vocabulary = again.fitted.vocabularies.get(table);
      expect(vocabulary?.words).toEqual(bundle.fitted.vocabularies.get(table)?.words);
      expect(vocabulary?.slots).toEqual(slots.get(table)?.values);
    }
  });

  test('that is remembered as whole is not hashed again, and its index is used', async () => {
    const folder = await written();
    await change(folder, 'weights.safetensors', flipLast);
    await expect(readBundle(folder, { mapFile })).rejects.toThrow(/was changed: expected SHA-256/);
    await forge(folder);
    expect(answersOf(await readBundle(folder, { mapFile }))).toHaveLength(2);
    // An index of empty slots knows no key.
    const empty = listed.map((table) => {
      const slots = new Int32Array(bundle.fitted.vocabularies.get(table)?.slots?.length ?? 0);
      return [table, { shape: [slots.length], values: slots }] as const;
    });
    await forge(folder, encodeSafetensors(new Map(empty)));
    const { fitted } = await readBundle(folder, { mapFile });
    const [lo, hi] = fitted.vocabularies.get(listed[0])?.words ?? [];
    expect(fitted.vocabularies.get(listed[0])?.lookup(lo, hi)).toBe(unknownId);
  });

  test.each<[string, (folder: string) => Promise<void>]>([
    ['another size', (folder) => change(folder, 'weights.safetensors', (bytes) => bytes.subarray(0, -64))],
    ['other bytes', (folder) => change(folder, 'weights.safetensors', flipLast)],
    [
      'other bytes and the time it had',
      async (folder) => {
        const file = path.join(folder, 'vocabularies.safetensors');
        const { atime, mtime } = await stat(file);
        await change(folder, 'vocabularies.safetensors', flipLast);
        await utimes(file, atime, mtime);
      },
    ],
    [
      'other bytes in another file of its name',
      async (folder) => {
        const file = path.join(folder, 'golden.json');
        const { atime, mtime } = await stat(file);
        const bytes = await readFile(file);
        await rm(file);
        await writeFile(file, Buffer.from(bytes.toString().replace(/\d/, (digit) => String((Number(digit) + 1) % 10))));
        await utimes(file, atime, mtime);
      },
    ],
    [
      'other checksums',
      (folder) => change(folder, 'SHA256SUMS', (bytes) => Buffer.from(`${'0'.repeat(64)}${bytes.subarray(64)}`)),
    ],
  ])('with %s is checked and refused, though it was proven before', async (_, edit) => {
    const folder = await written();
    await readBundle(folder, { mapFile });
    await readBundle(folder, { mapFile });
    await edit(folder);
    await expect(readBundle(folder, { mapFile })).rejects.toThrow(/was changed: expected SHA-256/);
    // What was made of the bundle that was is gone with it.
    expect(await kept(folder)).toEqual([]);
  });

  test('copied elsewhere, its sidecar too, is checked again', async () => {
    const folder = await written();
    await readBundle(folder, { mapFile });
    const copy = path.join(root, String(counter++));
    await cp(folder, copy, { recursive: true, preserveTimestamps: true });
    await cp(await sidecarFolder(folder), await sidecarFolder(copy), { recursive: true, preserveTimestamps: true });
    await change(copy, 'weights.safetensors', flipLast);
    await expect(readBundle(copy, { mapFile })).rejects.toThrow(/was changed: expected SHA-256/);
  });

  test('loads again and again where nothing can be kept', async () => {
    const folder = await written();
    await writeFile(await sidecarFolder(folder), 'a file in its place');
    for (let i = 0; i < 2; i++) expect(answersOf(await readBundle(folder, { mapFile }))).toEqual(answersOf(bundle));
  });

  test('changed a moment ago is not remembered', async () => {
    const folder = path.join(root, String(counter++));
    await writeBundle(folder, bundle);
    const sums = await readFile(path.join(folder, 'SHA256SUMS'), 'utf8');
    const state = await filesState(folder, sums, ['manifest.json']);
    expect(await keepProof(folder, state, undefined, state.changedMs + 10)).toBe(false);
    expect(await kept(folder)).toEqual([]);
  });

  test('answers rightly or refuses, whatever is kept beside it', async () => {
    const folder = await written();
    await readBundle(folder, { mapFile });
    const random = createRandom(4);
    const expected = answersOf(bundle);
    const original = (await readSidecar(folder, index)) as Uint8Array;
    for (let round = 0; round < 25; round++) {
      const name = random.next() < 0.3 ? proof : index;
      await readBundle(folder, { mapFile });
      await change(await sidecarFolder(folder), name, (bytes) => damaged(bytes, random));
      // Damaged, it is another file than was kept: everything is checked and made anew.
      expect(answersOf(await readBundle(folder, { mapFile }))).toEqual(expected);
      // Forged, it can hide keys and nothing else.
      await forge(folder, damaged(Buffer.from(original), random));
      const { fitted } = await readBundle(folder, { mapFile });
      for (const table of listed) {
        const vocabulary = fitted.vocabularies.get(table);
        const words = bundle.fitted.vocabularies.get(table)?.words as Int32Array;
        for (let i = 0; i < words.length / 2; i++)
          expect([unknownId, firstId + i]).toContain(vocabulary?.lookup(words[2 * i], words[2 * i + 1]));
      }
      await rm(await sidecarFolder(folder), { recursive: true });
    }
  });

  test('that a forged proof calls whole is refused with a clear error, or scores', async () => {
    const folder = await written();
    const random = createRandom(6);
    const outcomes = { refused: 0, scored: 0 };
    for (let round = 0; round < 80; round++) {
      const name = ['manifest.json', 'weights.safetensors', 'vocabularies.safetensors', 'sample.safetensors'][
        round % 4
      ];
      const original = await readFile(path.join(folder, name));
      await change(folder, name, (bytes) => damaged(bytes, random));
      await forge(folder);
      try {
        answersOf(await readBundle(folder, { mapFile }));
        outcomes.scored++;
      } catch (error) {
        expect(error, (error as Error).stack).toBeInstanceOf(UserError);
        outcomes.refused++;
      }
      // A new file, so that whoever still maps the damaged one keeps it.
      await rm(path.join(folder, name));
      await writeFile(path.join(folder, name), original);
    }
    expect(outcomes.refused).toBeGreaterThan(15);
    expect(outcomes.scored).toBeGreaterThan(10);
  });
});

/** Some bytes changed, mostly where a header is, or cut short. */
function damaged(bytes: Buffer, random: ReturnType<typeof createRandom>): Buffer {
  const reach = random.next() < 0.5 ? Math.min(bytes.length, 400) : bytes.length;
  for (let i = random.below(4); i >= 0; i--) bytes[random.below(reach)] = random.below(256);
  return random.next() < 0.2 ? bytes.subarray(0, random.below(bytes.length)) : bytes;
}
