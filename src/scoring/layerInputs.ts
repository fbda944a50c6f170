import type { Step } from '../model/steps.ts';

/** The values that a step multiplies with the weights of a layer: of a cross layer x, of attention its query. */
export function layerInputs(step: Step): readonly string[] {
  if (step.op === 'dense') return step.inputs;
  return step.op === 'cross' || step.op === 'attend' ? step.inputs.slice(1) : [];
}
