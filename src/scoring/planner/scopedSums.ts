import type { Activation } from '../../model/steps.ts';
import { joinAll, type Scope, scopes } from '../../schema/scopes.ts';
import type { CostModel } from './costModel.ts';
import { type Part, sumOf } from './parts.ts';
import type { PlanBuilder } from './planBuilder.ts';
import type { Slice, Term } from './planSteps.ts';
import { slicesOfTerm } from './reads.ts';

/** Where plan steps go, what they cost, and how many steps of the model share the reading of a value. */
export interface Planning {
  readonly builder: PlanBuilder;
  readonly costs: CostModel;
  readersOf(slice: Slice): number;
  isEmbedding(slice: Slice): boolean;
  /** What is no more than a sum of others: of which, by value. */
  readonly sums: Map<string, readonly Slice[]>;
}

/** y = act(x·W + b). */
export interface Affine {
  readonly parts: readonly Part[];
  readonly weight: string;
  readonly bias: string | null;
  readonly units: number;
  readonly activation: Activation;
  readonly output: string;
}

interface Rows {
  readonly slice: Slice;
  readonly firstRow: number;
}

/**
 * x·W + b with x of several scopes: what is known of x before a candidate is, is multiplied before,
 *
 *   concat(x_request, x_ad)·W = x_request·W_request + x_ad·W_ad      concat_f(g_f · e_f)·W = Σ_f g_f · (e_f·W_f)
 *
 * where the cost model says that it pays.
 */
export function addAffine(planning: Planning, affine: Affine): Part {
  const { builder, costs } = planning;
  const { parts, units, weight, bias, activation, output } = affine;
  const isPerRow = !costs.isNarrow(joinAll(parts.map((part) => builder.scopeOfPart(part))));
  const terms: Term[] = [];
  const plain: Rows[] = [];
  let firstRow = 0;
  for (const part of parts) {
    const projected = isPerRow && part.gates !== undefined && projectionPays(planning, part, units);
    if (projected) terms.push(addProjection(planning, part, firstRow, affine));
    else plain.push({ slice: builder.computed(part), firstRow });
    firstRow += part.slice.width;
  }
  const values: Term[] = [];
  for (const [scope, rows] of byScope(planning, plain, (each) => each.slice)) {
    const products = rows.map(({ slice, firstRow }): Term => ({ kind: 'product', input: slice, weight, firstRow }));
    if (!isPerRow || !partialPays(planning, scope, rows, units)) terms.push(...products);
    else {
      const name = builder.freshName(`${output}.${scope}`);
      const step = { op: 'affine', terms: products, bias: null, units, activation: 'linear', output: name } as const;
      values.push({ kind: 'value', input: builder.add(step, units) });
    }
  }
  const slice = builder.add({ op: 'affine', terms: [...terms, ...values], bias, units, activation, output }, units);
  const isSum = units === 1 && terms.length === 0 && bias === null && activation === 'linear';
  if (isSum)
    planning.sums.set(
      output,
      values.flatMap((value) => slicesOfTerm(value, units)),
    );
  return { slice, sizes: [units] };
}

/** What lies in each scope, narrow ones first. */
function byScope<T>({ builder }: Planning, all: readonly T[], sliceOf: (item: T) => Slice): [Scope, T[]][] {
  const groups = scopes.map((scope): [Scope, T[]] => [
    scope,
    all.filter((item) => builder.scopeOf(sliceOf(item)) === scope),
  ]);
  return groups.filter(([, group]) => group.length > 0);
}

/** Whether to gate projected fields, P_f = e_f·W_f, rather than the fields. */
function projectionPays({ builder, costs, readersOf, isEmbedding }: Planning, part: Part, units: number): boolean {
  const { slice, sizes } = part;
  const scope = builder.scopeOf(slice);
  if (costs.isNarrow(builder.scopeOfPart(part)) || !costs.isNarrow(scope)) return false;
  const gated = costs.gate(slice.width) + costs.product(slice.width, units);
  if (scope === 'request') return costs.gatedSumOfRequest(slice.width, sizes.length, units) < gated;
  const read = costs.readKept(slice.width, readersOf(slice), isEmbedding(slice));
  return costs.gatedSumOfKept(sizes.length, units) < gated + read;
}

