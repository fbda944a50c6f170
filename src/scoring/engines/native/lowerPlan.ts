import { assert } from '../../../core/errors.ts';
import { type Bundle, tableWeight } from '../../../model/bundle.ts';
import { isSequence } from '../../../schema/fields.ts';
import type { Field } from '../../../schema/schema.ts';
import type { Scope } from '../../../schema/scopes.ts';
import type { Plan, PlanStep, Slice, Term } from '../../planner/planSteps.ts';
import { slicesOf } from '../../planner/reads.ts';
import type { NumberFormat, ProgramSpec, SliceSpec, Stage, StepSpec, TermSpec, ValueSpec } from './addon.ts';
import { columnOf, type FieldColumn } from './fieldColumns.ts';
import { type InputRanges, type Quantisation, quantisationOf, rangesOf } from './inputRanges.ts';

/** What the numbers of matrix products are stored as. */
export interface Formats {
  /** Of products with an input whose range the bundle knows. */
  readonly quantised: NumberFormat;
  /** Of all others. */
  readonly other: NumberFormat;
}

/** What of a bundle an engine computes with. */
export type ScoredBundle = Pick<Bundle, 'typed' | 'fitted' | 'weights' | 'manifest'>;

/** A plan as a program, and the fields that its columns are. */
export interface Lowered {
  readonly spec: ProgramSpec;
  readonly columns: readonly FieldColumn[];
}

export interface LowerOptions {
  readonly formats: Formats;
  readonly blockRows: number;
  readonly cacheBytes: number;
  /** Whether rows are creatives of candidates, whose own values are computed once a candidate. */
  readonly candidates: boolean;
}

/** Outputs and inputs from which on a product is worth a matrix kernel. */
const leastUnits = 16;
const leastInputs = 24;
/** Inputs from which on a product of bytes is faster than one in bf16: fewer multiplications, but more to do with each sum. */
const leastQuantised = 176;
/** As many as `MatrixProduct::maxTerms`. */
const mostTerms = 8;

function stageOf(scope: Scope, { candidates }: Pick<LowerOptions, 'candidates'>): Stage {
  return scope === 'variant' || (scope === 'candidate' && !candidates) ? 'row' : scope;
}

/**
 * Turns a plan's names into indices, decides what the records of ads and creatives hold, and which products go to the
 * matrix kernels in which number format.
 */
export function lowerPlan(plan: Plan, bundle: ScoredBundle, options: LowerOptions): Lowered {
  const lowering = new Lowering(plan, bundle, options);
  const steps = plan.steps.flatMap((step) => lowering.step(step));
  const { columns, values, weights } = lowering;
  const { blockRows, cacheBytes, candidates } = options;
  const tasks = plan.tasks.map(({ logits }) => logits.map((logit) => lowering.indexOf(logit)));
  return { spec: { columns, values, weights, steps, tasks, candidates, blockRows, cacheBytes }, columns };
}

class Lowering {
  readonly columns: FieldColumn[] = [];
  readonly values: ValueSpec[];
  readonly weights: Float32Array[] = [];
  private readonly plan: Plan;
  private readonly bundle: ScoredBundle;
  private readonly options: LowerOptions;
  private readonly formats: Formats;
  private readonly indices: ReadonlyMap<string, number>;
  private readonly weightIndices = new Map<string, number>();
  private readonly ranges: ReadonlyMap<string, InputRanges>;

  constructor(plan: Plan, bundle: ScoredBundle, options: LowerOptions) {
    this.plan = plan;
    this.bundle = bundle;
    this.options = options;
    this.formats = options.formats;
    this.indices = new Map([...plan.values.keys()].map((name, i) => [name, i]));
    this.ranges = rangesOf(bundle);
    const isNarrow = !['f32', 'split'].includes(options.formats.other) || options.formats.quantised === 'u8';
    this.values = [...plan.values].map(([name, { width, scope }]) => {
      const stage = stageOf(scope, options);
      const readers = stage === 'ad' || stage === 'creative' ? this.readersElsewhere(name, stage) : [];
      const keptAsBf16 = isNarrow && readers.length > 0 && !readers.includes('whole');
      return { width, stage, kept: readers.length > 0, keptAsBf16 };
    });
  }

  /** How steps of other stages, and tasks, read a value: in a way that can take it as bf16 numbers, or one that asks for all its digits. */
  private readersElsewhere(name: string, stage: Stage): ('bf16' | 'whole')[] {
    const readers: ('bf16' | 'whole')[] = this.plan.tasks.some(({ logits }) => logits.includes(name)) ? ['whole'] : [];
    for (const step of this.plan.steps) {
      if (this.stageOf(step.output) === stage) continue;
      for (const slice of slicesOf(step)) {
        if (slice.value !== name) continue;
        readers.push(this.takesBf16(step, slice) ? 'bf16' : 'whole');
      }
    }
    return readers;
  }

