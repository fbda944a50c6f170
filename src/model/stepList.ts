import { defaultMaxItems } from '../schema/encoder.ts';
import { embeddingSize, isEmbedded, isSequence, scopeOfField, tableOf } from '../schema/fields.ts';
import type { Field, IdsField, Schema } from '../schema/schema.ts';
import { scopes } from '../schema/scopes.ts';
import type { SequenceOptions } from './architecture.ts';
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
   * Looks all embedded fields up, scope by scope, so that each is gathered no more often than it must be; those that sequences are
   * compared with by themselves.
   *
   * @param size numbers an embedding; each field's own where absent
   * @param suffix tells the tables apart from others with the same vocabulary
   * @returns the fields value, or undefined if the schema embeds none
   */
  embedAll(output: string, size?: number, suffix = ''): string | undefined {
    const parts: string[] = [];
    for (const [scope, fields] of this.embedGroups()) {
      const inputs = fields.map((field) => field.name);
      const tables = fields.map((field) => this.table(field, size, suffix));
      parts.push(this.push({ op: 'embed', inputs, tables, output: `${output}.${scope}` }));
    }
    return parts.length < 2 ? parts[0] : this.push({ op: 'stack', inputs: parts, output });
  }

  /** Embedded fields by scope, those of the query apart from the rest: `ad` and `ad.query`. */
  private embedGroups(): Map<string, Field[]> {
    const byName = new Map(this.schema.fields.map((field) => [field.name, field]));
    const queries = this.queryFields();
    const groups = new Map<string, Field[]>();
    for (const scope of scopes) {
      for (const field of this.schema.fields) {
        if (!isEmbedded(field) || isSequence(field) || scopeOfField(field, byName) !== scope) continue;
        const group = queries.has(field) ? `${scope}.query` : scope;
        groups.set(group, [...(groups.get(group) ?? []), field]);
      }
    }
    return groups;
  }

  /**
   * What events are compared with: the fields that share a table with a sequence, the ad's first of all, but also where it would be
   * shown; all of the ad's where none of them does.
   */
  private queryFields(): ReadonlySet<Field> {
    const { fields } = this.schema;
    const tables = new Set(fields.filter(isSequence).map(tableOf));
    const byName = new Map(fields.map((field) => [field.name, field]));
    const ofAd = fields.filter((field) => {
      const scope = scopeOfField(field, byName);
      return isEmbedded(field) && !isSequence(field) && (scope === 'ad' || scope === 'creative');
    });
    if (tables.size === 0 || ofAd.length === 0) return new Set();
    const alike = ofAd.filter((field) => tables.has(tableOf(field)));
    const others = fields.filter((field) => field.kind === 'id' && !ofAd.includes(field) && tables.has(tableOf(field)));
    return new Set([...(alike.length > 0 ? alike : ofAd), ...others]);
  }

  /** The model's table of a field. */
  private table(field: Field, size: number | undefined, suffix: string): string {
    const vocabulary = tableOf(field) as string;
    const name = vocabulary + suffix;
    this.tables.set(name, { name, vocabulary, size: size ?? embeddingSize(field) });
    return name;
  }

  /**
   * Looks the sequences up, each the lists whose names begin alike: `recent.adId` and `recent.action`.
   *
   * @param size, suffix as of `embedAll`
   */
  sequences(output: string, size?: number, suffix = ''): string[] {
    const groups = new Map<string, IdsField[]>();
    for (const field of this.schema.fields.filter(isSequence)) {
      const [name] = field.name.split('.');
      groups.set(name, [...(groups.get(name) ?? []), field]);
    }
    return [...groups].map(([name, fields]) => {
      const inputs = fields.map((field) => field.name);
      const tables = fields.map((field) => this.table(field, size, suffix));
      const length = Math.max(...fields.map(({ maxItems = defaultMaxItems }) => maxItems));
      return this.push({ op: 'embedSequence', inputs, tables, length, output: `${output}.${name}` });
    });
  }

  /** Each sequence as one vector. */
  pool(sequences: readonly string[], mode: 'mean' | 'last'): string[] {
    return sequences.map((name) => this.push({ op: 'pool', inputs: [name], mode, output: `${name}.${mode}` }));
  }

  /**
   * Each sequence as one vector: its events weighed by how they fit the ad and where it would be shown, or pooled.
   *
   * @param embeddings the output `embedAll` was given
   */
  readSequences(embeddings: string, { attention = {}, pooling = 'attend' }: SequenceOptions): string[] {
    const sequences = this.sequences('sequence');
    const queries = [...this.embedGroups().keys()].filter((group) => group.endsWith('.query'));
    if (pooling !== 'attend' || queries.length === 0 || sequences.length === 0)
      return this.pool(sequences, pooling === 'last' ? 'last' : 'mean');
    const parts = queries.map((group) => `${embeddings}.${group}`);
    const query = parts.length === 1 ? parts[0] : this.push({ op: 'concat', inputs: parts, output: 'query' });
    const { units = 32, weights = 'softmax' } = attention;
    return sequences.map((name) =>
      this.push({ op: 'attend', inputs: [name, query], units, weights, output: `${name}.attended` }),
    );
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

  /** The first-order part of LR, FM and DeepFM: a weight for each id, the mean of a sequence’s, and one for each number. */
  linear(numbers: string[], label: string): string[] {
    const weights = this.embedAll(`${label}.linear`, 1, `.${label}.linear`);
    const parts = weights === undefined ? [] : [weights];
    const pooled = this.pool(this.sequences(`${label}.linear.sequence`, 1, `.${label}.linear`), 'mean');
    const others = [...numbers, ...pooled];
    if (others.length > 0) parts.push(this.dense(others, 1, `${label}.numbers`, 'linear', false));
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
