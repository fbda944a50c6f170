import { listOf, messageOf, UserError } from '../core/errors.ts';
import { defaultMaxItems } from '../schema/encoder.ts';
import { denseWidth, isEmbedded, isSequence, scopeOfField, tableOf } from '../schema/fields.ts';
import { problemsOf } from '../schema/parseSchema.ts';
import type { Field, Schema } from '../schema/schema.ts';
import { joinAll, type Scope } from '../schema/scopes.ts';
import { ops, type ParameterSpec } from './ops.ts';
import {
  type FieldStep,
  type Model,
  ModelShape,
  readsFields,
  type Step,
  type StepOf,
  stepShapes,
  type TableSpec,
} from './steps.ts';
import { type TypedValue, type ValueType, vector, widthOf } from './values.ts';

/** A model whose every value has a type and a scope. */
export interface TypedModel {
  readonly model: Model;
  readonly schema: Schema;
  readonly values: ReadonlyMap<string, TypedValue>;
  /** The parameters of each step, by the step's output; a full name is `<output>.<name>`. */
  readonly parameters: ReadonlyMap<string, readonly ParameterSpec[]>;
  readonly tables: ReadonlyMap<string, TableSpec>;
}

/**
 * Reads a list of steps and derives the type and scope of every value.
 *
 * @throws UserError that names the first wrong step
 */
export function checkModel(json: unknown, schema: Schema, source = 'model'): TypedModel {
  const problems = problemsOf(ModelShape, json, (path) =>
    path === '' ? 'the model' : path.slice(1).replaceAll('/', '.'),
  );
  if (problems.length > 0) throw new UserError(`${source}: ${problems.join('; ')}`);
  const model = json as Model;
  const checker = new Checker(model, schema, source);
  model.steps.forEach((step, i) => {
    checker.add(step, i);
  });
  checker.checkTasks();
  return { model, schema, values: checker.values, parameters: checker.parameters, tables: checker.tables };
}

/** Numbers a row of a value at most, far above any sensible model: a list that joins a value with itself time and again doubles it. */
const widestValue = 2 ** 22;

class Checker {
  readonly values = new Map<string, TypedValue>();
  readonly parameters = new Map<string, readonly ParameterSpec[]>();
  readonly tables: ReadonlyMap<string, TableSpec>;
  private readonly fields: ReadonlyMap<string, Field>;
  private readonly labels: ReadonlySet<string>;
  private readonly model: Model;
  private readonly source: string;

  constructor(model: Model, schema: Schema, source: string) {
    this.model = model;
    this.source = source;
    this.fields = new Map(schema.fields.map((field) => [field.name, field]));
    this.labels = new Set(schema.labels.map((label) => label.name));
    this.tables = new Map(model.tables.map((table) => [table.name, table]));
    if (this.tables.size < model.tables.length) this.fail('the model', 'names two tables alike; rename one');
  }

  private fail(where: string, what: string): never {
    throw new UserError(`${this.source}: ${where} ${what}`);
  }

  add(step: Step, index: number): void {
    const where = `step ${index} (${String(step?.op)} → ${String(step?.output)})`;
    const shape = Object.hasOwn(stepShapes, step?.op ?? '') ? stepShapes[step.op] : undefined;
    if (shape === undefined) this.fail(where, `has an unknown op; use one of ${Object.keys(stepShapes).join(', ')}`);
    const problems = problemsOf(shape, step, (path) => path.slice(1) || 'it');
    if (problems.length > 0) this.fail(where, problems.join('; '));
    if (this.values.has(step.output)) this.fail(where, 'has the output of an earlier step; rename it');
    const ofFields = readsFields(step);
    const scopes: Scope[] = ofFields
      ? this.fieldScopes(step, where)
      : step.inputs.map((name) => this.valueOf(name, where).scope);
    const types = ofFields ? [] : step.inputs.map((name) => this.valueOf(name, where).type);
    try {
      const op = ops[step.op] as (typeof ops)['dense'];
      const type = ofFields ? this.fieldsType(step) : op.typeOf(step as StepOf<'dense'>, types);
      if (widthOf(type) > widestValue)
        throw new Error(`makes ${widthOf(type)} numbers a row, more than ${widestValue}; join fewer inputs`);
      this.values.set(step.output, { type, scope: joinAll(scopes) });
      this.parameters.set(step.output, op.parametersOf?.(step as StepOf<'dense'>, types) ?? []);
    } catch (error) {
      this.fail(where, messageOf(error));
    }
  }

