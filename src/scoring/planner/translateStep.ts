import type { TypedModel } from '../../model/checkModel.ts';
import type { Step, StepOf } from '../../model/steps.ts';
import { type FieldsType, type SequenceType, type TypedValue, type ValueType, widthOf } from '../../model/values.ts';
import { denseWidth, scopeOfField } from '../../schema/fields.ts';
import { type Scope, scopes } from '../../schema/scopes.ts';
import { gateParts, mergeParts, type Part, sumOf } from './parts.ts';
import type { PlanStep, Slice } from './planSteps.ts';
import { addAffine, addFm, addSum, type Planning } from './scopedSums.ts';

/** What the translation of one step sees: the plan so far, and the parts of every value before it. */
export interface Translation extends Planning {
  readonly typed: TypedModel;
  /** What a field's scope counts as. */
  readonly scopeOf: (scope: Scope) => Scope;
  readonly parts: ReadonlyMap<string, readonly Part[]>;
}

/** Adds the plan's steps for one of the model's, and returns its output's parts. */
export function translateStep(given: Translation, step: Step): readonly Part[] {
  const { builder } = given;
  const { output } = step;
  if (step.op === 'embed' || step.op === 'input') return readFields(given, step);
  if (step.op === 'embedSequence') return readSequence(given, step);
  const inputs = step.inputs.map((name) => given.parts.get(name) as readonly Part[]);
  const all = () => mergeParts(inputs.flat());
  const joined = (i: number) => builder.joined(inputs[i], step.inputs[i]);
  const { type } = given.typed.values.get(output) as TypedValue;
  const made = (planStep: PlanStep): Part[] => [{ slice: builder.add(planStep, widthOf(type)), sizes: sizesOf(type) }];
  switch (step.op) {
    case 'stack':
    case 'concat':
    case 'dropout':
    case 'stopGradient':
      return all();
    case 'gate': {
      const gates = builder.plain(inputs[1]).map((part) => part.slice);
      return mergeParts(gateParts(builder.plain(inputs[0]), gates, output));
    }
    case 'senet':
      return senet(given, step, inputs[0]);
    case 'dense': {
      const { units, activation } = step;
      const bias = step.bias ? `${output}.b` : null;
      return [addAffine(given, { parts: all(), weight: `${output}.w`, bias, units, activation, output })];
    }
    case 'cross':
      return cross(given, step, inputs);
    case 'sum':
      return [addSum(given, all(), step.bias ? `${output}.b` : null, output)];
    case 'add':
    case 'multiply':
      return elementwise(given, step, inputs);
    case 'fm':
      return [addFm(given, inputs[0], step.inputs[0], output)];
    case 'inner': {
      const { sizes } = (given.typed.values.get(step.inputs[0]) as TypedValue).type as FieldsType;
      return made({ op: 'inner', input: joined(0), fieldCount: sizes.length, output });
    }
    case 'softmax':
      return made({ op: 'softmax', input: joined(0), output });
    case 'attend':
      return attend(given, step, inputs);
    case 'pool': {
      const { length } = (given.typed.values.get(step.inputs[0]) as TypedValue).type as SequenceType;
      return made({ op: 'pool', input: joined(0), length, mode: step.mode, output });
    }
  }
}

const sizesOf = (type: ValueType) => (type.kind === 'fields' ? type.sizes : [widthOf(type)]);

/** One step a scope, whose fields keep their order. */
function readFields({ typed, builder, scopeOf }: Translation, step: StepOf<'embed'> | StepOf<'input'>): Part[] {
  const byName = new Map(typed.schema.fields.map((field) => [field.name, field]));
  const fields = step.inputs.map((name, i) => {
    const field = byName.get(name) as NonNullable<ReturnType<typeof byName.get>>;
    const table = step.op === 'embed' ? step.tables[i] : '';
    const size = step.op === 'embed' ? (typed.tables.get(table)?.size as number) : denseWidth(field);
    return { name, table, size, scope: scopeOf(scopeOfField(field, byName)) };
  });
  const places = new Map<(typeof fields)[number], Slice>();
  for (const scope of scopes) {
    const own = fields.filter((field) => field.scope === scope);
    if (own.length === 0) continue;
    const output = own.length === fields.length ? step.output : builder.freshName(`${step.output}.${scope}`);
    const common = { fields: own.map(({ name }) => name), sizes: own.map(({ size }) => size), output };
    const planStep: PlanStep =
      step.op === 'embed'
        ? { op: 'embed', ...common, tables: own.map(({ table }) => table) }
        : { op: 'input', ...common };
    const { value } = builder.add(planStep, sumOf(common.sizes), scope);
    let from = 0;
    for (const field of own) {
      places.set(field, { value, from, width: field.size });
      from += field.size;
    }
  }
  return mergeParts(fields.map((field) => ({ slice: places.get(field) as Slice, sizes: [field.size] })));
}

