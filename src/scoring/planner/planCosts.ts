import { type Cost, floatBytes, type StepCost } from './costs.ts';
import { sumOf } from './parts.ts';
import type { Plan, PlanStep, PlanValue, Slice, Term } from './planSteps.ts';
import { slicesOf } from './reads.ts';

/** What each step of a plan costs for one row of its scope. */
export function planCosts(plan: Plan): StepCost[] {
  const named = (name: string) => plan.values.get(name) as PlanValue;
  return plan.steps.map((step) => {
    const { scope } = named(step.output);
    const own = (slice: Slice) => scope === 'request' || named(slice.value).scope !== 'request';
    const numbers = slicesOf(step)
      .filter(own)
      .map(({ width }) => width);
    if (scope === 'request') numbers.push(weightsOf(step));
    if (step.op === 'embed' || step.op === 'input') numbers.push(...step.sizes);
    if (step.op === 'embedSequence') numbers.push(step.length * sumOf(step.sizes));
    return { output: step.output, scope, multiplyAdds: multiplyAddsOf(step), bytes: floatBytes * sumOf(numbers) };
  });
}

/** Bytes that a plan keeps of an ad, and of a creative. */
export function keptBytes(plan: Plan): Record<'ad' | 'creative', number> {
  const of = (scope: 'ad' | 'creative') =>
    floatBytes *
    sumOf([...plan.values.values()].map((value) => (value.kept && value.scope === scope ? value.width : 0)));
  return { ad: of('ad'), creative: of('creative') };
}

/** Learned numbers a step reads, tables apart. */
function weightsOf(step: PlanStep): number {
  if (step.op === 'projectField') return step.input.width * step.units;
  if (step.op === 'projectSequence') return (step.input.width / step.length) * step.units;
  if (step.op === 'sum') return step.bias === null ? 0 : 1;
  if (step.op !== 'affine') return 0;
  const rows = step.terms.map((term) => (term.kind === 'product' ? term.input.width : 0));
  return (sumOf(rows) + (step.bias === null ? 0 : 1)) * step.units;
}

function multiplyAddsOf(step: PlanStep): Cost['multiplyAdds'] {
  const ofTerm = (term: Term, units: number) =>
    term.kind === 'value' ? units : (term.kind === 'product' ? term.input : term.gates).width * units;
  switch (step.op) {
    case 'projectField':
    case 'projectSequence':
      return step.input.width * step.units;
    case 'attend':
      // A product for each key's number, a weight an event, a product for each event's number.
      return step.keys.width + step.length + step.events.width;
    case 'pool':
      return step.mode === 'mean' ? step.input.width : 0;
    case 'affine':
      return sumOf(step.terms.map((term) => ofTerm(term, step.units)));
    case 'means':
    case 'gate':
    case 'softmax':
      return step.input.width;
    case 'inner':
      return ((step.fieldCount - 1) / 2) * step.input.width;
    case 'fm':
      // Each number once in its sum and once in the sum of squares, then the sums' own squares.
      return 2 * step.input.width + step.input.width / step.fieldCount;
    case 'sum':
      return sumOf(step.inputs.map(({ width }) => width));
    case 'add':
    case 'multiply':
      return (step.inputs.length - 1) * step.inputs[0].width;
    case 'multiplyAdd':
      return step.inputs[0].width;
    default:
      return 0;
  }
}
