import type { TypedModel } from '../model/checkModel.ts';
import { takenFields } from '../model/takenFields.ts';
import { scopeOfField } from '../schema/fields.ts';
import { type Scope, scopeIncludes } from '../schema/scopes.ts';
import { CostModel } from './planner/costModel.ts';
import { liveSteps, readerCounts } from './planner/liveSteps.ts';
import type { Part } from './planner/parts.ts';
import { PlanBuilder } from './planner/planBuilder.ts';
import type { Plan, PlanOptions, Slice } from './planner/planSteps.ts';
import type { Planning } from './planner/scopedSums.ts';
import { translateStep } from './planner/translateStep.ts';

/**
 * Turns a model's steps into a plan in which each value is computed at its scope, by exact algebra: a layer over values
 * of several scopes becomes a sum of layers over each, and gates move past the layer that follows them where that is
 * cheaper at the rates given. What no task needs is left out. The plan changes what an answer costs, never the answer.
 */
export function createPlan(typed: TypedModel, options: PlanOptions): Plan {
  const { keeps = true, requestFields = 'request' } = options;
  const builder = new PlanBuilder(typed);
  const steps = liveSteps(typed.model);
  const counts = readerCounts(typed.model, steps);
  const parts = new Map<string, readonly Part[]>();
  const readers = new Map<string, number>();
  const embeddings = new Set<string>();
  const planning: Planning = {
    builder,
    costs: new CostModel(options),
    readersOf: ({ value }: Slice) => readers.get(value) ?? 1,
    isEmbedding: ({ value }: Slice) => embeddings.has(value),
    sums: new Map(),
  };
  const scopeOf = (scope: Scope): Scope => (requestFields === 'rows' ? 'candidate' : scope);
  for (const step of steps) {
    const made = translateStep({ ...planning, typed, scopeOf, parts }, step);
    parts.set(step.output, made);
    for (const { slice } of made) {
      if (!readers.has(slice.value)) readers.set(slice.value, counts.get(step.output) ?? 1);
      if (step.op === 'embed') embeddings.add(slice.value);
    }
  }
  const tasks = typed.model.tasks.map(({ name, logits }) => ({
    name,
    logits: logits.map((logit) => builder.whole(parts.get(logit) as Part[], logit)),
  }));
  return builder.finish(tasks, keeps);
}

/** Whether a model takes fields that creatives of one candidate may differ in. */
export function knowsCreatives(typed: TypedModel): boolean {
  const byName = new Map(typed.schema.fields.map((field) => [field.name, field]));
  return takenFields(typed).some((field) => scopeIncludes(scopeOfField(field, byName), 'creative'));
}
