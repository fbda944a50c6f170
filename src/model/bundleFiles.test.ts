import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '../core/errors.ts';
import { createRandom } from '../core/random.ts';
import { createEncoder } from '../schema/encoder.ts';
import { randomBundle, randomColumns } from '../scoring/conformance/randomBundle.ts';
import { createReferenceScorer } from '../scoring/engines/reference/scorer.ts';
import { batchFromJson, replayGolden } from '../scoring/golden.ts';
import { bundleFormat } from './bundle.ts';
import { readBundle, resolveBundleFolder, writeBundle } from './bundleFiles.ts';

const bundle = randomBundle({ random: createRandom(1) });
let root: string;
let counter = 0;
const fresh = () => path.join(root, `bundle${counter++}`);

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'limelight-bundle-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function written(): Promise<string> {
  const folder = fresh();
  await writeBundle(folder, bundle);
  return folder;
}

/** Makes the checksums right again after a file was changed. */
async function resum(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name !== 'SHA256SUMS');
  const lines = await Promise.all(
    names.map(async (name) => {
      const content = await readFile(path.join(folder, name));
      return `${createHash('sha256').update(content).digest('hex')}  ${name}\n`;
    }),
  );
  await writeFile(path.join(folder, 'SHA256SUMS'), lines.join(''));
}

async function editJson(folder: string, name: string, edit: (json: unknown) => void): Promise<void> {
  const file = path.join(folder, name);
  const json = JSON.parse(await readFile(file, 'utf8'));
  edit(json);
  await writeFile(file, JSON.stringify(json));
  await resum(folder);
}

describe('a bundle folder', () => {
  it('gives back what was written: weights bit by bit, vocabularies, manifest and golden answers', async () => {
    const folder = await written();
    const read = await readBundle(folder);
    expect(read.manifest).toEqual(JSON.parse(JSON.stringify(bundle.manifest)));
    expect(read.golden).toEqual(bundle.golden);
    expect(read.sample).toEqual(bundle.sample);
    for (const [name, { shape, values }] of bundle.weights) {
      expect(read.weights.get(name)?.shape).toEqual(shape);
      expect(read.weights.get(name)?.values).toEqual(values);
    }
    for (const [table, { rows, counts, words }] of bundle.fitted.vocabularies) {
      const vocabulary = read.fitted.vocabularies.get(table);
      expect(vocabulary?.rows).toBe(rows);
      expect(vocabulary?.counts).toEqual(counts);
      expect(vocabulary?.words).toEqual(words);
    }
    replayGolden(read, createReferenceScorer(read), 1e-7);
  });

  it('needs no sample, as those of before have none', async () => {
    const { sample: _, ...without } = bundle;
    const folder = fresh();
    await writeBundle(folder, without);
    expect(await readdir(folder)).not.toContain('sample.safetensors');
    expect('sample' in (await readBundle(folder))).toBe(false);
  });

  it('encodes rows as the encoder it was written from', async () => {
    const read = await readBundle(await written());
    const columns = randomColumns(bundle.typed.schema, 50, createRandom(9));
    const encode = ({ typed, fitted }: typeof bundle) =>
      createEncoder(typed.schema, fitted).encode(batchFromJson(columns, 50, fitted.columnTypes));
    expect(encode(read)).toEqual(encode(bundle));
  });

  it('keeps extra files under the same checksums, and nothing beside the folder', async () => {
    const parent = fresh();
    const folder = path.join(parent, 'model', '7');
    await writeBundle(folder, bundle, { extraFiles: new Map([['report.html', '<p>ok</p>']]) });
    expect(await readdir(path.join(parent, 'model'))).toEqual(['7']);
    const sums = await readFile(path.join(folder, 'SHA256SUMS'), 'utf8');
    expect(sums).toContain(`${createHash('sha256').update('<p>ok</p>').digest('hex')}  report.html\n`);
    expect(sums.trim().split('\n')).toHaveLength(6);
    await writeFile(path.join(folder, 'report.html'), 'changed');
    await expect(readBundle(folder)).rejects.toThrow(/file 'report.html' was changed/);
  });

  it('is never overwritten', async () => {
    const folder = await written();
    await expect(writeBundle(folder, bundle)).rejects.toMatchObject({ kind: 'conflict' });
    await expect(writeBundle(folder, bundle)).rejects.toThrow(/it exists.*name another folder/);
    await readBundle(folder);
  });

  it('is not written with weights that are not finite, and leaves nothing behind', async () => {
    const folder = fresh();
    const broken = randomBundle({ random: createRandom(2) });
    const weights = broken.weights.get('click.logit.w');
    if (weights) weights.values[3] = Number.NaN;
    await expect(writeBundle(folder, broken)).rejects.toThrow(/NaN in weights 'click.logit.w' at 3/);
    expect((await readdir(root)).filter((name) => name.includes(path.basename(folder)))).toEqual([]);
  });

  it('says what is wrong where it cannot be written, and leaves nothing behind', async () => {
    const file = fresh();
    await writeFile(file, '');
    await expect(writeBundle(path.join(file, 'x'), bundle)).rejects.toThrow(/part of its path is a file; name another/);
    const folder = fresh();
    const extraFiles = new Map([['n'.repeat(300), 'too long a name']]);
    await expect(writeBundle(folder, bundle, { extraFiles })).rejects.toThrow(UserError);
    expect((await readdir(root)).filter((name) => name.includes(path.basename(folder)))).toEqual([]);
  });
});

