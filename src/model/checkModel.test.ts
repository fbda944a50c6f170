import { describe, expect, it } from 'vitest';
import { UserError } from '../core/errors.ts';
import { parseSchema } from '../schema/parseSchema.ts';
import { checkModel, parameterCount } from './checkModel.ts';
import { describeType } from './values.ts';

const schema = parseSchema({
  name: 'test',
  labels: [{ name: 'click', column: 'click' }],
  fields: [
    { name: 'user', kind: 'id', scope: 'request', size: 4 },
    { name: 'ad', kind: 'id', scope: 'ad', size: 4 },
    { name: 'image', kind: 'id', scope: 'creative', size: 3 },
    { name: 'words', kind: 'ids', scope: 'ad', size: 4 },
    { name: 'pair', kind: 'cross', of: ['user', 'words'], size: 4 },
    { name: 'age', kind: 'number', scope: 'request' },
    { name: 'look', kind: 'vector', scope: 'ad', length: 5 },
    { name: 'seen', kind: 'ids', scope: 'request', size: 4, table: 'ad', pooling: 'none', maxItems: 6 },
    { name: 'seenImages', kind: 'ids', scope: 'request', size: 3, table: 'image', pooling: 'none', maxItems: 7 },
  ],
});

type StepJson = { op: string; inputs: unknown; output: string; [setting: string]: unknown };
const tables = ['user', 'ad', 'words', 'pair'].map((name) => ({ name, vocabulary: name, size: 4 }));
const image = { name: 'image', vocabulary: 'image', size: 3 };
const embed = (output: string, ...fields: string[]): StepJson => ({
  op: 'embed',
  inputs: fields,
  tables: fields,
  output,
});
const dense = (output: string, inputs: string[], units = 1): StepJson => ({
  op: 'dense',
  inputs,
  output,
  units,
  activation: 'linear',
  bias: true,
});

/** A model of these steps and a last one that makes a logit of the last output. */
function model(steps: StepJson[], changes: object = {}) {
  return {
    architecture: 'test',
    tables: [...tables, image],
    steps: [...steps, dense('logit', [steps[steps.length - 1].output])],
    tasks: [{ name: 'click', logits: ['logit'] }],
    losses: [{ task: 'click', label: 'click', weight: 1 }],
    ...changes,
  };
}

const u = embed('u', 'user');
const a = embed('a', 'ad');
const seen = (output: string, settings: object = {}): StepJson => ({
  op: 'embedSequence',
  inputs: ['seen', 'seenImages'],
  tables: ['ad', 'image'],
  length: 7,
  output,
  ...settings,
});
const attend = (inputs: string[]): StepJson => ({ op: 'attend', inputs, units: 5, weights: 'softmax', output: 'y' });
const three: StepJson[] = [embed('e', 'user', 'ad', 'words')];
const ragged: StepJson[] = [embed('e', 'user', 'image')];

