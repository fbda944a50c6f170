import { parameterCount, type TypedModel } from '../../model/checkModel.ts';
import type { Step } from '../../model/steps.ts';
import { type FieldsType, type TypedValue, type ValueType, widthOf } from '../../model/values.ts';
import { floatBytes, type StepCost } from './costs.ts';
import { sumOf } from './parts.ts';

/** A model's step with what it costs, at the scope it is computed at. */
export interface NaiveStepCost extends StepCost {
  readonly step: Step;
  readonly type: ValueType;
  /** Learned numbers of the step, embedding tables apart. */
  readonly parameters: number;
}

/** What a model's steps cost as they are, each once a row of its scope, with nothing rewritten. */
export function naiveCosts(typed: TypedModel): NaiveStepCost[] {
  const named = (name: string) => typed.values.get(name) as TypedValue;
  return typed.model.steps.map((step) => {
    const { output } = step;
    const { type, scope } = named(output);
    const inputs = step.op === 'embed' || step.op === 'input' ? [] : step.inputs.map(named);
    const parameters = parameterCount(typed.parameters.get(output) ?? []);
    const own = inputs.filter((input) => scope === 'request' || input.scope !== 'request');
    const numbers = own.map((input) => widthOf(input.type));
    numbers.push(
      readWithin(
        step,
        inputs.map((input) => input.type),
      ),
    );
    if (scope === 'request') numbers.push(parameters);
    if (step.op === 'embed' || step.op === 'input') numbers.push(widthOf(type));
    const types = inputs.map((input) => input.type);
    const bytes = floatBytes * sumOf(numbers);
    return { step, output, type, scope, parameters, multiplyAdds: multiplyAddsOf(step, types, type), bytes };
  });
}

/** Numbers that a step of several layers reads of its own, beyond each input once. */
function readWithin(step: Step, inputs: readonly ValueType[]): number {
  if (step.op === 'senet') return (inputs[0] as FieldsType).sizes.length + step.units;
  // The product's output, x once more, and what lies between the two factors of a low rank.
  return step.op === 'cross' ? 2 * widthOf(inputs[0]) + (step.rank ?? 0) : 0;
}

function multiplyAddsOf(step: Step, inputs: readonly ValueType[], output: ValueType): number {
  const width = widthOf(output);
  const inputWidth = sumOf(inputs.map(widthOf));
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
