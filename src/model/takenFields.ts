import type { Field } from '../schema/schema.ts';
import type { TypedModel } from './checkModel.ts';
import { readsFields } from './steps.ts';

/** The fields a model takes, in the order it first takes them: what must be encoded. */
export function takenFields({ model, schema }: TypedModel): Field[] {
  const byName = new Map(schema.fields.map((field) => [field.name, field]));
  const taken = new Set<Field>();
  for (const step of model.steps) {
    if (!readsFields(step)) continue;
    for (const name of step.inputs) {
      const field = byName.get(name);
      if (field !== undefined) taken.add(field);
    }
  }
  return [...taken];
}