  /** Whether a step gates a slice, multiplies another by it, or adds it to a product of matrices. */
  private takesBf16(step: PlanStep, slice: Slice): boolean {
    if (step.op === 'gate') return slice === step.input;
    if (step.op === 'multiply') return step.inputs.length === 2 && slice === step.inputs[1];
    if (step.op !== 'affine' || !this.isMatrix(step)) return false;
    return step.terms.some((term) => term.kind === 'value' && term.input === slice);
  }

  private stageOf(name: string): Stage {
    const value = this.plan.values.get(name);
    assert(value !== undefined, `plan: no value '${name}'`);
    return stageOf(value.scope, this.options);
  }

  indexOf(name: string): number {
    const index = this.indices.get(name);
    assert(index !== undefined, `plan: no value '${name}'`);
    return index;
  }

  private slice({ value, from, width }: Slice): SliceSpec {
    return { value: this.indexOf(value), from, width };
  }

  private weight(name: string): number {
    const known = this.weightIndices.get(name);
    if (known !== undefined) return known;
    const tensor = this.bundle.weights.get(name);
    assert(tensor !== undefined, `no weights '${name}'`);
    this.weightIndices.set(name, this.weights.length);
    return this.weights.push(tensor.values) - 1;
  }

  private column(name: string, stage: Stage): number {
    const known = this.columns.findIndex((column) => column.field === name);
    if (known >= 0) return known;
    const fields = new Map(this.bundle.typed.schema.fields.map((field) => [field.name, field]));
    const field = fields.get(name) as Field;
    const column = { field: name, isSequence: isSequence(field), stage, ...columnOf(field, fields, this.bundle) };
    return this.columns.push(column) - 1;
  }

  step(step: PlanStep): StepSpec | StepSpec[] {
    const output = this.indexOf(step.output);
    const stage = this.stageOf(step.output);
    switch (step.op) {
      case 'embed':
      case 'embedSequence':
      case 'input': {
        const parts = step.fields.map((field, i) => ({
          column: this.column(field, stage),
          weight: step.op === 'input' ? -1 : this.weight(tableWeight(step.tables[i])),
          size: step.sizes[i],
        }));
        return { op: step.op, output, parts, ...(step.op === 'embedSequence' && { length: step.length }) };
      }
      case 'projectSequence': {
        const { op, length, units } = step;
        const transposed = this.plan.steps.some(
          (other) => other.op === 'attend' && other.keys.value === step.output && this.isByProducts(other),
        );
        const inputs = [this.slice(step.input)];
        return { op, output, inputs, weight: this.weight(step.weight), length, units, transposed };
      }
      case 'attend': {
        if (this.isByProducts(step)) return this.attendByProducts(step);
        const inputs = [step.query, step.keys, step.events].map((slice) => this.slice(slice));
        return { op: step.op, output, inputs, length: step.length, softmax: step.weights === 'softmax' };
      }
      case 'pool':
        // The latest event lies first, and is zeros where there is none.
        return step.mode === 'mean'
          ? { op: 'poolMean', output, inputs: [this.slice(step.input)], length: step.length }
          : { op: 'concat', output, inputs: [{ ...this.slice(step.input), width: step.input.width / step.length }] };
      case 'means':
        return { op: step.op, output, inputs: [this.slice(step.input)], sizes: step.sizes };
      case 'projectField': {
        const { op, sizes, firstRow, units } = step;
        const inputs = [this.slice(step.input)];
        return { op, output, inputs, sizes, weight: this.weight(step.weight), firstRow, units };
      }
      case 'gate':
        return { op: step.op, output, inputs: [this.slice(step.input), this.slice(step.gates)], sizes: step.sizes };
      case 'inner':
      case 'fm':
        return { op: step.op, output, inputs: [this.slice(step.input)], fieldCount: step.fieldCount };
      case 'softmax':
        return { op: step.op, output, inputs: [this.slice(step.input)] };
      case 'sum':
        return {
          op: step.op,
          output,
          inputs: step.inputs.map((slice) => this.slice(slice)),
          weight: this.bias(step.bias),
        };
      case 'concat':
      case 'add':
      case 'multiply':
      case 'multiplyAdd':
        return { op: step.op, output, inputs: step.inputs.map((slice) => this.slice(slice)) };
      case 'affine':
        return this.affine(step);
    }
  }

