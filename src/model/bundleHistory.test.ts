import { describe, expect, it } from 'vitest';
import { createRandom } from '../core/random.ts';
import { parseSchema } from '../schema/parseSchema.ts';
import { historyFields, randomBundle, sampleFields } from '../scoring/conformance/randomBundle.ts';
import { type BundleFile, decodeBundle, encodeBundle, parseManifestFormat } from './bundleContent.ts';

const bundle = randomBundle({ random: createRandom(1), fields: [...sampleFields, ...historyFields] as never });
const files = encodeBundle(bundle);
const bytesOf = (name: BundleFile) => {
  const content = files.get(name) as string | Uint8Array;
  return typeof content === 'string' ? new TextEncoder().encode(content) : content;
};

// biome-ignore lint/suspicious/noExplicitAny: any JSON at all
function decode(edit: (manifest: any) => void = () => {}) {
  const manifest = parseManifestFormat(files.get('manifest.json') as string, 'x');
  edit(manifest);
  return decodeBundle(manifest, bytesOf, 'x');
}

describe('a bundle of a model with history', () => {
  it('gives back its schema, whose file has the sequences and counters as they were written', () => {
    const read = decode();
    expect(read.typed.schema).toEqual(bundle.typed.schema);
    expect(read.typed.schema.historyFields).toEqual(historyFields);
    expect(read.typed.schema).toEqual(parseSchema(read.manifest.schema));
    expect((read.manifest.schema as { fields: unknown[] }).fields).toEqual([...sampleFields, ...historyFields]);
  });

  it('gives back what was fitted: kinds of vocabularies, and vectors bit by bit', () => {
    const { fitted } = decode();
    expect(fitted.vectors).toEqual(bundle.fitted.vectors);
    expect(fitted.vectors.get('clicks')?.means).toHaveLength(2);
    for (const [table, { kind, rows, counts }] of bundle.fitted.vocabularies)
      expect(fitted.vocabularies.get(table)).toMatchObject({ kind, rows, counts });
    expect(fitted.vocabularies.get('recent.gap')).toMatchObject({ kind: 'identity', rows: 50 });
    expect(fitted.vocabularies.get('recent.gap')?.lookup(7, 0)).toBe(9);
  });

  // biome-ignore lint/suspicious/noExplicitAny: any JSON at all
  it.each<[string, (manifest: any) => void, string]>([
    ['no statistics of a counter', (m) => delete m.fitted.vectors.clicks, "no statistics of vector field 'clicks'"],
    ['no statistics at all', (m) => delete m.fitted.vectors, "no statistics of vector field 'clicks'"],
    [
      'statistics of another length',
      (m) => m.fitted.vectors.clicks.means.pop(),
      "1 means and 2 deviations for field 'clicks', expected 2 each",
    ],
    [
      'a deviation of 0',
      (m) => (m.fitted.vectors.clicks.deviations[1] = 0),
      "deviation 0 for field 'clicks', expected finite numbers",
    ],
    [
      'gaps in a hashed vocabulary',
      (m) => (m.fitted.vocabularies['recent.gap'].kind = 'hashed'),
      "'recent.gap' of kind hashed, expected identity",
    ],
    [
      'a counter of more numbers',
      (m) => m.schema.fields.find(({ name }: { name: string }) => name === 'clicks').values.push('sinceLast'),
      "2 means and 2 deviations for field 'clicks', expected 3 each",
    ],
    [
      'a longer time to live',
      (m) => (m.schema.history = { timeToLive: 'for ever' }),
      'schema: history.timeToLive must be a length of time',
    ],
  ])('is refused with %s', (_, edit, message) => {
    expect(() => decode(edit)).toThrow(message);
  });
});
