import { assert } from '../../core/errors.ts';
import type { TypedModel } from '../../model/checkModel.ts';
import { type TypedValue, widthOf } from '../../model/values.ts';
import { joinAll, type Scope } from '../../schema/scopes.ts';
import { mergeParts, type Part, sliceKey, sumOf } from './parts.ts';
import type { Plan, PlanStep, PlanValue, Slice } from './planSteps.ts';
import { slicesOf } from './reads.ts';

/** Collects a plan's steps, names its values, and computes what so far stood only as parts. */
export class PlanBuilder {
  private readonly steps: PlanStep[] = [];
  private readonly values = new Map<string, { width: number; scope: Scope }>();
  private readonly shared = new Map<string, string>();
  private readonly typed: TypedModel;

  constructor(typed: TypedModel) {
    this.typed = typed;
  }

  /** A name for a value that the model has not. */
  freshName(base: string): string {
    const taken = (name: string) => this.values.has(name) || this.typed.values.has(name);
    let name = base;
    for (let i = 2; taken(name); i++) name = `${base}~${i}`;
    return name;
  }

  /** Adds a step and returns all of its output; `scope` of those that read fields, else that of what they read. */
  add(step: PlanStep, width: number, scope?: Scope): Slice {
    assert(!this.values.has(step.output), `the plan makes '${step.output}' twice`);
    const joined = scope ?? joinAll(slicesOf(step).map((slice) => this.scopeOf(slice)));
    this.values.set(step.output, { width, scope: joined });
    this.steps.push(step);
    return { value: step.output, from: 0, width };
  }

  scopeOf({ value }: Pick<Slice, 'value'>): Scope {
    const known = this.values.get(value);
    assert(known !== undefined, `the plan has no value '${value}' yet`);
    return known.scope;
  }

  scopeOfPart({ slice, gates }: Part): Scope {
    return joinAll((gates === undefined ? [slice] : [slice, gates]).map((each) => this.scopeOf(each)));
  }

  /** The numbers of a part, its gates applied. */
  computed(part: Part): Slice {
    const { slice, sizes, gates, name } = part;
    if (gates === undefined || name === undefined) return slice;
    return this.once(`gate ${sliceKey(slice)} ${sliceKey(gates)} ${sizes}`, slice.width, () => {
      const { type } = this.typed.values.get(name) as TypedValue;
      const isAll = widthOf(type) === slice.width;
      const output = isAll ? name : this.freshName(`${name}.${this.scopeOf(slice)}`);
      return { op: 'gate', input: slice, sizes, gates, output };
    });
  }

  /** The same numbers with every gate applied. */
  plain(parts: readonly Part[]): Part[] {
    return mergeParts(parts.map((part) => ({ slice: this.computed(part), sizes: part.sizes })));
  }

  /** All parts side by side in one value, which is called `name` unless it is there already. */
  joined(parts: readonly Part[], name: string): Slice {
    const inputs = this.plain(parts).map((part) => part.slice);
    if (inputs.length === 1) return inputs[0];
    const width = sumOf(inputs.map((slice) => slice.width));
    return this.once(`concat ${inputs.map(sliceKey)}`, width, () => ({
      op: 'concat',
      inputs,
      output: this.values.has(name) ? this.freshName(name) : name,
    }));
  }

  /** A value that is no more than these parts. */
  whole(parts: readonly Part[], name: string): string {
    const slice = this.joined(parts, name);
    if (this.values.get(slice.value)?.width === slice.width) return slice.value;
    const make = (): PlanStep => ({ op: 'concat', inputs: [slice], output: this.freshName(`${name}.alone`) });
    return this.once(`concat ${sliceKey(slice)}`, slice.width, make).value;
  }

  private once(key: string, width: number, make: () => PlanStep): Slice {
    const value = this.shared.get(key);
    if (value !== undefined) return { value, from: 0, width };
    const made = this.add(make(), width);
    this.shared.set(key, made.value);
    return made;
  }

  /**
   * Leaves out what no task needs.
   *
   * @param keeps whether what a wider scope reads of an ad's or a creative's values is kept
   */
  finish(tasks: Plan['tasks'], keeps: boolean): Plan {
    const crossed = new Set(tasks.flatMap((task) => task.logits));
    const needed = new Set(crossed);
    for (const step of this.steps.toReversed()) {
      if (!needed.has(step.output)) continue;
      const scope = this.scopeOf({ value: step.output });
      for (const slice of slicesOf(step)) {
        needed.add(slice.value);
        if (this.scopeOf(slice) !== scope) crossed.add(slice.value);
      }
    }
    const steps = this.steps.filter((step) => needed.has(step.output));
    const values = steps.map(({ output }): [string, PlanValue] => {
      const { width, scope } = this.values.get(output) as { width: number; scope: Scope };
      return [output, { width, scope, kept: keeps && crossed.has(output) && (scope === 'ad' || scope === 'creative') }];
    });
    return { steps, values: new Map(values), tasks };
  }
}
