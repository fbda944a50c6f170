import type { Op, StepOf } from './steps.ts';
import {
  describeType,
  type FieldsType,
  type SequenceType,
  uniformSize,
  type ValueType,
  vector,
  widthOf,
} from './values.ts';

/** A learned tensor of a step; its full name is `<step output>.<name>`. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly init: 'glorot' | 'zeros';
}

/**
 * What an op is: its output's type from its inputs', and its parameters. `x` is an input row, all rows alike.
 * `typeOf` throws a plain message about a wrong list; the caller adds which step.
 */
interface OpDefinition<O extends Op> {
  typeOf(step: StepOf<O>, inputs: readonly ValueType[]): ValueType;
  parametersOf?(step: StepOf<O>, inputs: readonly ValueType[]): ParameterSpec[];
}

const parameter = (name: string, shape: number[], init: ParameterSpec['init'] = 'glorot'): ParameterSpec => ({
  name,
  shape,
  init,
});

function only<T>(inputs: readonly T[], count: number): readonly T[] {
  if (inputs.length !== count) throw new Error(`takes ${count} input${count === 1 ? '' : 's'}, got ${inputs.length}`);
  return inputs;
}

function asFields(type: ValueType): FieldsType {
  if (type.kind !== 'fields') throw new Error(`takes fields, got ${describeType(type)}`);
  return type;
}

function asSequence(type: ValueType): SequenceType {
  if (type.kind !== 'sequence') throw new Error(`takes a sequence, got ${describeType(type)}`);
  return type;
}

function asUniform(type: ValueType): FieldsType {
  const fields = asFields(type);
  if (uniformSize(fields) === undefined)
    throw new Error(`takes fields of one size, got ${describeType(fields)}; give them one embedding size`);
  return fields;
}

/** What number by number makes of values is no sequence: its last numbers say nothing of which events are there. */
function sameWidth(inputs: readonly ValueType[]): ValueType {
  const width = widthOf(inputs[0]);
  for (const type of inputs)
    if (widthOf(type) !== width)
      throw new Error(`takes inputs of one width, got ${inputs.map(describeType).join(' and ')}`);
  return inputs[0].kind === 'sequence' ? vector(widthOf(inputs[0])) : inputs[0];
}

export const ops: { readonly [O in Op]: OpDefinition<O> } = {
  /** Typed by `checkModel`, which knows the tables. */
  embed: { typeOf: () => vector(0) },
  input: { typeOf: () => vector(0) },

  stack: {
    typeOf(_, inputs) {
      const all = inputs.map(asFields);
      return { kind: 'fields', sizes: all.flatMap((type) => type.sizes), names: all.flatMap((type) => type.names) };
    },
  },

  concat: { typeOf: (_, inputs) => vector(inputs.reduce((sum, type) => sum + widthOf(type), 0)) },

  /** z_f = mean_d x_fd;  gates = act(W2ᵀ·relu(W1ᵀ·z + b1) + b2). Huang et al. 2019, "FiBiNET", section 3.2. */
  senet: {
    typeOf: (_, inputs) => vector(asFields(only(inputs, 1)[0]).sizes.length),
    parametersOf(step, inputs) {
      const fields = asFields(inputs[0]).sizes.length;
      return [
        parameter('w1', [fields, step.units]),
        parameter('b1', [step.units], 'zeros'),
        parameter('w2', [step.units, fields]),
        parameter('b2', [fields], 'zeros'),
      ];
    },
  },

  /** y_fd = gates_f · x_fd */
  gate: {
    typeOf(_, inputs) {
      const fields = asFields(only(inputs, 2)[0]);
      if (widthOf(inputs[1]) !== fields.sizes.length) {
        throw new Error(`takes one gate for each of ${fields.sizes.length} fields, got ${describeType(inputs[1])}`);
      }
      return fields;
    },
  },

  /** y = act(Wᵀ·x + b), x all inputs side by side */
  dense: {
    typeOf: (step) => vector(step.units),
    parametersOf(step, inputs) {
      const width = inputs.reduce((sum, type) => sum + widthOf(type), 0);
      const weights = [parameter('w', [width, step.units])];
      return step.bias ? [...weights, parameter('b', [step.units], 'zeros')] : weights;
    },
  },

  /** y_ij = ⟨x_i, x_j⟩ for i < j, in the order 01, 02, …, 12, … . Zhang et al. 2023, "FiBiNet++", section 3.2. */
  inner: {
    typeOf(_, inputs) {
      const fields = asUniform(only(inputs, 1)[0]).sizes.length;
      if (fields < 2) throw new Error('takes at least 2 fields, got 1');
      return vector((fields * (fields - 1)) / 2);
    },
  },

  /** y = ½·Σ_d ((Σ_f x_fd)² − Σ_f x_fd²). Rendle 2010, "Factorization Machines". */
  fm: {
    typeOf(_, inputs) {
      asUniform(only(inputs, 1)[0]);
      return vector(1);
    },
  },

  /** y = x0 ∘ (U·(Vᵀ·x) + b) + x, or with one matrix: x0 ∘ (Wᵀ·x + b) + x. Wang et al. 2021, "DCN V2". */
  cross: {
    typeOf: (_, inputs) => vector(widthOf(sameWidth(only(inputs, 2)))),
    parametersOf(step, inputs) {
      const width = widthOf(inputs[0]);
      const bias = parameter('b', [width], 'zeros');
      if (step.rank === null) return [parameter('w', [width, width]), bias];
      return [parameter('v', [width, step.rank]), parameter('u', [step.rank, width]), bias];
    },
  },

  /** Typed by `checkModel`, which knows the tables. */
  embedSequence: { typeOf: () => vector(0) },

  /**
   * s_i = ⟨Wqᵀ·q + b, Wkᵀ·k_i⟩ / √units over the events k_i that are there;  a = softmax(s) or σ(s);  y = Σ_i a_i·k_i, 0 without any.
   * Target attention as in Zhou et al. 2018, "Deep Interest Network", its activation unit factored as in Vaswani et al. 2017: so the keys'
   * side is the request's alone, the query's often the ad's, and a pair costs `units` multiply-adds.
   */
  attend: {
    typeOf(_, inputs) {
      return vector(asSequence(only(inputs, 2)[0]).size);
    },
    parametersOf(step, inputs) {
      const { size } = asSequence(inputs[0]);
      return [
        parameter('wq', [widthOf(inputs[1]), step.units]),
        parameter('bq', [step.units], 'zeros'),
        parameter('wk', [size, step.units]),
      ];
    },
  },

  /** mean: y = Σ_i k_i / n over the n events that are there; last: y = k_0. 0 without any. */
  pool: { typeOf: (_, inputs) => vector(asSequence(only(inputs, 1)[0]).size) },

  /** y = Σ_i x_i (+ b), over all inputs */
  sum: {
    typeOf: () => vector(1),
    parametersOf: (step) => (step.bias ? [parameter('b', [1], 'zeros')] : []),
  },

  add: { typeOf: (_, inputs) => sameWidth(inputs) },
  multiply: { typeOf: (_, inputs) => sameWidth(inputs) },
  /** y_i = e^x_i / Σ_j e^x_j */
  softmax: { typeOf: (_, inputs) => vector(widthOf(only(inputs, 1)[0])) },
  stopGradient: { typeOf: (_, inputs) => only(inputs, 1)[0] },
  dropout: { typeOf: (_, inputs) => only(inputs, 1)[0] },
};
