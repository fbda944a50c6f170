import { parameterCount, type TypedModel } from '../../model/checkModel.ts';
import type { Step } from '../../model/steps.ts';
import { type FieldsType, type TypedValue, type ValueType, widthOf } from '../../model/values.ts';
import type { Scope } from '../../schema/scopes.ts';

/** A step with what it costs, at the scope it is computed at. */
export interface PlannedStep {
  readonly step: Step;
  readonly type: ValueType;
  readonly scope: Scope;
  /** Learned numbers of the step, embedding tables apart. */
  readonly parameters: number;
  /**
   * Multiply-adds for one row: one for each product that is added to a sum, and one for each product or addition that
   * stands alone. Copies, gathers and activations count nothing.
   */
  readonly multiplyAdds: number;
}

/** Each step once a row of its scope: once a request, an ad, a candidate, … . */
export interface Plan {
  readonly steps: readonly PlannedStep[];
}

/** The plan that takes a model's steps as they are. */
export function planOf(typed: TypedModel): Plan {
  const typedValue = (name: string) => typed.values.get(name) as TypedValue;
  const steps = typed.model.steps.map((step): PlannedStep => {
    const { type, scope } = typedValue(step.output);
    const inputs = step.op === 'embed' || step.op === 'input' ? [] : step.inputs.map((name) => typedValue(name).type);
    const parameters = parameterCount(typed.parameters.get(step.output) ?? []);
    return { step, type, scope, parameters, multiplyAdds: multiplyAddsOf(step, inputs, type) };
  });
  return { steps };
}

/** Multiply-adds of all steps of each scope, for one row of it. */
export function multiplyAddsByScope(plan: Plan): Map<Scope, number> {
  const sums = new Map<Scope, number>();
  for (const { scope, multiplyAdds } of plan.steps) sums.set(scope, (sums.get(scope) ?? 0) + multiplyAdds);
  return sums;
}

function multiplyAddsOf(step: Step, inputs: readonly ValueType[], output: ValueType): number {
  const width = widthOf(output);
  const inputWidth = inputs.reduce((sum, type) => sum + widthOf(type), 0);
  const fields = inputs.length > 0 && inputs[0].kind === 'fields' ? (inputs[0] as FieldsType).sizes : [];
  switch (step.op) {
    case 'senet':
      // The means, and two layers: fields → units → fields.
      return inputWidth + 2 * fields.length * step.units;
    case 'gate':
    case 'softmax':
      return width;
    case 'dense':
      return inputWidth * step.units;
    case 'inner':
      return width * fields[0];
    case 'fm':
      // Each number once in its sum and once in the sum of squares, then the sums' own squares.
      return 2 * inputWidth + fields[0];
    case 'cross':
      // The product with x0 and the addition of x are one multiply-add a number.
      return (step.rank === null ? width * width : 2 * width * step.rank) + width;
    case 'sum':
      return inputWidth;
    case 'add':
    case 'multiply':
      return inputWidth - width;
    default:
      return 0;
  }
}