  private valueOf(name: string, where: string): TypedValue {
    const value = this.values.get(name);
    if (value === undefined)
      this.fail(where, `takes '${name}', which no earlier step makes; reorder the steps or correct the name`);
    return value;
  }

  private fieldScopes(step: Step, where: string): Scope[] {
    return step.inputs.map((name) => {
      const field = this.fields.get(name);
      if (field === undefined)
        this.fail(where, `takes field '${name}', which the schema lacks; it has ${listOf([...this.fields.keys()])}`);
      return scopeOfField(field, this.fields);
    });
  }

  private fieldsType(step: FieldStep): ValueType {
    switch (step.op) {
      case 'embed':
        return this.embedType(step);
      case 'embedSequence':
        return this.sequenceType(step);
      case 'input':
        return this.inputType(step);
    }
  }

  private embedType(step: StepOf<'embed'>): ValueType {
    for (const name of step.inputs)
      if (isSequence(this.fields.get(name) as Field))
        throw new Error(`takes field '${name}', whose pooling is 'none'; embed it by embedSequence`);
    return { kind: 'fields', sizes: this.tableSizes(step), names: step.inputs };
  }

  private sequenceType(step: StepOf<'embedSequence'>): ValueType {
    for (const name of step.inputs) {
      const field = this.fields.get(name) as Field;
      if (!isSequence(field))
        throw new Error(`takes field '${name}', which is no list with pooling 'none'; embed it by embed`);
      const { maxItems = defaultMaxItems } = field;
      if (maxItems > step.length)
        throw new Error(`takes field '${name}' of up to ${maxItems} items, more than its length ${step.length}`);
    }
    const scopes = new Set(step.inputs.map((name) => scopeOfField(this.fields.get(name) as Field, this.fields)));
    if (scopes.size > 1)
      throw new Error(`takes lists of scopes ${[...scopes].join(' and ')}; the lists of one sequence have one scope`);
    const size = this.tableSizes(step).reduce((sum, width) => sum + width, 1);
    return { kind: 'sequence', length: step.length, size };
  }

  private tableSizes(step: StepOf<'embed' | 'embedSequence'>): number[] {
    if (step.tables.length !== step.inputs.length)
      throw new Error(`has ${step.inputs.length} fields but ${step.tables.length} tables`);
    return step.inputs.map((name, i) => {
      const table = this.tables.get(step.tables[i]);
      if (table === undefined) throw new Error(`uses table '${step.tables[i]}', which the model lacks`);
      const vocabulary = tableOf(this.fields.get(name) as Field);
      if (vocabulary !== table.vocabulary) {
        throw new Error(
          `looks field '${name}' (ids of '${vocabulary}') up in table '${table.name}' (ids of '${table.vocabulary}')`,
        );
      }
      return table.size;
    });
  }

  private inputType(step: StepOf<'input'>): ValueType {
    const widths = step.inputs.map((name) => {
      const field = this.fields.get(name) as Field;
      if (isEmbedded(field))
        throw new Error(`takes field '${name}' of kind '${field.kind}' as a dense input; embed it`);
      return denseWidth(field);
    });
    return vector(widths.reduce((sum, width) => sum + width, 0));
  }

  checkTasks(): void {
    const names = new Set<string>();
    for (const task of this.model.tasks) {
      if (names.has(task.name)) this.fail(`task '${task.name}'`, 'is named twice; rename one');
      names.add(task.name);
      for (const logit of task.logits) {
        const { type } = this.valueOf(logit, `task '${task.name}'`);
        if (widthOf(type) !== 1)
          this.fail(`task '${task.name}'`, `needs logits of width 1, got ${widthOf(type)} in '${logit}'`);
      }
    }
    for (const loss of this.model.losses) {
      if (!names.has(loss.task)) this.fail(`a loss of task '${loss.task}'`, 'has no such task');
      if (!this.labels.has(loss.label))
        this.fail(`the loss of task '${loss.task}'`, `takes label '${loss.label}', which the schema lacks`);
    }
  }
}

/** How many learned numbers a step has, embedding tables apart. */
export function parameterCount(parameters: readonly ParameterSpec[]): number {
  return parameters.reduce((sum, { shape }) => sum + shape.reduce((product, n) => product * n, 1), 0);
}