  /** Whether attention is a product with the request's keys and one with its events. */
  private isByProducts({ output, events, length }: Attend): boolean {
    const isWhole = events.width === this.plan.values.get(events.value)?.width;
    const isPerRow = ['row', 'candidate'].includes(this.stageOf(output));
    const isShared = isPerRow && this.stageOf(events.value) === 'request';
    return isShared && isWhole && length >= leastUnits && this.formats.other !== 'f32';
  }

  /** The scores of all candidates, the weights, and the sums: `gatedSum`s of a request's numbers, as layers have. */
  private attendByProducts({ query, keys, events, length, weights, output }: Attend): StepSpec[] {
    const { other: format } = this.formats;
    const stage = this.stageOf(output);
    const added = (width: number, of: Stage): SliceSpec => {
      const value = this.values.push({ width, stage: of, kept: false, keptAsBf16: false }) - 1;
      return { value, from: 0, width };
    };
    const product = (gates: SliceSpec, fields: string): TermSpec => {
      return { kind: 'gatedSum', input: gates, format, fields: this.indexOf(fields) };
    };
    const layer = { op: 'affine', weight: -1, matrix: true } as const;
    const scores = added(length, stage);
    const common = { ...layer, output: scores.value, units: length };
    const products = [product(this.slice(query), keys.value)];
    const sum = (shares: SliceSpec): StepSpec => {
      const units = events.width / length;
      const terms = [product(shares, events.value)];
      return { ...layer, output: this.indexOf(output), terms, units, activation: 'linear' };
    };
    if (weights === 'sigmoid') return [{ ...common, terms: products, activation: 'sigmoid' }, sum(scores)];
    const mask = added(length, 'request');
    const shares = added(length, stage);
    const terms: TermSpec[] = [...products, { kind: 'value', input: mask, format: 'f32' }];
    return [
      { op: 'eventMask', output: mask.value, inputs: [this.slice(events)], length },
      { ...common, terms, activation: 'linear' },
      { op: 'softmax', output: shares.value, inputs: [scores] },
      sum(shares),
    ];
  }

  private bias(name: string | null): number {
    return name === null ? -1 : this.weight(name);
  }

  /** Whether a layer is for the matrix kernels. */
  private isMatrix(step: Affine): boolean {
    const products = step.terms.filter((term) => term.kind !== 'value');
    const inputs = products.reduce(
      (sum, term) => sum + (term.kind === 'product' ? term.input.width : term.gates.width),
      0,
    );
    // On tiles 16 columns cost less than one of float32, and the layer before need not be written twice.
    return (
      this.stageOf(step.output) !== 'request' &&
      (step.units >= leastUnits || this.formats.other !== 'f32') &&
      inputs >= leastInputs &&
      products.length <= mostTerms
    );
  }

  private affine(step: Affine): StepSpec {
    const matrix = this.isMatrix(step);
    const isWide = step.units >= leastUnits;
    // The kernels scale one sum of integers, so one product is quantised: the widest of those whose range is known.
    const least = this.formats.other === 'bf16' ? leastQuantised : 0;
    const known = step.terms.filter(
      (term) => widthOfTerm(term) >= least && quantisationOf(term, this.ranges) !== undefined,
    );
    const widest = known.sort((a, b) => widthOfTerm(b) - widthOfTerm(a))[0];
    const quantised = matrix && isWide && this.formats.quantised === 'u8' ? widest : undefined;
    return {
      op: step.op,
      output: this.indexOf(step.output),
      terms: step.terms.map((term) => this.term(term, matrix, term === quantised)),
      weight: this.bias(step.bias),
      units: step.units,
      activation: step.activation,
      matrix,
    };
  }

  private term(term: Term, matrix: boolean, isQuantised: boolean): TermSpec {
    const format = matrix ? this.formats.other : 'f32';
    if (term.kind === 'value') return { kind: term.kind, input: this.slice(term.input), format: 'f32' };
    if (term.kind === 'gatedSum')
      return { kind: term.kind, input: this.slice(term.gates), format, fields: this.indexOf(term.fields) };
    const { kind, firstRow } = term;
    const product = { kind, input: this.slice(term.input), weight: this.weight(term.weight), firstRow } as const;
    if (!isQuantised) return { ...product, format };
    return { ...product, format: 'u8', ...(quantisationOf(term, this.ranges) as Quantisation) };
  }
}

type Attend = PlanStep & { op: 'attend' };
type Affine = PlanStep & { op: 'affine' };

function widthOfTerm(term: Term): number {
  return term.kind === 'product' ? term.input.width : 0;
}
