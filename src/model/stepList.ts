import { defaultMaxItems } from '../schema/encoder.ts';
import { embeddingSize, isEmbedded, isSequence, scopeOfField, tableOf } from '../schema/fields.ts';
import type { Field, IdsField, Schema } from '../schema/schema.ts';
import { type Scope, scopes } from '../schema/scopes.ts';
import type { SequenceOptions } from './architecture.ts';
import type { Activation, Loss, Model, Step, TableSpec, Task } from './steps.ts';

/** Builds a model's list of steps; what the architectures have in common. */
export class StepList {
  /** Those that are read; all but in a view. */
  readonly fields: readonly Field[];
  private readonly schema: Schema;
  private readonly byName: ReadonlyMap<string, Field>;
  private readonly architecture: string;
  private readonly steps: Step[];
  private readonly tables: Map<string, TableSpec>;

  /** @param view of a list: its steps and tables, but only some fields */
  constructor(
    architecture: string,
    schema: Schema,
    view?: { readonly of: StepList; readonly fields: readonly Field[] },
  ) {
    this.architecture = architecture;
    this.schema = schema;
    this.fields = view?.fields ?? schema.fields;
    this.byName = new Map(schema.fields.map((field) => [field.name, field]));
    this.steps = view?.of.steps ?? [];
    this.tables = view?.of.tables ?? new Map();
  }

  /** The same list, to which only the fields of some scopes are known. */
  within(scopes: readonly Scope[]): StepList {
    const fields = this.fields.filter((field) => scopes.includes(scopeOfField(field, this.byName)));
    return new StepList(this.architecture, this.schema, { of: this, fields });
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
    const queries = this.queryFields();
    const groups = new Map<string, Field[]>();
    for (const scope of scopes) {
      for (const field of this.fields) {
        if (!isEmbedded(field) || isSequence(field) || scopeOfField(field, this.byName) !== scope) continue;
        const group = queries.has(field) ? `${scope}.query` : scope;
        groups.set(group, [...(groups.get(group) ?? []), field]);
      }
    }
    return groups;
  }

  /**
   * What events are compared with: the fields that share a table with a sequence, the ad's first of all, but also where it would be
   * shown; all of the ad's where none of them does, unless the sequences are outside of this view.
   */
  private queryFields(): ReadonlySet<Field> {
    const { fields } = this;
    const tables = new Set(this.schema.fields.filter(isSequence).map(tableOf));
    const ofAd = fields.filter((field) => {
      const scope = scopeOfField(field, this.byName);
      return isEmbedded(field) && !isSequence(field) && (scope === 'ad' || scope === 'creative');
    });
    if (tables.size === 0 || ofAd.length === 0) return new Set();
    const alike = ofAd.filter((field) => tables.has(tableOf(field)));
    const others = fields.filter((field) => field.kind === 'id' && !ofAd.includes(field) && tables.has(tableOf(field)));
    return new Set([...(alike.length > 0 || !fields.some(isSequence) ? alike : ofAd), ...others]);
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
    for (const field of this.fields.filter(isSequence)) {
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
  readSequences(embeddings: string, options: SequenceOptions): string[] {
    const { pooling = 'attend' } = options;
    const sequences = this.sequences('sequence');
    const query = pooling === 'attend' && sequences.length > 0 ? this.query(embeddings) : undefined;
    return query === undefined
      ? this.pool(sequences, pooling === 'last' ? 'last' : 'mean')
      : this.attend(sequences, query, options, 'attended');
  }

  /** Each sequence's events, weighed by how they fit a query. @param suffix of the outputs' names */
  attend(sequences: readonly string[], query: string, { attention = {} }: SequenceOptions, suffix: string): string[] {
    const { units = 32, weights = 'softmax' } = attention;
    return sequences.map((name) =>
      this.push({ op: 'attend', inputs: [name, query], units, weights, output: `${name}.${suffix}` }),
    );
  }

  /**
   * What events are compared with, as one value; undefined where there is nothing of the ad.
   *
   * @param embeddings the output `embedAll` was given
   */
  query(embeddings: string): string | undefined {
    const groups = [...this.embedGroups().keys()].filter((group) => group.endsWith('.query'));
    const parts = groups.map((group) => `${embeddings}.${group}`);
    return parts.length < 2 ? parts[0] : this.push({ op: 'concat', inputs: parts, output: 'query' });
  }

  /** The sequences looked up so far that share a table with this view's fields. */
  alikeSequences(): string[] {
    const tables = new Set(this.fields.filter((field) => !isSequence(field)).map(tableOf));
    const alike = (step: Step) => step.op === 'embedSequence' && step.tables.some((table) => tables.has(table));
    return this.steps.filter(alike).map(({ output }) => output);
  }

  /** The dense fields, one value a scope. */
  inputs(): string[] {
    return scopes.flatMap((scope) => {
      const fields = this.fields.filter((field) => !isEmbedded(field) && scopeOfField(field, this.byName) === scope);
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
   * @param others more tasks of each label, called by its name and a suffix, and their share in its loss
   */
  finish(
    logit: (label: string) => string,
    others: readonly { suffix: string; share: number; logit(label: string): string }[] = [],
  ): Model {
    const { labels } = this.schema;
    const byName = new Map(labels.map((label) => [label.name, label]));
    const tasks: Task[] = [];
    const losses: Loss[] = [];
    for (const { suffix, share, logit: make } of [{ suffix: '', share: 1, logit }, ...others]) {
      const logits = new Map(labels.map(({ name }) => [name, make(name)]));
      for (const { name, weight = 1 } of labels) {
        const chain: string[] = [];
        for (let at: string | undefined = name; at !== undefined; at = byName.get(at)?.after)
          chain.unshift(logits.get(at) as string);
        tasks.push({ name: name + suffix, logits: chain });
        losses.push({ task: name + suffix, label: name, weight: share * weight });
      }
    }
    return { architecture: this.architecture, tables: [...this.tables.values()], steps: this.steps, tasks, losses };
  }
}