describe('reading a bundle', () => {
  it('names a changed file with both checksums', async () => {
    const folder = await written();
    const file = path.join(folder, 'weights.safetensors');
    const bytes = await readFile(file);
    bytes[bytes.length - 1] ^= 1;
    await writeFile(file, bytes);
    const got = createHash('sha256').update(bytes).digest('hex');
    await expect(readBundle(folder)).rejects.toThrow(
      new RegExp(`file 'weights.safetensors' was changed: expected SHA-256 [0-9a-f]{64}, got ${got}; restore`),
    );
  });

  it('names a missing file', async () => {
    for (const name of ['golden.json', 'SHA256SUMS', 'vocabularies.safetensors']) {
      const folder = await written();
      await rm(path.join(folder, name));
      await expect(readBundle(folder)).rejects.toThrow(new RegExp(`file '${name}' is missing; restore`));
    }
  });

  it('says to upgrade for a newer format, before anything else is looked at', async () => {
    const folder = await written();
    await writeFile(path.join(folder, 'manifest.json'), JSON.stringify({ format: bundleFormat + 1, new: 'things' }));
    await expect(readBundle(folder)).rejects.toMatchObject({ kind: 'unsupported' });
    await expect(readBundle(folder)).rejects.toThrow(/format 2 is newer than 1.*upgrade limelight/);
  });

  it('says so where there is no bundle', async () => {
    await expect(readBundle(fresh())).rejects.toMatchObject({ kind: 'missing' });
    const empty = fresh();
    await mkdir(empty);
    await expect(readBundle(empty)).rejects.toThrow(/holds no bundle: it has no manifest.json; name a folder/);
    const file = fresh();
    await writeFile(file, '');
    await expect(readBundle(file)).rejects.toThrow(/is a file, expected a bundle's folder/);
  });

  it('refuses checksums that name files elsewhere or not all files', async () => {
    const folder = await written();
    const sums = path.join(folder, 'SHA256SUMS');
    const text = await readFile(sums, 'utf8');
    await writeFile(sums, `${'0'.repeat(64)}  ../secret\n${text}`);
    await expect(readBundle(folder)).rejects.toThrow(/expected lines of a SHA-256 and a file name/);
    await writeFile(sums, text.split('\n').slice(1).join('\n'));
    await expect(readBundle(folder)).rejects.toThrow(/lacks the checksum of manifest.json/);
  });

  // biome-ignore lint/suspicious/noExplicitAny: any JSON at all
  type Json = any;
  it.each<[string, string, (json: Json) => void, RegExp]>([
    [
      'another schema',
      'manifest.json',
      (m) => m.schema.fields.pop(),
      /takes field 'userKeyword', which the schema lacks/,
    ],
    ['an unknown op', 'manifest.json', (m) => (m.model.steps[0].op = 'conv'), /unknown op/],
    ['another table size', 'manifest.json', (m) => (m.model.tables[0].size = 9), /takes fields of one size|of shape/],
    [
      'another number of rows',
      'manifest.json',
      (m) => m.fitted.vocabularies.adId.rows++,
      /float64 counts of 'adId', got/,
    ],
    ['more buckets', 'manifest.json', (m) => m.schema.fields[6].buckets++, /22 rows, expected 23 for field 'keywords'/],
    [
      'another kind',
      'manifest.json',
      (m) => (m.fitted.vocabularies.keywords.kind = 'quantiles'),
      /of kind quantiles, expected hashed/,
    ],
    ['no statistics', 'manifest.json', (m) => delete m.fitted.numbers.visits, /no statistics of number field 'visits'/],
    [
      'a deviation of 0',
      'manifest.json',
      (m) => (m.fitted.numbers.visits.deviation = 0),
      /deviation 0 for field 'visits'/,
    ],
    [
      'boundaries out of order',
      'manifest.json',
      (m) => m.fitted.numbers.age.boundaries.reverse(),
      /boundaries of field 'age' that do not ascend/,
    ],
    [
      'an unknown column type',
      'manifest.json',
      (m) => (m.fitted.columnTypes.adId = 'blob'),
      /type 'blob' for column 'adId'/,
    ],
    [
      'a flat calibration',
      'manifest.json',
      (m) => (m.calibration.click.y = [1, 1, 2]),
      /calibration of 'click' that does not rise/,
    ],
    [
      'a calibration of no task',
      'manifest.json',
      (m) => (m.calibration.view = { x: [], y: [] }),
      /curve of 'view', which is no task/,
    ],
    [
      'a missing golden answer',
      'golden.json',
      (g) => g.probabilities.click.pop(),
      /has 3 golden answers of 'click', expected 4/,
    ],
    ['a short golden column', 'golden.json', (g) => g.columns.adId.pop(), /has 3 golden values of 'adId', expected 4/],
    ['an impossible golden answer', 'golden.json', (g) => (g.probabilities.click[0] = 2), /no probability/],
    [
      'activations of no value',
      'manifest.json',
      (m) => (m.precision.activations.x = { largest: [1], negative: false }),
      /activations of 'x', which is no value of its model/,
    ],
    [
      'activations of another width',
      'manifest.json',
      (m) => m.precision.activations.gated.largest.pop(),
      /has \d+ activations of 'gated', expected \d+/,
    ],
    [
      'a negative limit',
      'manifest.json',
      (m) => (m.precision.limits.auc = -1),
      /'precision.limits.auc' must be >= 0|limits.auc/,
    ],
    ['an unknown key', 'manifest.json', (m) => (m.extra = 1), /has unknown 'extra'/],
  ])('refuses %s though the checksums are right', async (_, name, edit, message) => {
    const folder = await written();
    await editJson(folder, name, edit);
    await expect(readBundle(folder)).rejects.toThrow(message);
    await expect(readBundle(folder)).rejects.toBeInstanceOf(UserError);
  });

  it('refuses weights of another shape, missing or not finite, though the checksums are right', async () => {
    const cases: [(weights: Map<string, unknown>) => void, RegExp][] = [
      [(w) => w.delete('gates.w1'), /lacks the weights 'gates.w1' \[8, 3\]/],
      [
        (w) => w.set('gates.b1', { shape: [1, 3], values: new Float32Array(3) }),
        /'gates.b1' of shape \[1, 3\], expected \[3\]/,
      ],
      [(w) => w.set('gates.b1', { shape: [3], values: new Float64Array(3) }), /'gates.b1' is not of float32/],
      [
        (w) => w.set('gates.b1', { shape: [3], values: new Float32Array([0, 0, Infinity]) }),
        /Infinity in weights 'gates.b1' at 2/,
      ],
    ];
    const { encodeSafetensors } = await import('./safetensors.ts');
    for (const [change, message] of cases) {
      const folder = await written();
      const weights = new Map<string, unknown>(bundle.weights);
      change(weights);
      await writeFile(path.join(folder, 'weights.safetensors'), encodeSafetensors(weights as never));
      await resum(folder);
      await expect(readBundle(folder)).rejects.toThrow(message);
    }
  });
});

describe('resolveBundleFolder', () => {
  it('takes a bundle itself, and of a model’s versions the highest by number', async () => {
    const model = fresh();
    for (const version of ['9', '10', '2']) await writeBundle(path.join(model, version), bundle);
    await mkdir(path.join(model, 'notes'));
    await mkdir(path.join(model, '.11.123.tmp'));
    await writeFile(path.join(model, '.11.123.tmp', 'manifest.json'), '{}');
    expect(await resolveBundleFolder(model)).toBe(path.join(model, '10'));
    expect(await resolveBundleFolder(path.join(model, '2'))).toBe(path.join(model, '2'));
  });

  it('says so where there is none', async () => {
    await expect(resolveBundleFolder(fresh())).rejects.toThrow(/no bundle at/);
    await expect(resolveBundleFolder(root)).resolves.toBeTypeOf('string');
    const empty = fresh();
    await mkdir(empty);
    await expect(resolveBundleFolder(empty)).rejects.toMatchObject({ kind: 'missing' });
  });
});
