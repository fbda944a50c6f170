import { embeddingSize, isEmbedded, scopeOfField, tableOf } from '../schema/fields.ts';
import type { Schema } from '../schema/schema.ts';
import { scopes } from '../schema/scopes.ts';
import type { Activation, Loss, Model, Step, TableSpec, Task } from './steps.ts';

/** Builds a model's list of steps; what the architectures have in common. */
export class StepList {
  private readonly schema: Schema;
  private readonly architecture: string;
  private readonly steps: Step[] = [];
  private readonly tables = new Map<string, TableSpec>();

  constructor(architecture: string, schema: Schema) {
    this.architecture = architecture;
    this.schema = schema;
  }

  push(step: Step): string {
    this.steps.push(step);
    return step.output;
  }

  /**
   * Looks all embedded fields up, scope by scope, so that each is gathered no more often than it must be.
   *
   * @param size numbers an embedding; each field's own where absent
   * @param suffix tells the tables apart from others with the same vocabulary
   * @returns the fields value, or undefined if the schema embeds none
   */
  embedAll(output: string, size?: number, suffix = ''): string | undefined {
    const byName = new Map(this.schema.fields.map((field) => [field.name, field]));
    const parts: string[] = [];
    for (const scope of scopes) {
      const fields = this.schema.fields.filter((field) => isEmbedded(field) && scopeOfField(field, byName) === scope);
      if (fields.length === 0) continue;
      const tables = fields.map((field) => {
        const vocabulary = tableOf(field) as string;
        const name = vocabulary + suffix;
        this.tables.set(name, { name, vocabulary, size: size ?? embeddingSize(field) });
        return name;
      });
      parts.push(
        this.push({ op: 'embed', inputs: fields.map((field) => field.name), tables, output: `${output}.${scope}` }),
      );
    }
    return parts.length < 2 ? parts[0] : this.push({ op: 'stack', inputs: parts, output });
  }

  /** The dense fields, one value a scope. */
  inputs(): string[] {
    return scopes.flatMap((scope) => {
      const fields = this.schema.fields.filter(
        (field) => !isEmbedded(field) && field.kind !== 'cross' && field.scope === scope,
      );
      return fields.length === 0
        ? []
        : [this.push({ op: 'input', inputs: fields.map((field) => field.name), output: `dense.${scope}` })];
    });
  }

  dense(inputs: string[], units: number, output: string, activation: Activation = 'linear', bias = true): string {
    return this.push({ op: 'dense', inputs, units, activation, bias, output });
  }

  /** The first-order part of LR, FM and DeepFM: a weight for each id, and one for each number. */
  linear(numbers: string[], label: string): string[] {
    const weights = this.embedAll(`${label}.linear`, 1, `.${label}.linear`);
    const parts = weights === undefined ? [] : [weights];
    if (numbers.length > 0) parts.push(this.dense(numbers, 1, `${label}.numbers`, 'linear', false));
    return parts;
  }

  /** Layers of dense, ReLU and dropout. */
  mlp(inputs: string[], hidden: readonly number[], dropout: number, output: string): string[] {
    let at = inputs;
    hidden.forEach((units, i) => {
      at = [this.dense(at, units, `${output}.${i}`, 'relu')];
      if (dropout > 0) at = [this.push({ op: 'dropout', inputs: at, rate: dropout, output: `${output}.${i}.dropout` })];
    });
    return at;
  }

  /** DCNv2 cross layers over `x0`. */
  crossLayers(x0: string, layers: number, rank: number | null, output: string): string {
    let at = x0;
    for (let i = 0; i < layers; i++) at = this.push({ op: 'cross', inputs: [x0, at], rank, output: `${output}.${i}` });
    return at;
  }

  /**
   * One logit a label; a label after another is learned as the product of both probabilities (ESMM, Ma et al. 2018).
   *
   * @param logit makes the logit of one label
   */
  finish(logit: (label: string) => string): Model {
    const logits = new Map(this.schema.labels.map((label) => [label.name, logit(label.name)]));
    const byName = new Map(this.schema.labels.map((label) => [label.name, label]));
    const tasks: Task[] = [];
    const losses: Loss[] = [];
    for (const label of this.schema.labels) {
      const chain: string[] = [];
      for (let at: string | undefined = label.name; at !== undefined; at = byName.get(at)?.after)
        chain.unshift(logits.get(at) as string);
      tasks.push({ name: label.name, logits: chain });
      losses.push({ task: label.name, label: label.name, weight: label.weight ?? 1 });
    }
    return { architecture: this.architecture, tables: [...this.tables.values()], steps: this.steps, tasks, losses };
  }
}
