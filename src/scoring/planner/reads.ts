import type { PlanStep, Slice, Term } from './planSteps.ts';

/** What a plan's step reads of other values; of fields, nothing. */
export function slicesOf(step: PlanStep): Slice[] {
  switch (step.op) {
    case 'embed':
    case 'embedSequence':
    case 'input':
      return [];
    case 'means':
    case 'projectField':
    case 'projectSequence':
    case 'pool':
    case 'inner':
    case 'fm':
    case 'softmax':
      return [step.input];
    case 'gate':
      return [step.input, step.gates];
    case 'attend':
      return [step.query, step.keys, step.events];
    case 'affine':
      return step.terms.flatMap((term) => slicesOfTerm(term, step.units));
    default:
      return [...step.inputs];
  }
}

/** What a term of an affine step with `units` outputs reads. */
export function slicesOfTerm(term: Term, units: number): Slice[] {
  if (term.kind !== 'gatedSum') return [term.input];
  return [term.gates, { value: term.fields, from: 0, width: term.gates.width * units }];
}
