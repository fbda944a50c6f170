import { describe, expect, it } from 'vitest';
import { isEmbedded, scopeOfField } from '../schema/fields.ts';
import { parseSchema } from '../schema/parseSchema.ts';
import { scopeIncludes } from '../schema/scopes.ts';
import { historyFields, sampleFields } from '../scoring/conformance/randomBundle.ts';
import { architectures, buildModel } from './architectures.ts';
import { readsFields } from './steps.ts';

const labels = [
  { name: 'click', column: 'click' },
  { name: 'conversion', column: 'bought', after: 'click', weight: 0.5 },
  { name: 'share', column: 'shared' },
];
const schemaOf = (fields: readonly unknown[]) =>
  parseSchema({ name: 'test', labels, user: 'userId', time: 'time', fields });
const schema = schemaOf(sampleFields);
const remembering = schemaOf([...sampleFields, ...historyFields]);
const names = architectures.map(({ name }) => name);

describe.each(names)('%s', (name) => {
  it.each([
    ['plain fields', schema],
    ['history', remembering],
  ])('reads every field once, in a step of its own scope: %s', (_, schema) => {
    const typed = buildModel(name, schema);
    const byName = new Map(schema.fields.map((field) => [field.name, field]));
    const read = new Map<string, number>();
    for (const step of typed.model.steps) {
      if (!readsFields(step)) continue;
      for (const field of step.inputs) {
        // The first-order parts of FMs have one table of weights a label, beside the embeddings.
        const key =
          step.op !== 'input' ? `${field} ${typed.tables.get(step.tables[step.inputs.indexOf(field)])?.name}` : field;
        read.set(key, (read.get(key) ?? 0) + 1);
        const found = byName.get(field);
        if (found) expect(scopeOfField(found, byName)).toBe(typed.values.get(step.output)?.scope);
      }
    }
    for (const count of read.values()) expect(count).toBe(1);
    const reads = new Set([...read.keys()].map((key) => key.split(' ')[0]));
    expect(reads).toEqual(new Set(schema.fields.map((field) => field.name)));
  });

  it('makes a logit a label, of a scope that knows all fields; a label after another multiplies both', () => {
    const typed = buildModel(name, schema);
    const [click, conversion, share] = typed.model.tasks;
    expect(click.logits).toHaveLength(1);
    expect(conversion.logits).toEqual([click.logits[0], expect.any(String)]);
    expect(share.logits).toHaveLength(1);
    for (const logit of conversion.logits) expect(scopeIncludes(typed.values.get(logit)!.scope, 'variant')).toBe(true);
    // Those of an ad, which some architectures learn beside these, follow.
    expect(typed.model.losses.slice(0, 3)).toEqual([
      { task: 'click', label: 'click', weight: 1 },
      { task: 'conversion', label: 'conversion', weight: 0.5 },
      { task: 'share', label: 'share', weight: 1 },
    ]);
  });

  it('needs no numbers, or no ids', () => {
    const ofCreative = { name: 'brightness', kind: 'number', scope: 'creative' };
    const ids = schemaOf(sampleFields.filter(isEmbedded));
    const numbers = schemaOf([...sampleFields.filter((field) => !isEmbedded(field)), ofCreative]);
    expect(buildModel(name, ids).tables.size).toBeGreaterThan(0);
    if (name === 'fm') expect(buildModel(name, numbers).tables.size).toBe(0);
    else expect(buildModel(name, numbers).model.steps.some((step) => step.op === 'embed')).toBe(false);
  });

  it('refuses an option it does not have', () => {
    expect(() => buildModel(name, schema, { layers: 3 }, 'config.json')).toThrow(
      /^config.json: model has unknown 'layers'/,
    );
  });
});

