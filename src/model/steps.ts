import Type, { type Static } from 'typebox';

/*
 * A model is a list of steps, each naming its inputs and its output. `ops.ts` says what each computes, its types and
 * parameters; engines implement each op once; `checkModel.ts` reads a list and derives every value's type and scope.
 */

const strict = { additionalProperties: false };
const Names = Type.Array(Type.String({ minLength: 1 }), { minItems: 1 });
const output = Type.String({ minLength: 1 });
const Units = Type.Integer({ minimum: 1, maximum: 65536 });
const one = <const Op extends string>(op: Op) => Type.Object({ op: Type.Literal(op), inputs: Names, output }, strict);

export const Activation = Type.Union([
  Type.Literal('linear'),
  Type.Literal('relu'),
  Type.Literal('sigmoid'),
  Type.Literal('doubleSigmoid'),
]);
export type Activation = Static<typeof Activation>;

export const stepShapes = {
  /** Looks fields up in their tables: `inputs` are fields, `tables` one table each. */
  embed: Type.Object({ op: Type.Literal('embed'), inputs: Names, tables: Names, output }, strict),
  /** Looks the lists of a sequence up, one table each, and lays each event's embeddings and a 1 side by side. */
  embedSequence: Type.Object(
    {
      op: Type.Literal('embedSequence'),
      inputs: Names,
      tables: Names,
      /** Events at most: the longest a list may be. */
      length: Type.Integer({ minimum: 1, maximum: 1024 }),
      output,
    },
    strict,
  ),
  /** Dense fields, side by side. */
  input: one('input'),
  /** Puts fields values together into one. */
  stack: one('stack'),
  /** Puts anything side by side into a vector. */
  concat: one('concat'),
  /** One gate a field: its learned importance for this row. */
  senet: Type.Object(
    { op: Type.Literal('senet'), inputs: Names, output, units: Units, activation: Activation },
    strict,
  ),
  /** Scales each field by its gate: inputs are fields and gates. */
  gate: one('gate'),
  dense: Type.Object(
    { op: Type.Literal('dense'), inputs: Names, output, units: Units, activation: Activation, bias: Type.Boolean() },
    strict,
  ),
  /** Inner products of every pair of fields. */
  inner: one('inner'),
  /** Factorisation machine: the sum of all pairs' inner products. */
  fm: one('fm'),
  /** DCNv2 cross layer: inputs are x0 and x; `rank` null for a full matrix. */
  cross: Type.Object(
    { op: Type.Literal('cross'), inputs: Names, output, rank: Type.Union([Units, Type.Null()]) },
    strict,
  ),
  /** All of a row's numbers added up, and a learned bias. */
  sum: Type.Object({ op: Type.Literal('sum'), inputs: Names, output, bias: Type.Boolean() }, strict),
  /** Weighs a sequence's events by how they fit a query: inputs are the sequence and the query. */
  attend: Type.Object(
    {
      op: Type.Literal('attend'),
      inputs: Names,
      units: Units,
      /** softmax: weights add up to 1; sigmoid: each on its own, so that many fitting events count more. */
      weights: Type.Union([Type.Literal('softmax'), Type.Literal('sigmoid')]),
      output,
    },
    strict,
  ),
  /** A sequence's mean, or its latest event. */
  pool: Type.Object(
    { op: Type.Literal('pool'), inputs: Names, mode: Type.Union([Type.Literal('mean'), Type.Literal('last')]), output },
    strict,
  ),
  add: one('add'),
  multiply: one('multiply'),
  softmax: one('softmax'),
  /** The same value, through which no gradient flows. */
  stopGradient: one('stopGradient'),
  /** In training zeroes a share of the numbers and scales up the rest; in service nothing. */
  dropout: Type.Object(
    { op: Type.Literal('dropout'), inputs: Names, output, rate: Type.Number({ minimum: 0, exclusiveMaximum: 1 }) },
    strict,
  ),
} as const;

export type Op = keyof typeof stepShapes;
export type StepOf<O extends Op> = Static<(typeof stepShapes)[O]>;
export type Step = { [O in Op]: StepOf<O> }[Op];
/** A step whose inputs are fields. */
export type FieldStep = StepOf<'embed' | 'embedSequence' | 'input'>;

export function readsFields(step: Step): step is FieldStep {
  return step.op === 'embed' || step.op === 'embedSequence' || step.op === 'input';
}

/** An embedding table: `rows` follow from the vocabulary, which several tables may share. */
export const TableShape = Type.Object(
  { name: Type.String({ minLength: 1 }), vocabulary: Type.String({ minLength: 1 }), size: Units },
  strict,
);

/** p(task) = Π σ(logit) over the named values, each vector[1]: one for a click, two for a conversion after it (ESMM). */
export const TaskShape = Type.Object({ name: Type.String({ minLength: 1 }), logits: Names }, strict);

/** Cross entropy of a task's probability against a label, over all rows. */
export const LossShape = Type.Object(
  {
    task: Type.String({ minLength: 1 }),
    label: Type.String({ minLength: 1 }),
    weight: Type.Number({ exclusiveMinimum: 0 }),
  },
  strict,
);

export const ModelShape = Type.Object(
  {
    architecture: Type.String({ minLength: 1 }),
    tables: Type.Array(TableShape),
    steps: Type.Array(Type.Unknown(), { minItems: 1 }),
    tasks: Type.Array(TaskShape, { minItems: 1 }),
    losses: Type.Array(LossShape),
  },
  strict,
);

export type TableSpec = Static<typeof TableShape>;
export type Task = Static<typeof TaskShape>;
export type Loss = Static<typeof LossShape>;

export interface Model {
  readonly architecture: string;
  readonly tables: readonly TableSpec[];
  readonly steps: readonly Step[];
  readonly tasks: readonly Task[];
  readonly losses: readonly Loss[];
}
