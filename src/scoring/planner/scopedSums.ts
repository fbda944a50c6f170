import type { Activation } from '../../model/steps.ts';
import { joinAll, type Scope, scopes } from '../../schema/scopes.ts';
import type { CostModel } from './costModel.ts';
import { mergeParts, type Part, sumOf } from './parts.ts';
import type { PlanBuilder } from './planBuilder.ts';
import type { Slice, Term } from './planSteps.ts';

/** Where plan steps go, what they cost, and how many steps of the model share the reading of a value. */
export interface Planning {
  readonly builder: PlanBuilder;
  readonly costs: CostModel;
  readersOf(slice: Slice): number;
  isEmbedding(slice: Slice): boolean;
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
  for (const [scope, rows] of rowsByScope(planning, plain)) {
    const products = rows.map(({ slice, firstRow }): Term => ({ kind: 'product', input: slice, weight, firstRow }));
    if (!isPerRow || !partialPays(planning, scope, rows, units)) terms.push(...products);
    else {
      const name = builder.freshName(`${output}.${scope}`);
      const step = { op: 'affine', terms: products, bias: null, units, activation: 'linear', output: name } as const;
      values.push({ kind: 'value', input: builder.add(step, units) });
    }
  }
  const slice = builder.add({ op: 'affine', terms: [...terms, ...values], bias, units, activation, output }, units);
  return { slice, sizes: [units] };
}

function rowsByScope({ builder }: Planning, rows: readonly Rows[]): [Scope, Rows[]][] {
  const groups = scopes.map((scope): [Scope, Rows[]] => [
    scope,
    rows.filter(({ slice }) => builder.scopeOf(slice) === scope),
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

/** Σ_i x_i + b: each scope's numbers are added up at that scope. */
export function addSum(planning: Planning, parts: readonly Part[], bias: string | null, output: string): Part {
  const { builder, costs } = planning;
  const slices = mergeParts(builder.plain(parts)).map((part) => part.slice);
  const scope = joinAll(slices.map((slice) => builder.scopeOf(slice)));
  const inputs = rowsByScope(
    planning,
    slices.map((slice) => ({ slice, firstRow: 0 })),
  ).flatMap(([own, rows]) => {
    const group = rows.map((row) => row.slice);
    const isPartial = !costs.isNarrow(scope) && costs.isNarrow(own) && sumOf(group.map(({ width }) => width)) > 1;
    if (!isPartial) return group;
    return [builder.add({ op: 'sum', inputs: group, bias: null, output: builder.freshName(`${output}.${own}`) }, 1)];
  });
  return { slice: builder.add({ op: 'sum', inputs, bias, output }, 1), sizes: [1] };
}
