import type { Random } from '../../core/random.ts';
import { ops } from '../../model/ops.ts';
import type { Activation, Model, Step, TableSpec } from '../../model/steps.ts';
import { type FieldsType, uniformSize, type ValueType, vector, widthOf } from '../../model/values.ts';
import { defaultMaxItems } from '../../schema/encoder.ts';
import { denseWidth, isEmbedded, isSequence, tableOf } from '../../schema/fields.ts';
import type { Schema } from '../../schema/schema.ts';

/** Wider values are not joined further, so that models stay small. */
const widestJoined = 80;

/**
 * A random list of well-typed steps over a schema's fields: any op over any values it can take, whatever their scopes.
 *
 * @param stepCount how many steps beside those that read fields and make logits
 */
export function randomModel(schema: Schema, random: Random, stepCount: number): Model {
  const builder = new RandomSteps(schema, random);
  builder.readFields();
  for (let i = 0; i < stepCount; i++) builder.addAny();
  return builder.finish();
}

class RandomSteps {
  private readonly schema: Schema;
  private readonly random: Random;
  private readonly steps: Step[] = [];
  private readonly types = new Map<string, ValueType>();
  private readonly tables = new Map<string, TableSpec>();

  constructor(schema: Schema, random: Random) {
    this.schema = schema;
    this.random = random;
  }

  private oneOf<T>(items: readonly T[]): T {
    return items[this.random.below(items.length)];
  }

  private name(op: string): string {
    return `${op}${this.steps.length}`;
  }

  private push(step: Step, type: ValueType): string {
    this.steps.push(step);
    this.types.set(step.output, type);
    return step.output;
  }

  /** Adds a step that takes values, typed as `checkModel` will. */
  private add(step: Step): string {
    const inputs = step.inputs.map((name) => this.types.get(name) as ValueType);
    return this.push(step, ops[step.op].typeOf(step as never, inputs));
  }

  readFields(): void {
    const embedded = this.schema.fields.filter((field) => isEmbedded(field) && !isSequence(field));
    const dense = this.schema.fields.filter((field) => !isEmbedded(field));
    for (let i = 1 + this.random.below(3); i > 0; i--) {
      // Half the steps have one size for all fields, as inner and fm need.
      const size = this.random.next() < 0.5 ? 1 + this.random.below(6) : undefined;
      const fields = Array.from({ length: 1 + this.random.below(4) }, () => this.oneOf(embedded));
      const tables = fields.map((field) => this.table(tableOf(field) as string, size ?? 1 + this.random.below(6)));
      const names = fields.map((field) => field.name);
      this.push(
        { op: 'embed', inputs: names, tables: tables.map((table) => table.name), output: this.name('embed') },
        { kind: 'fields', sizes: tables.map((table) => table.size), names },
      );
    }
    this.readSequences();
    const fields = dense.filter(() => this.random.next() < 0.5);
    if (fields.length === 0) return;
    const width = fields.reduce((sum, field) => sum + denseWidth(field), 0);
    this.push({ op: 'input', inputs: fields.map((field) => field.name), output: this.name('input') }, vector(width));
  }

  /** Each sequence with some of its lists, now and then twice. */
  private readSequences(): void {
    const lists = this.schema.fields.filter(isSequence);
    const names = [...new Set(lists.map(({ name }) => name.split('.')[0]))];
    for (let i = names.length === 0 ? 0 : this.random.below(3); i > 0; i--) {
      const sequence = this.oneOf(names);
      const all = lists.filter(({ name }) => name.split('.')[0] === sequence);
      const from = this.random.below(all.length);
      const taken = all.slice(from, from + 1 + this.random.below(all.length));
      const tables = taken.map((field) => this.table(tableOf(field) as string, 1 + this.random.below(6)));
      const length = Math.max(...taken.map(({ maxItems = defaultMaxItems }) => maxItems)) + this.random.below(2);
      const size = tables.reduce((sum, table) => sum + table.size, 1);
      this.push(
        {
          op: 'embedSequence',
          inputs: taken.map((field) => field.name),
          tables: tables.map((table) => table.name),
          length,
          output: this.name('embedSequence'),
        },
        { kind: 'sequence', length, size },
      );
    }
  }

  private table(vocabulary: string, size: number): TableSpec {
    const spec = { name: `${vocabulary}:${size}`, vocabulary, size };
    this.tables.set(spec.name, spec);
    return spec;
  }