function addProjection({ builder }: Planning, part: Part, firstRow: number, { weight, units, output }: Affine): Term {
  const { slice: input, sizes, gates } = part;
  const fields = builder.freshName(`${output}.fields.${builder.scopeOf(input)}`);
  builder.add({ op: 'projectField', input, sizes, weight, firstRow, units, output: fields }, sizes.length * units);
  return { kind: 'gatedSum', gates: gates as Slice, fields };
}

/** Whether to multiply what one scope knows at that scope, and add `units` numbers to each row instead. */
function partialPays(planning: Planning, scope: Scope, rows: readonly Rows[], units: number): boolean {
  const { costs, readersOf, isEmbedding } = planning;
  if (!costs.isNarrow(scope)) return false;
  const k = sumOf(rows.map(({ slice }) => slice.width));
  const product = sumOf(rows.map(({ slice }) => costs.product(slice.width, units)));
  if (scope === 'request') return costs.productOnce(k, units) < product;
  const reads = rows.map(({ slice }) => costs.readKept(slice.width, readersOf(slice), isEmbedding(slice)));
  return costs.readKept(units) < product + sumOf(reads);
}

/** Longer sums are not taken apart: a sum of sums of sums, each twice, would have no end. */
const mostAddends = 64;

/** Σ_i x_i + b: each scope's numbers are added up at that scope; sums of sums are one sum. */
export function addSum(planning: Planning, parts: readonly Part[], bias: string | null, output: string): Part {
  const { builder, costs, sums } = planning;
  const slices = builder.plain(parts).map((part) => part.slice);
  const apart = slices.flatMap((slice) => sums.get(slice.value) ?? [slice]);
  const addends = apart.length > mostAddends ? slices : apart;
  if (bias === null) sums.set(output, addends);
  const scope = joinAll(addends.map((slice) => builder.scopeOf(slice)));
  const inputs = byScope(planning, addends, (slice) => slice).flatMap(([own, group]) => {
    const isPartial = !costs.isNarrow(scope) && costs.isNarrow(own) && sumOf(group.map(({ width }) => width)) > 1;
    if (!isPartial) return group;
    return [builder.add({ op: 'sum', inputs: group, bias: null, output: builder.freshName(`${output}.${own}`) }, 1)];
  });
  return { slice: builder.add({ op: 'sum', inputs, bias, output }, 1), sizes: [1] };
}

/**
 * Sums of all pairs' inner products, by scope: with s_c = Σ_f x_f over the fields of scope c,
 *
 *   fm(x) = Σ_c fm(x_c) + fm(s)
 */
export function addFm(planning: Planning, parts: readonly Part[], name: string, output: string): Part {
  const { builder, costs } = planning;
  const plain = builder.plain(parts);
  const [size] = plain[0].sizes;
  const scope = joinAll(plain.map((part) => builder.scopeOf(part.slice)));
  const fm = (of: readonly Part[], inputName: string, outputName: string) => {
    const input = builder.joined(of, inputName);
    return builder.add({ op: 'fm', input, fieldCount: input.width / size, output: outputName }, 1);
  };
  const addends: Slice[] = [];
  const across = byScope(planning, plain, (part) => part.slice).flatMap(([own, group]) => {
    const fields = group.flatMap((part) => fieldSlices(part));
    if (costs.isNarrow(scope) || !costs.isNarrow(own) || fields.length === 1) return group;
    addends.push(fm(group, builder.freshName(`${output}.fields.${own}`), builder.freshName(`${output}.${own}`)));
    const total = builder.freshName(`${output}.total.${own}`);
    return [{ slice: builder.add({ op: 'add', inputs: fields, output: total }, size), sizes: [size] }];
  });
  if (addends.length === 0) return { slice: fm(plain, name, output), sizes: [1] };
  addends.push(fm(across, builder.freshName(`${output}.totals`), builder.freshName(`${output}.across`)));
  planning.sums.set(output, addends);
  return { slice: builder.add({ op: 'sum', inputs: addends, bias: null, output }, 1), sizes: [1] };
}

function fieldSlices({ slice, sizes }: Part): Slice[] {
  let from = slice.from;
  return sizes.map((width) => {
    from += width;
    return { value: slice.value, from: from - width, width };
  });
}
