import { parameterCount, type TypedModel } from '../../model/checkModel.ts';
import type { Step } from '../../model/steps.ts';
import { type FieldsType, type SequenceType, type TypedValue, type ValueType, widthOf } from '../../model/values.ts';
import { floatBytes, type StepCost } from './costs.ts';
import { readsOf } from './liveSteps.ts';
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
    const inputs = readsOf(step).map(named);
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
    if (step.op === 'embedSequence') numbers.push(widthOf(type) - step.length);
    const types = inputs.map((input) => input.type);
    const bytes = floatBytes * sumOf(numbers);
    return { step, output, type, scope, parameters, multiplyAdds: multiplyAddsOf(step, types, type), bytes };
  });
}

/** Numbers that a step of several layers reads of its own, beyond each input once. */
function readWithin(step: Step, inputs: readonly ValueType[]): number {
  if (step.op === 'senet') return (inputs[0] as FieldsType).sizes.length + step.units;
  // The query and the keys, and the events once more.
  if (step.op === 'attend') return step.units * (1 + (inputs[0] as SequenceType).length) + widthOf(inputs[0]);
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
    case 'attend': {
      // The query, the keys, how they fit, a weight an event, and the sum of the events so weighed.
      const [events, query] = inputs.map(widthOf);
      const { length } = inputs[0] as SequenceType;
      return query * step.units + events * step.units + length * step.units + length + events;
    }
    case 'pool':
      return step.mode === 'mean' ? inputWidth : 0;
    case 'sum':
      return inputWidth;
    case 'add':
    case 'multiply':
      return inputWidth - width;
    default:
      return 0;
  }
}
