import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom, type Random } from '../core/random.ts';
import type { Bundle } from '../model/bundle.ts';
import { checkModel } from '../model/checkModel.ts';
import { joinAll } from '../schema/scopes.ts';
import { randomBundle, randomInput, randomWeights } from './conformance/randomBundle.ts';
import { randomModel } from './conformance/randomModel.ts';
import { repeatRows } from './conformance/rows.ts';
import type { Matrix } from './engines/reference/matrix.ts';
import { runPlan } from './engines/reference/runPlan.ts';
import { runSteps } from './engines/reference/runSteps.ts';
import { createPlan } from './plan.ts';
import type { Plan, PlanOptions, PlanStep, PlanValue } from './planner/planSteps.ts';
import { slicesOf } from './planner/reads.ts';
import type { ScoringInput } from './scorer.ts';

/** Rates from those of a slow machine to those of an impossible one: every rewrite is taken in some plan. */
function randomOptions(random: Random): PlanOptions {
  const rate = () => 10 ** (6 * random.next() - 2);
  return {
    rates: {
      matrixMultiplyAddsPerNs: rate(),
      vectorMultiplyAddsPerNs: rate(),
      cacheBytesPerNs: rate(),
      memoryBytesPerNs: rate(),
    },
    candidates: 1 + random.below(1000),
    numberBytes: [1, 2, 4][random.below(3)],
    keeps: random.next() < 0.7,
    requestFields: random.next() < 0.8 ? 'request' : 'rows',
  };
}

/** One fitted schema, of which every random model takes some fields. */
const base = randomBundle({ random: createRandom(5), rowCount: 40 });
const inputs = [0, 1, 3].map((rows) => randomInput(base, rows, createRandom(rows), 'request'));

function randomTyped(random: Random): Pick<Bundle, 'typed' | 'weights'> {
  const typed = checkModel(randomModel(base.typed.schema, random, random.below(13)), base.typed.schema);
  return { typed, weights: randomWeights(typed, base.fitted, random) };
}

/** The largest difference between a plan's logits and those of the model's own steps, by the largest number on the way. */
function differenceOf({ typed, weights }: Pick<Bundle, 'typed' | 'weights'>, plan: Plan, input: ScoringInput): number {
  const naive = runSteps(typed, weights, input);
  const planned = runPlan(plan, weights, input);
  let largest = 1;
  for (const { values } of naive.values()) for (const value of values) largest = Math.max(largest, Math.abs(value));
  let difference = 0;
  typed.model.tasks.forEach((task, i) => {
    task.logits.forEach((logit, j) => {
      const expected = naive.get(logit) as Matrix;
      const got = planned.get(plan.tasks[i].logits[j]) as Matrix;
      expect([got.rows, got.width]).toEqual([expected.rows, 1]);
      for (const [row, value] of got.values.entries())
        difference = Math.max(difference, Math.abs(value - expected.values[row]));
    });
  });
  return difference / largest;
}

/** Checks what an engine relies on: every read lies within what it reads, and every value is there for a reason. */
function expectWellFormed(
  { typed, weights }: Pick<Bundle, 'typed' | 'weights'>,
  plan: Plan,
  options: PlanOptions,
): void {
  const made = new Map<string, PlanValue>();
  const wider = new Set(plan.tasks.flatMap((task) => task.logits));
  const read = new Set(wider);
  for (const step of plan.steps) {
    const { output } = step;
    const value = plan.values.get(output) as PlanValue;
    for (const slice of slicesOf(step)) {
      const from = made.get(slice.value);
      if (from === undefined) throw new Error(`${output} reads ${slice.value}, which no earlier step makes`);
      expect(slice.from >= 0 && slice.width > 0 && slice.from + slice.width <= from.width).toBe(true);
      read.add(slice.value);
      if (from.scope !== value.scope) wider.add(slice.value);
    }
    const scopes = slicesOf(step).map((slice) => (made.get(slice.value) as PlanValue).scope);
    if (step.op !== 'embed' && step.op !== 'input') expect(value.scope).toBe(joinAll(scopes));
    expectRightWeights(step, value, weights);
    expect(made.has(output)).toBe(false);
    made.set(output, value);
  }
  expect(plan.values.size).toBe(made.size);
  for (const [name, { scope, kept }] of plan.values) {
    expect(read).toContain(name);
    const isAds = scope === 'ad' || scope === 'creative';
    expect(kept).toBe(isAds && options.keeps === true && wider.has(name));
    if (options.requestFields === 'rows') expect(scope).toBe('candidate');
  }
  for (const [i, task] of plan.tasks.entries()) {
    expect(task.name).toBe(typed.model.tasks[i].name);
    for (const logit of task.logits) expect(made.get(logit)?.width).toBe(1);
  }
}

function expectRightWeights(step: PlanStep, { width }: PlanValue, weights: Bundle['weights']): void {
  const shapeOf = (name: string) => weights.get(name)?.shape as readonly number[];
  const expectRows = (weight: string, firstRow: number, rows: number, units: number) => {
    const [k, n] = shapeOf(weight);
    expect(n).toBe(units);
    expect(firstRow >= 0 && firstRow + rows <= k).toBe(true);
  };
  if (step.op === 'projectField') {
    expectRows(step.weight, step.firstRow, step.input.width, step.units);
    expect(width).toBe(step.sizes.length * step.units);
  } else if (step.op === 'affine') {
    expect(width).toBe(step.units);
    expect(step.terms.length).toBeGreaterThan(0);
    if (step.bias !== null) expect(shapeOf(step.bias)).toEqual([step.units]);
    for (const term of step.terms) {
      if (term.kind === 'product') expectRows(term.weight, term.firstRow, term.input.width, step.units);
      else if (term.kind === 'value') expect(term.input.width).toBe(step.units);
    }
  } else if (step.op === 'embed') {
    expect(step.tables.map((table) => shapeOf(`tables/${table}`)[1])).toEqual(step.sizes);
  } else if (step.op === 'add' || step.op === 'multiply' || step.op === 'multiplyAdd') {
    for (const input of step.inputs) expect(input.width).toBe(width);
  } else if (step.op === 'gate') {
    expect([step.gates.width, step.input.width]).toEqual([step.sizes.length, width]);
  }
}

describe('createPlan', () => {
  it('answers as the model’s own steps do, on a thousand random models', () => {
    const taken = new Map<string, number>();
    const count = (what: string) => taken.set(what, (taken.get(what) ?? 0) + 1);
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const random = createRandom(seed);
        const model = randomTyped(random);
        const options = randomOptions(random);
        const plan = createPlan(model.typed, options);
        expectWellFormed(model, plan, options);
        const once = inputs[random.below(inputs.length)];
        const input = options.requestFields === 'rows' || random.next() < 0.2 ? repeatRows(once) : once;
        expect(differenceOf(model, plan, input)).toBeLessThan(1e-9);
        for (const step of plan.steps) {
          count(step.op);
          if (step.op === 'projectField') count(`fields of ${plan.values.get(step.output)?.scope}`);
          if (step.op !== 'affine') continue;
          for (const term of step.terms)
            if (term.kind === 'value') count(`value of ${plan.values.get(term.input.value)?.scope}`);
        }
      }),
      { numRuns: 1000 },
    );
    // A rewrite that no plan takes would pass unseen.
    for (const what of ['request', 'ad', 'creative'].flatMap((scope) => [`fields of ${scope}`, `value of ${scope}`]))
      expect(taken.get(what), what).toBeGreaterThan(10);
  }, 60_000);
});