describe.each(['senet-dnn', 'din'])('%s reads sequences', (name) => {
  const stepsOf = (op: string, options: object, given = remembering) =>
    buildModel(name, given, options).model.steps.filter((step) => step.op === op);

  it('by how they fit what shares their tables, of the ad, the creative and the request', () => {
    const { values, model } = buildModel(name, remembering, { attention: { units: 7, weights: 'sigmoid' } });
    expect(model.steps.find((step) => step.output === 'query')).toMatchObject({
      inputs: ['embeddings.request.query', 'embeddings.ad.query', 'embeddings.creative.query'],
    });
    const read = (output: string) => model.steps.find((step) => step.output === output)?.inputs;
    expect(read('embeddings.request.query')).toEqual(['userId']);
    expect(read('embeddings.ad.query')).toEqual(['adId']);
    expect(read('embeddings.creative.query')).toEqual(['imageId']);
    expect(values.get('query')).toMatchObject({ scope: 'variant', type: { width: 24 } });
    expect(model.steps.filter((step) => step.op === 'attend')).toMatchObject([
      { inputs: ['sequence.recent', 'query'], units: 7, weights: 'sigmoid' },
      { inputs: ['sequence.shown', 'query'], units: 7, weights: 'sigmoid' },
    ]);
    expect(values.get('sequence.recent')).toMatchObject({ scope: 'request', type: { length: 6, size: 33 } });
  });

  it('as their mean or latest event where asked, or where there is nothing of the ad to compare with', () => {
    for (const mode of ['mean', 'last'] as const) {
      expect(stepsOf('attend', { pooling: mode })).toEqual([]);
      expect(stepsOf('pool', { pooling: mode })).toMatchObject([{ mode }, { mode }]);
    }
    const ofUser = [
      { name: 'userId', kind: 'id', scope: 'request' },
      { ...historyFields[0], items: ['userId'] },
    ];
    expect(stepsOf('pool', {}, schemaOf(ofUser))).toMatchObject([{ mode: 'mean' }]);
  });

  it('by all of the ad where no field of it shares a table with them', () => {
    const apart = [
      { name: 'userId', kind: 'id', scope: 'request' },
      { name: 'adId', kind: 'id', scope: 'ad' },
      { ...historyFields[0], items: ['userId'] },
    ];
    expect(stepsOf('attend', {}, schemaOf(apart))).toMatchObject([{ inputs: ['sequence.recent', 'query'] }]);
  });
});

describe('senet-dnn', () => {
  it('has hidden units of gates by the reduction, and cross layers and inner products on request', () => {
    const options = { reduction: 4, crossLayers: 2, crossRank: 7, innerUnits: 6, hidden: [32], dropout: 0.1 };
    const { model, values } = buildModel('senet-dnn', schema, options);
    expect(model.steps.find((step) => step.op === 'senet')).toMatchObject({ units: 2 });
    expect(model.steps.filter((step) => step.op === 'cross')).toMatchObject([{ rank: 7 }, { rank: 7 }]);
    expect(model.steps.filter((step) => step.op === 'dropout')).toHaveLength(1);
    expect(values.get('pairs')?.type).toEqual({ kind: 'vector', width: 28 });
    expect(values.get('pairs.reduced')?.type).toEqual({ kind: 'vector', width: 6 });
  });

  it('takes fields of different sizes, as long as there are no inner products', () => {
    const ragged = schemaOf(sampleFields.map((field) => (field.name === 'userId' ? { ...field, size: 5 } : field)));
    expect(buildModel('senet-dnn', ragged).values.get('gated')?.type).toMatchObject({
      sizes: [5, 8, 8, 8, 8, 8, 8, 8],
    });
    expect(() => buildModel('senet-dnn', ragged, { innerUnits: 4 })).toThrow(/takes fields of one size/);
  });
});

it('names the architectures there are', () => {
  expect(() => buildModel('gpt', schema)).toThrow(
    "unknown architecture 'gpt'; use one of senet-dnn, lr, fm, deep-fm, dcn-v2, din, dual-tower",
  );
});