  /** One to three values of those that fit, of at most the widest joined width. */
  private some(fits: (type: ValueType) => boolean = () => true, least = 1): string[] {
    const names = [...this.types].filter(([, type]) => fits(type)).map(([name]) => name);
    const chosen: string[] = [];
    let width = 0;
    for (let i = names.length === 0 ? 0 : least + this.random.below(3); i > 0; i--) {
      const name = this.oneOf(names);
      width += widthOf(this.types.get(name) as ValueType);
      if (chosen.length >= least && width > widestJoined) break;
      chosen.push(name);
    }
    return chosen;
  }

  private activation(): Activation {
    return this.oneOf(['linear', 'relu', 'sigmoid', 'doubleSigmoid'] as const);
  }

  private dense(inputs: string[], units: number, activation = this.activation()): string {
    const bias = this.random.next() < 0.7;
    return this.add({ op: 'dense', inputs, units, activation, bias, output: this.name('dense') });
  }

  addAny(): void {
    const isFields = (type: ValueType) => type.kind === 'fields';
    const isUniform = (type: ValueType) => type.kind === 'fields' && uniformSize(type) !== undefined;
    const any = this.some();
    const [first] = any;
    const alike = this.some((type) => widthOf(type) === widthOf(this.types.get(first) as ValueType));
    const fields = this.some(isFields);
    const [uniform] = this.some(isUniform);
    const fieldCount = (name: string) => (this.types.get(name) as FieldsType).sizes.length;
    const makers: (() => unknown)[] = [
      () => this.add({ op: 'stack', inputs: fields, output: this.name('stack') }),
      () => this.add({ op: 'concat', inputs: any, output: this.name('concat') }),
      () => this.dense(any, 1 + this.random.below(12)),
      () => this.add({ op: 'sum', inputs: any, bias: this.random.next() < 0.5, output: this.name('sum') }),
      () => this.add({ op: 'add', inputs: alike, output: this.name('add') }),
      () => this.add({ op: 'multiply', inputs: alike.slice(0, 2), output: this.name('multiply') }),
      () => this.add({ op: 'softmax', inputs: [first], output: this.name('softmax') }),
      () => this.add({ op: 'stopGradient', inputs: [first], output: this.name('stop') }),
      () => this.add({ op: 'dropout', inputs: [first], rate: 0.5, output: this.name('dropout') }),
      () => {
        const units = 1 + this.random.below(4);
        const activation = this.activation();
        const gates = this.add({ op: 'senet', inputs: [fields[0]], units, activation, output: this.name('senet') });
        this.add({ op: 'gate', inputs: [fields[0], gates], output: this.name('gate') });
      },
      () => {
        const gates = this.dense(any, fieldCount(fields[0]));
        this.add({ op: 'gate', inputs: [fields[0], gates], output: this.name('gate') });
      },
      () => {
        const rank = this.random.next() < 0.5 ? null : 1 + this.random.below(4);
        this.add({ op: 'cross', inputs: [first, alike[0]], rank, output: this.name('cross') });
      },
    ];
    const [sequence] = this.some((type) => type.kind === 'sequence');
    if (sequence !== undefined) {
      const attend = () => {
        const weights = this.oneOf(['softmax', 'sigmoid'] as const);
        const inputs = [sequence, first];
        this.add({ op: 'attend', inputs, units: 1 + this.random.below(8), weights, output: this.name('attend') });
      };
      const pool = () =>
        this.add({ op: 'pool', inputs: [sequence], mode: this.oneOf(['mean', 'last']), output: this.name('pool') });
      makers.push(attend, attend, pool);
    }
    if (uniform !== undefined) {
      makers.push(() => this.add({ op: 'fm', inputs: [uniform], output: this.name('fm') }));
      if (fieldCount(uniform) > 1)
        makers.push(() => this.add({ op: 'inner', inputs: [uniform], output: this.name('inner') }));
    }
    this.oneOf(makers)();
  }

  finish(): Model {
    const logits = ['click', 'conversion'].map(() =>
      this.random.next() < 0.8
        ? this.dense(this.some(), 1, 'linear')
        : this.add({ op: 'sum', inputs: this.some(), bias: true, output: this.name('sum') }),
    );
    return {
      architecture: 'random',
      tables: [...this.tables.values()],
      steps: this.steps,
      tasks: [
        { name: 'click', logits: [logits[0]] },
        { name: 'conversion', logits },
      ],
      losses: [],
    };
  }
}
