import { type Model, type Op, readsFields, type Step } from '../../model/steps.ts';

/** Ops whose numbers are other values' numbers: a plan needs no step for them. */
const aliases: ReadonlySet<Op> = new Set(['stack', 'concat', 'dropout', 'stopGradient', 'gate']);

/** The values that a step takes; of fields, none. */
export const readsOf = (step: Step): readonly string[] => (readsFields(step) ? [] : step.inputs);

/** The steps that some task needs, in order. */
export function liveSteps({ steps, tasks }: Model): Step[] {
  const needed = new Set(tasks.flatMap((task) => task.logits));
  return steps
    .toReversed()
    .flatMap((step) => {
      if (!needed.has(step.output)) return [];
      for (const name of readsOf(step)) needed.add(name);
      return [step];
    })
    .toReversed();
}

/** How many steps and tasks read each value, itself or under another name. */
export function readerCounts({ tasks }: Model, steps: readonly Step[]): Map<string, number> {
  const counts = new Map<string, number>();
  const count = (name: string, readers: number) => counts.set(name, (counts.get(name) ?? 0) + readers);
  for (const name of new Set(tasks.flatMap((task) => task.logits))) count(name, 1);
  for (const step of steps.toReversed()) {
    const readers = aliases.has(step.op) ? (counts.get(step.output) ?? 0) : 1;
    for (const name of new Set(readsOf(step))) count(name, readers);
  }
  return counts;
}
