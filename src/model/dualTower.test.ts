import { describe, expect, it } from 'vitest';
import { scopeOfField } from '../schema/fields.ts';
import { parseSchema } from '../schema/parseSchema.ts';
import { scopeIncludes } from '../schema/scopes.ts';
import { historyFields, sampleFields } from '../scoring/conformance/randomBundle.ts';
import { buildModel } from './architectures.ts';
import { readsFields } from './steps.ts';

const labels = [
  { name: 'click', column: 'click' },
  { name: 'conversion', column: 'bought', after: 'click', weight: 0.4 },
];
const wording = [
  { name: 'terms', kind: 'ids', scope: 'request', table: 'terms', size: 4 },
  { name: 'title', kind: 'ids', scope: 'creative', table: 'terms', size: 4 },
  { name: 'userImage', kind: 'cross', of: ['userId', 'imageId'], size: 4, buckets: 50 },
  { name: 'titleMatch', kind: 'match', of: ['terms', 'title'] },
];
const schemaOf = (fields: readonly object[]) =>
  parseSchema({ name: 'test', labels, user: 'userId', time: 'time', fields });
const schema = schemaOf([...sampleFields, ...historyFields, ...wording]);
const dualTower = (options: object = {}, given = schema) => buildModel('dual-tower', given, options);

/** Every step that a value is made by. */
function stepsBehind(output: string, { model } = dualTower({ crossLayers: 1 })) {
  const wanted = new Set([output]);
  return model.steps.toReversed().filter((step) => {
    if (!wanted.has(step.output)) return false;
    if (!readsFields(step)) for (const name of step.inputs) wanted.add(name);
    return true;
  });
}

describe('dual-tower', () => {
  it('has a left tower that reads no field of a creative and all others, so that it is the same for all creatives of an ad', () => {
    const byName = new Map(schema.fields.map((field) => [field.name, field]));
    const { values } = dualTower({ crossLayers: 1 });
    const read = new Set<string>();
    for (const step of stepsBehind('conversion.ad.logit')) {
      expect(scopeIncludes('candidate', values.get(step.output)!.scope), step.output).toBe(true);
      if (readsFields(step)) for (const name of step.inputs) read.add(name);
    }
    const others = schema.fields.filter((field) => scopeIncludes('candidate', scopeOfField(field, byName)));
    expect(read).toEqual(new Set(others.map(({ name }) => name)));
  });

  it('has a right tower whose gates and projection are of the creative alone, so that they can be kept', () => {
    const { values, model } = dualTower();
    for (const name of ['right.creative', 'right.gates', 'right.gated', 'product.creative', 'dense.creative'])
      if (values.has(name)) expect(values.get(name)?.scope, name).toBe('creative');
    expect(values.get('product.user')?.scope).toBe('candidate');
    expect(values.get('product')?.scope).toBe('variant');
    expect(model.steps.find(({ output }) => output === 'right.0')?.inputs).toEqual([
      'hidden.2',
      'right.gated',
      'dense.variant',
      'crosses.variant',
      'sequence.recent.ofCreative',
      'product',
    ]);
  });

  it('adds to the logit of the ad what the creative makes of it, and learns both', () => {
    const { model } = dualTower({ adWeight: 0.25 });
    expect(model.steps.find(({ output }) => output === 'click.logit')).toMatchObject({
      op: 'add',
      inputs: ['click.ad.logit', 'click.creative'],
    });
    expect(model.tasks).toEqual([
      { name: 'click', logits: ['click.logit'] },
      { name: 'conversion', logits: ['click.logit', 'conversion.logit'] },
      { name: 'click.ad', logits: ['click.ad.logit'] },
      { name: 'conversion.ad', logits: ['click.ad.logit', 'conversion.ad.logit'] },
    ]);
    expect(model.losses).toEqual([
      { task: 'click', label: 'click', weight: 1 },
      { task: 'conversion', label: 'conversion', weight: 0.4 },
      { task: 'click.ad', label: 'click', weight: 0.25 },
      { task: 'conversion.ad', label: 'conversion', weight: 0.1 },
    ]);
  });

  it('attends to sequences by the creative where it shares their table, and by the ad as ever', () => {
    const attends = ({ model } = dualTower()) =>
      model.steps.filter(({ op }) => op === 'attend').map((step) => step.inputs);
    expect(attends()).toEqual([
      ['sequence.recent', 'query'],
      ['sequence.shown', 'query'],
      ['sequence.recent', 'right.creative.query'],
    ]);
    expect(attends(dualTower({ pooling: 'mean' }))).toEqual([]);
    const apart = [...historyFields.slice(1), ...sampleFields, ...wording];
    expect(attends(dualTower({}, schemaOf(apart)))).toEqual([['sequence.shown', 'query']]);
  });

  it('reads sequences of the creative itself, such as who was shown it, as one value', () => {
    const seenBy = { name: 'seenBy', kind: 'sequence', by: 'imageId', length: 3, items: ['userId'], gapSize: 0 };
    const { model, values } = dualTower({}, schemaOf([...sampleFields, seenBy]));
    expect(values.get('sequence.seenBy.mean')?.scope).toBe('variant');
    expect(model.steps.find(({ output }) => output === 'right.0')?.inputs).toContain('sequence.seenBy.mean');
  });

  it('has layers and a product of the widths asked for', () => {
    const { model, values } = dualTower({ right: { hidden: [9], productUnits: 5, dropout: 0.1 } });
    expect(values.get('right.0')?.type).toEqual({ kind: 'vector', width: 9 });
    expect(values.get('product')?.type).toEqual({ kind: 'vector', width: 5 });
    expect(model.steps.filter(({ op }) => op === 'dropout')).toHaveLength(1);
    const plain = dualTower({ right: { productUnits: 0 } });
    expect(plain.model.steps.some(({ op }) => op === 'multiply')).toBe(false);
  });

  it('refuses a schema without a field of the creative, or without any other', () => {
    const isOfCreative = ({ scope }: { scope?: string }) => scope === 'creative';
    expect(() =>
      dualTower({}, schemaOf(sampleFields.filter((field) => !('scope' in field && isOfCreative(field))))),
    ).toThrow("dual-tower needs fields of scope 'creative', and schema 'test' has none; add some, or use senet-dnn");
    expect(() => dualTower({}, schemaOf(wording.slice(1, 2)))).toThrow(
      "dual-tower needs fields of scopes 'request' and 'ad' beside the creative’s, and schema 'test' has none; add some",
    );
  });
});
