import type { Activation } from '../../model/steps.ts';
import { joinAll, type Scope, scopeIncludes, scopes } from '../../schema/scopes.ts';
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

/** A part of x, and which rows of W it is multiplied with. */
interface Located {
  readonly part: Part;
  readonly firstRow: number;
}

interface Rows {
  readonly slice: Slice;
  readonly firstRow: number;
}

/**
 * x·W + b with x of several scopes: what is known of x before a candidate is, or before its creatives are, is multiplied before,
 *
 *   concat(x_request, x_ad)·W = x_request·W_request + x_ad·W_ad      concat_f(g_f · e_f)·W = Σ_f g_f · (e_f·W_f)
 *
 * where the cost model says that it pays.
 */
export function addAffine(planning: Planning, affine: Affine): Part {
  const { builder, sums } = planning;
  const { parts, units, bias, activation, output } = affine;
  let firstRow = 0;
  const located = parts.map((part): Located => {
    firstRow += part.slice.width;
    return { part, firstRow: firstRow - part.slice.width };
  });
  const scope = joinAll(parts.map((part) => builder.scopeOfPart(part)));
  const terms = termsOf(planning, affine, located, scope);
  const slice = builder.add({ op: 'affine', terms, bias, units, activation, output }, units);
  const isSum = units === 1 && bias === null && activation === 'linear' && terms.every(({ kind }) => kind === 'value');
  if (isSum)
    sums.set(
      output,
      terms.flatMap((term) => slicesOfTerm(term, units)),
    );
  return { slice, sizes: [units] };
}

/** The terms of x·W for each row of a scope; what of it is narrower becomes steps of its own. */
function termsOf(planning: Planning, affine: Affine, located: readonly Located[], scope: Scope): Term[] {
  const { builder, costs } = planning;
  const { units, weight, output } = affine;
  const ofCandidate = located.filter(({ part }) => scopeIncludes('candidate', builder.scopeOfPart(part)));
  if (candidatePartPays(planning, ofCandidate, scope, units)) {
    const name = builder.freshName(`${output}.candidate`);
    const terms = termsOf(planning, affine, ofCandidate, 'candidate');
    const step = { op: 'affine', terms, bias: null, units, activation: 'linear', output: name } as const;
    const others = located.filter((each) => !ofCandidate.includes(each));
    return [...termsOf(planning, affine, others, scope), { kind: 'value', input: builder.add(step, units) }];
  }
  const isPerRow = !costs.isSeldom(scope);
  const terms: Term[] = [];
  const plain: Rows[] = [];
  for (const { part, firstRow } of located) {
    const projected = isPerRow && part.gates !== undefined && projectionPays(planning, part, units, scope);
    if (projected) terms.push(addProjection(planning, part, firstRow, affine));
    else plain.push({ slice: builder.computed(part), firstRow });
  }
  const values: Term[] = [];
  for (const [own, rows] of byScope(planning, plain, (each) => each.slice)) {
    const products = rows.map(({ slice, firstRow }): Term => ({ kind: 'product', input: slice, weight, firstRow }));
    if (!isPerRow || !partialPays(planning, own, rows, units, scope)) terms.push(...products);
    else {
      const name = builder.freshName(`${output}.${own}`);
      const step = { op: 'affine', terms: products, bias: null, units, activation: 'linear', output: name } as const;
      values.push({ kind: 'value', input: builder.add(step, units) });
    }
  }
  return [...terms, ...values];
}

/** Whether to multiply all that knows no creative once a candidate: only what takes both request and ad is a step of that scope. */
function candidatePartPays(
  { builder, costs }: Planning,
  located: readonly Located[],
  scope: Scope,
  units: number,
): boolean {
  const parts = located.map(({ part }) => part);
  if (parts.length === 0 || joinAll(parts.map((part) => builder.scopeOfPart(part))) !== 'candidate') return false;
  if (!costs.isNarrower('candidate', scope)) return false;
  const wide = parts.filter((part) => builder.scopeOfPart(part) !== 'request');
  const k = sumOf(wide.map(({ slice }) => slice.width));
  return costs.product(k, units, 'candidate') + costs.readMade(units, scope) < costs.product(k, units, scope);
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
function projectionPays(planning: Planning, part: Part, units: number, scope: Scope): boolean {
  const { builder, costs, readersOf, isEmbedding } = planning;
  const { slice, sizes } = part;
  const own = builder.scopeOf(slice);
  if (costs.isSeldom(builder.scopeOfPart(part)) || !costs.isSeldom(own)) return false;
  const gated = costs.gate(slice.width, builder.scopeOfPart(part)) + costs.product(slice.width, units, scope);
  if (own === 'request') return costs.gatedSumOfRequest(slice.width, sizes.length, units, scope) < gated;
  const read = costs.readKept(slice.width, own, readersOf(slice), isEmbedding(slice));
  return costs.gatedSumOfKept(sizes.length, units, own, scope) < gated + read;
}

function addProjection({ builder }: Planning, part: Part, firstRow: number, { weight, units, output }: Affine): Term {
  const { slice: input, sizes, gates } = part;
  const fields = builder.freshName(`${output}.fields.${builder.scopeOf(input)}`);
  builder.add({ op: 'projectField', input, sizes, weight, firstRow, units, output: fields }, sizes.length * units);
  return { kind: 'gatedSum', gates: gates as Slice, fields };
}

/** Whether to multiply what one scope knows at that scope, and add `units` numbers to each row of a wider one instead. */
function partialPays(planning: Planning, own: Scope, rows: readonly Rows[], units: number, scope: Scope): boolean {
  const { costs, readersOf, isEmbedding } = planning;
  if (!costs.isNarrower(own, scope)) return false;
  const k = sumOf(rows.map(({ slice }) => slice.width));
  const product = sumOf(rows.map(({ slice }) => costs.product(slice.width, units, scope)));
  if (own === 'request') return costs.productOnce(k, units) < product;
  if (!costs.isSeldom(own)) return costs.product(k, units, own) + costs.readMade(units, scope) < product;
  const reads = rows.map(({ slice }) => costs.readKept(slice.width, own, readersOf(slice), isEmbedding(slice)));
  return costs.readKept(units, own) < product + sumOf(reads);
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
    const isPartial = costs.isNarrower(own, scope) && sumOf(group.map(({ width }) => width)) > 1;
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
    if (!costs.isNarrower(own, scope) || fields.length === 1) return group;
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