/** Of a sequence's lists, which have one scope, one value. */
function readSequence({ typed, builder, scopeOf }: Translation, step: StepOf<'embedSequence'>): Part[] {
  const { inputs: fields, tables, length, output } = step;
  const { type, scope } = typed.values.get(output) as TypedValue;
  const sizes = tables.map((table) => typed.tables.get(table)?.size as number);
  const planStep: PlanStep = { op: 'embedSequence', fields, tables, sizes, length, output };
  const slice = builder.add(planStep, widthOf(type), scopeOf(scope));
  return [{ slice, sizes: [slice.width] }];
}

/** The query's side is a layer as any other, so that its part of an ad is kept; the keys are computed where the events are. */
function attend(given: Translation, step: StepOf<'attend'>, [sequence, query]: (readonly Part[])[]): Part[] {
  const { builder, typed } = given;
  const { output, units, weights } = step;
  const { length, size } = (typed.values.get(step.inputs[0]) as TypedValue).type as SequenceType;
  const events = builder.joined(sequence, step.inputs[0]);
  const layer = { parts: query, weight: `${output}.wq`, bias: `${output}.bq`, units, activation: 'linear' } as const;
  const q = addAffine(given, { ...layer, output: builder.freshName(`${output}.query`) });
  const key = { op: 'projectSequence', input: events, length, weight: `${output}.wk`, units } as const;
  const keys = builder.add({ ...key, output: builder.freshName(`${output}.keys`) }, length * units);
  const slice = builder.add({ op: 'attend', query: q.slice, keys, events, length, weights, output }, size);
  return [{ slice, sizes: [size] }];
}

/** The means of each field, scope by scope, and two layers. */
function senet(given: Translation, step: StepOf<'senet'>, fields: readonly Part[]): Part[] {
  const { builder } = given;
  const { output, units, activation } = step;
  const means = builder.plain(fields).map(({ slice, sizes }): Part => {
    const name = builder.freshName(`${output}.means.${builder.scopeOf(slice)}`);
    const made = builder.add({ op: 'means', input: slice, sizes, output: name }, sizes.length);
    return { slice: made, sizes: [sizes.length] };
  });
  const [w1, b1, w2, b2] = ['w1', 'b1', 'w2', 'b2'].map((name) => `${output}.${name}`);
  const name = builder.freshName(`${output}.hidden`);
  const hidden = addAffine(given, { parts: means, weight: w1, bias: b1, units, activation: 'relu', output: name });
  const fieldCount = sumOf(means.map(({ slice }) => slice.width));
  return [addAffine(given, { parts: [hidden], weight: w2, bias: b2, units: fieldCount, activation, output })];
}

/** x0 ∘ (U·(Vᵀ·x) + b) + x. */
function cross(given: Translation, step: StepOf<'cross'>, [x0, x]: (readonly Part[])[]): Part[] {
  const { builder } = given;
  const { output, rank } = step;
  const width = sumOf(x.map(({ slice }) => slice.width));
  const layer = (parts: readonly Part[], weight: string, bias: string | null, units: number): Part => {
    const name = builder.freshName(`${output}.${weight}`);
    return addAffine(given, { parts, weight: `${output}.${weight}`, bias, units, activation: 'linear', output: name });
  };
  const b = `${output}.b`;
  const inner = rank === null ? layer(x, 'w', b, width) : layer([layer(x, 'v', null, rank)], 'u', b, width);
  const inputs = [builder.joined(x0, step.inputs[0]), inner.slice, builder.joined(x, step.inputs[1])] as const;
  return [{ slice: builder.add({ op: 'multiplyAdd', inputs, output }, width), sizes: [width] }];
}

/** Part by part, each at its scope, where all inputs are cut alike. */
function elementwise(
  given: Translation,
  step: StepOf<'add'> | StepOf<'multiply'>,
  inputs: readonly (readonly Part[])[],
): readonly Part[] {
  const { builder, typed } = given;
  const { op, output } = step;
  if (inputs.length === 1) return inputs[0];
  const plain = inputs.map((parts) => builder.plain(parts));
  const [first, ...rest] = plain;
  const alike = rest.every(
    (parts) => parts.length === first.length && parts.every((part, i) => part.slice.width === first[i].slice.width),
  );
  if (!alike) {
    const slices = inputs.map((parts, i) => builder.joined(parts, step.inputs[i]));
    const { type } = typed.values.get(output) as TypedValue;
    return [{ slice: builder.add({ op, inputs: slices, output }, widthOf(type)), sizes: sizesOf(type) }];
  }
  return mergeParts(
    first.map(({ sizes, slice }, i) => {
      const slices = plain.map((parts) => parts[i].slice);
      const name = first.length === 1 ? output : builder.freshName(`${output}.${i}`);
      return { slice: builder.add({ op, inputs: slices, output: name }, slice.width), sizes };
    }),
  );
}