describe('checkModel', () => {
  it.each<[string, StepJson[], string, string, number]>([
    ['embed', [embed('y', 'user', 'image')], 'fields[2; 4, 3]', 'variant', 0],
    ['embed of a cross', [embed('y', 'pair')], 'fields[1, 4]', 'candidate', 0],
    ['embedSequence', [seen('y')], 'sequence[7, 8]', 'request', 0],
    ['attend', [seen('s'), a, attend(['s', 'a'])], 'vector[8]', 'candidate', 4 * 5 + 5 + 8 * 5],
    ['pool', [seen('s'), { op: 'pool', inputs: ['s'], mode: 'last', output: 'y' }], 'vector[8]', 'request', 0],
    ['sums of a sequence', [seen('s'), { op: 'add', inputs: ['s', 's'], output: 'y' }], 'vector[56]', 'request', 0],
    ['input', [{ op: 'input', inputs: ['age', 'look'], output: 'y' }], 'vector[6]', 'candidate', 0],
    ['stack', [u, a, { op: 'stack', inputs: ['u', 'a'], output: 'y' }], 'fields[2, 4]', 'candidate', 0],
    ['concat', [u, ...ragged, { op: 'concat', inputs: ['u', 'e'], output: 'y' }], 'vector[11]', 'variant', 0],
    [
      'senet',
      [...three, { op: 'senet', inputs: ['e'], units: 2, activation: 'relu', output: 'y' }],
      'vector[3]',
      'candidate',
      3 * 2 + 2 + 2 * 3 + 3,
    ],
    ['dense', [a, dense('y', ['a', 'a'], 7)], 'vector[7]', 'ad', 8 * 7 + 7],
    ['dense without a bias', [a, { ...dense('y', ['a'], 7), bias: false }], 'vector[7]', 'ad', 28],
    ['inner', [...three, { op: 'inner', inputs: ['e'], output: 'y' }], 'vector[3]', 'candidate', 0],
    ['fm', [...three, { op: 'fm', inputs: ['e'], output: 'y' }], 'vector[1]', 'candidate', 0],
    [
      'cross with a full matrix',
      [u, a, { op: 'cross', inputs: ['u', 'a'], rank: null, output: 'y' }],
      'vector[4]',
      'candidate',
      20,
    ],
    ['cross of rank 2', [u, { op: 'cross', inputs: ['u', 'u'], rank: 2, output: 'y' }], 'vector[4]', 'request', 20],
    ['sum', [u, a, { op: 'sum', inputs: ['u', 'a'], bias: true, output: 'y' }], 'vector[1]', 'candidate', 1],
    ['add', [u, a, { op: 'add', inputs: ['u', 'a'], output: 'y' }], 'fields[1, 4]', 'candidate', 0],
    ['multiply', [u, { op: 'multiply', inputs: ['u', 'u'], output: 'y' }], 'fields[1, 4]', 'request', 0],
    ['softmax', [a, { op: 'softmax', inputs: ['a'], output: 'y' }], 'vector[4]', 'ad', 0],
    ['stopGradient', [a, { op: 'stopGradient', inputs: ['a'], output: 'y' }], 'fields[1, 4]', 'ad', 0],
    ['dropout', [a, { op: 'dropout', inputs: ['a'], rate: 0.5, output: 'y' }], 'fields[1, 4]', 'ad', 0],
  ])('types %s and derives its scope and parameters', (_, steps, type, scope, parameters) => {
    const typed = checkModel(model(steps), schema);
    const value = typed.values.get('y');
    expect(value && describeType(value.type)).toBe(type);
    expect(value?.scope).toBe(scope);
    expect(parameterCount(typed.parameters.get('y') ?? [])).toBe(parameters);
  });

  it('types a gate as the fields it scales, at the join of both scopes', () => {
    const typed = checkModel(model([a, u, dense('g', ['u']), { op: 'gate', inputs: ['a', 'g'], output: 'y' }]), schema);
    expect(typed.values.get('y')).toEqual({ type: { kind: 'fields', sizes: [4], names: ['ad'] }, scope: 'candidate' });
  });

  it.each<[string, StepJson[], RegExp]>([
    [
      'an op nobody knows',
      [{ op: 'conv', inputs: ['x'], output: 'y' }],
      /step 0 \(conv → y\) has an unknown op; use one of embed, embedSequence, input/,
    ],
    ['an op of every object', [{ op: 'toString', inputs: ['x'], output: 'y' }], /has an unknown op/],
    [
      'a setting left out',
      [u, { op: 'dense', inputs: ['u'], output: 'y', units: 2, bias: true }],
      /step 1 .* lacks 'activation'/,
    ],
    ['a setting nobody knows', [{ ...u, depth: 3 }], /has unknown 'depth'/],
    ['no inputs', [{ ...u, inputs: [], tables: [] }], /inputs/],
    ['an output named twice', [u, u], /step 1 \(embed → u\) has the output of an earlier step; rename it/],
    [
      'a value no step makes',
      [{ op: 'concat', inputs: ['later'], output: 'y' }],
      /takes 'later', which no earlier step makes/,
    ],
    [
      'a field the schema lacks',
      [embed('y', 'nobody')],
      /takes field 'nobody', which the schema lacks; it has user, ad/,
    ],
    ['a table the model lacks', [{ ...u, tables: ['nowhere'] }], /uses table 'nowhere', which the model lacks/],
    [
      'a table of other ids',
      [{ ...u, tables: ['ad'] }],
      /looks field 'user' \(ids of 'user'\) up in table 'ad' \(ids of 'ad'\)/,
    ],
    ['fewer tables than fields', [{ ...embed('y', 'user', 'ad'), tables: ['user'] }], /has 2 fields but 1 tables/],
    [
      'ids as a dense input',
      [{ op: 'input', inputs: ['ad'], output: 'y' }],
      /takes field 'ad' of kind 'id' as a dense input; embed it/,
    ],
    ['a number to look up', [{ op: 'embed', inputs: ['age'], tables: ['user'], output: 'y' }], /looks field 'age'/],
    [
      'fields of two sizes for inner',
      [...ragged, { op: 'inner', inputs: ['e'], output: 'y' }],
      /takes fields of one size, got fields\[2; 4, 3\]/,
    ],
    ['fields of two sizes for fm', [...ragged, { op: 'fm', inputs: ['e'], output: 'y' }], /takes fields of one size/],
    ['one field for inner', [u, { op: 'inner', inputs: ['u'], output: 'y' }], /takes at least 2 fields, got 1/],
    [
      'a vector where fields belong',
      [u, dense('h', ['u'], 4), { op: 'fm', inputs: ['h'], output: 'y' }],
      /takes fields, got vector\[4\]/,
    ],
    [
      'gates for other fields',
      [...three, dense('g', ['e'], 2), { op: 'gate', inputs: ['e', 'g'], output: 'y' }],
      /one gate for each of 3 fields, got vector\[2\]/,
    ],
    [
      'widths that differ',
      [u, ...ragged, { op: 'add', inputs: ['u', 'e'], output: 'y' }],
      /inputs of one width, got fields\[1, 4\] and fields\[2; 4, 3\]/,
    ],
    ['one input too many', [u, a, { op: 'softmax', inputs: ['u', 'a'], output: 'y' }], /takes 1 input, got 2/],
    ['one input too few', [u, { op: 'cross', inputs: ['u'], rank: 2, output: 'y' }], /takes 2 inputs, got 1/],
    [
      'a sequence to pool',
      [embed('y', 'seen')],
      /takes field 'seen', whose pooling is 'none'; embed it by embedSequence/,
    ],
    [
      'a pooled list as a sequence',
      [seen('y', { inputs: ['seen', 'words'] })],
      /takes field 'words', which is no list/,
    ],
    [
      'lists longer than the sequence',
      [seen('y', { length: 6 })],
      /field 'seenImages' of up to 7 items, more than its length 6/,
    ],
    ['fields to attend to', [u, a, attend(['u', 'a'])], /takes a sequence, got fields\[1, 4\]/],
    ['everything dropped', [u, { op: 'dropout', inputs: ['u'], rate: 1, output: 'y' }], /rate/],
  ])('refuses %s, naming the step', (_, steps, message) => {
    expect(() => checkModel(model(steps), schema)).toThrow(message);
    expect(() => checkModel(model(steps), schema)).toThrow(UserError);
  });

  it.each<[string, object, RegExp]>([
    [
      'two tasks alike',
      {
        tasks: [
          { name: 'click', logits: ['logit'] },
          { name: 'click', logits: ['logit'] },
        ],
      },
      /task 'click' is named twice/,
    ],
    [
      'a wide logit',
      { tasks: [{ name: 'click', logits: ['u'] }] },
      /task 'click' needs logits of width 1, got 4 in 'u'/,
    ],
    [
      'a logit no step makes',
      { tasks: [{ name: 'click', logits: ['z'] }] },
      /task 'click' takes 'z', which no earlier step makes/,
    ],
    [
      'a loss of no label',
      { losses: [{ task: 'click', label: 'clik', weight: 1 }] },
      /the loss of task 'click' takes label 'clik', which the schema lacks/,
    ],
    [
      'a loss of no task',
      { losses: [{ task: 'view', label: 'click', weight: 1 }] },
      /a loss of task 'view' has no such task/,
    ],
    ['two tables alike', { tables: [...tables, tables[0]] }, /names two tables alike/],
    ['no steps', { steps: [] }, /steps/],
    ['a step that is none', { steps: [null] }, /step 0/],
  ])('refuses %s', (_, changes, message) => {
    expect(() => checkModel(model([u], changes), schema)).toThrow(message);
    expect(() => checkModel(model([u], changes), schema)).toThrow(UserError);
  });

  it('refuses values that are joined with themselves until nothing could hold them', () => {
    const doubled = Array.from({ length: 40 }, (_, i) => ({
      op: 'concat',
      inputs: i === 0 ? ['u', 'u'] : [`c${i - 1}`, `c${i - 1}`],
      output: `c${i}`,
    }));
    expect(() => checkModel(model([u, ...doubled]), schema)).toThrow(/makes 8388608 numbers a row, more than 4194304/);
  });
});
