import type { Bundle } from '../model/bundle.ts';
import { scopes } from '../schema/scopes.ts';
import { createPlan } from '../scoring/plan.ts';
import { type Cost, costOfRequest, costsByScope, type RequestSize, type StepCost } from '../scoring/planner/costs.ts';
import { numberBytesOf, type PlanPrecision } from '../scoring/planner/defaultRates.ts';
import { naiveCosts } from '../scoring/planner/naiveCosts.ts';
import { keptBytes, planCosts } from '../scoring/planner/planCosts.ts';
import type { MachineRates, PlanStep, PlanValue, Slice, Term } from '../scoring/planner/planSteps.ts';

export type DescribedPlan = ReturnType<typeof describePlan>;

/** What a plan is made for. */
export interface PlanFor {
  readonly precision: PlanPrecision;
  readonly candidates: number;
  /** Creatives of each candidate. */
  readonly variantsPerCandidate: number;
  readonly rates: MachineRates;
  /** Where the rates are from, for people. */
  readonly ratesFrom: string;
}

/** A bundle's plan and its costs beside those of the model's own steps: what `inspect --plan --json` prints. */
export function describePlan({ manifest, typed }: Bundle, plannedFor: PlanFor) {
  const { precision, candidates, variantsPerCandidate, rates } = plannedFor;
  const plan = createPlan(typed, { rates, candidates, variantsPerCandidate, numberBytes: numberBytesOf[precision] });
  const planned = planCosts(plan);
  const naive = naiveCosts(typed);
  const steps = plan.steps.map((step, i) => {
    const { width, scope, kept } = plan.values.get(step.output) as PlanValue;
    const { multiplyAdds, bytes } = planned[i];
    return { ...step, scope, shape: shapeOf(step, width), kept, multiplyAdds, bytes };
  });
  return {
    name: manifest.name,
    version: manifest.version,
    plannedFor,
    steps,
    tasks: plan.tasks,
    keptBytes: keptBytes(plan),
    costs: costRows(planned, naive, { candidates, variantsPerCandidate }),
  };
}

/** Costs a row of each scope, and of whole requests; `naive` computes what an ad alone decides for every candidate. */
function costRows(
  planned: readonly StepCost[],
  naive: readonly StepCost[],
  size: Required<Omit<RequestSize, 'adsKept'>>,
) {
  const { candidates, variantsPerCandidate } = size;
  const byScope = [costsByScope(planned), costsByScope(naive)];
  const none: Cost = { multiplyAdds: 0, bytes: 0 };
  const perScope = scopes
    .filter((scope) => byScope.some((costs) => costs.has(scope)))
    .map((scope) => {
      const [ofPlan, ofSteps] = byScope.map((costs) => costs.get(scope) ?? none);
      return { per: scope as string, planned: ofPlan, naive: ofSteps };
    });
  const naiveRequest = costOfRequest(naive, { ...size, adsKept: false });
  const requests = [true, false].map((adsKept) => ({
    per: `request of ${candidates}${variantsPerCandidate > 1 ? ` × ${variantsPerCandidate}` : ''}, ${adsKept ? 'all ads kept' : 'no ad kept yet'}`,
    planned: costOfRequest(planned, { ...size, adsKept }),
    naive: naiveRequest,
  }));
  return [...perScope, ...requests];
}

/** `[20 × 16]` for fields of one size, else the width alone. */
function shapeOf(step: PlanStep, width: number): number[] {
  if (step.op === 'projectField') return [step.sizes.length, step.units];
  if (step.op === 'projectSequence') return [step.length, step.units];
  if (step.op === 'embedSequence') return [step.length, width / step.length];
  const sizes = step.op === 'embed' || step.op === 'gate' ? step.sizes : [];
  return sizes.length > 1 && sizes.every((size) => size === sizes[0]) ? [sizes.length, sizes[0]] : [width];
}

/** What a step does, as a formula: `relu(gates[0…20] ⋅ hidden.0.fields.request + gated.ad · hidden.0.w + hidden.0.b)`. */
export function formulaOf(step: PlanStep, widthOf: (value: string) => number): string {
  const slice = ({ value, from, width }: Slice) =>
    width === widthOf(value) ? value : `${value}[${from}…${from + width}]`;
  const all = (slices: readonly Slice[], between: string) => {
    const names = slices.map(slice);
    return (names.length > 5 ? [...names.slice(0, 2), '…', ...names.slice(-1)] : names).join(between);
  };
  const rows = (weight: string, firstRow: number, width: number) => `${weight}[${firstRow}…${firstRow + width}]`;
  const term = (each: Term) => {
    if (each.kind === 'value') return slice(each.input);
    if (each.kind === 'gatedSum') return `Σ_f ${slice(each.gates)} ∘ ${each.fields}`;
    return `${slice(each.input)} · ${rows(each.weight, each.firstRow, each.input.width)}`;
  };
  const biased = (sum: string, bias: string | null) => (bias === null ? sum : `${sum} + ${bias}`);
  switch (step.op) {
    case 'embed':
    case 'embedSequence':
    case 'input':
      return step.fields.length <= 4
        ? step.fields.join(', ')
        : `${step.fields.slice(0, 3).join(', ')} and ${step.fields.length - 3} more`;
    case 'projectField':
      return `${slice(step.input)} · ${rows(step.weight, step.firstRow, step.input.width)}, field by field`;
    case 'projectSequence':
      return `${slice(step.input)} · ${step.weight}, event by event`;
    case 'attend':
      return `${step.weights === 'softmax' ? 'softmax' : 'σ'}(${slice(step.query)} · ${slice(step.keys)}) · ${slice(step.events)}`;
    case 'pool':
      return `${step.mode === 'mean' ? 'mean' : 'latest'} of ${slice(step.input)}`;
    case 'affine': {
      const sum = biased(step.terms.map(term).join(' + '), step.bias);
      return step.activation === 'linear' ? sum : `${step.activation}(${sum})`;
    }
    case 'gate':
      return `${slice(step.gates)} ∘ ${slice(step.input)}`;
    case 'sum':
      return `Σ ${biased(all(step.inputs, ', '), step.bias)}`;
    case 'add':
      return all(step.inputs, ' + ');
    case 'multiply':
      return all(step.inputs, ' ∘ ');
    case 'multiplyAdd':
      return `${slice(step.inputs[0])} ∘ ${slice(step.inputs[1])} + ${slice(step.inputs[2])}`;
    case 'concat':
      return all(step.inputs, ', ');
    default:
      return slice(step.input);
  }
}
