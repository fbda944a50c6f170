import { UserError } from '../core/errors.ts';
import type { Random } from '../core/random.ts';
import type { ColumnBatch } from './columns.ts';
import { BatchReader } from './fieldKeys.ts';
import { columnOf, firstId, isEmbedded, missingId, tableOf } from './fields.ts';
import { type ColumnType, columnTypeOf, type Fitted, type NumberStatistics } from './fitted.ts';
import { bucketise, numbersOf, transform } from './numbers.ts';
import { placed } from './rowError.ts';
import type { CrossField, Field, IdField, IdsField, NumberField, Schema } from './schema.ts';
import { hashedVocabulary, type Vocabulary, VocabularyCounter } from './vocabulary.ts';

/** Quantiles are those of a uniform sample of so many values. */
const quantileSample = 100_000;

/** Learns vocabularies and statistics from training data, a batch at a time. */
export class Fitter {
  private readonly schema: Schema;
  private readonly byName: ReadonlyMap<string, Field>;
  private readonly tables = new Map<string, TableFit>();
  private readonly numbers = new Map<string, NumberFit>();
  private readonly columnTypes = new Map<string, ColumnType>();

  constructor(schema: Schema, random: Random) {
    this.schema = schema;
    this.byName = new Map(schema.fields.map((field) => [field.name, field]));
    for (const field of schema.fields) {
      const table = tableOf(field);
      if (field.kind === 'number')
        this.numbers.set(field.name, new NumberFit(field, random.fork(`quantiles ${field.name}`)));
      else if (table !== undefined && !this.tables.has(table)) {
        const { minCount, buckets } = field as IdField | IdsField | CrossField;
        this.tables.set(table, buckets === undefined ? new ListedFit(minCount ?? 1) : new HashedFit(buckets));
      }
    }
  }

  observe(batch: ColumnBatch): void {
    placed(batch, () => this.observeFields(batch));
  }

  private observeFields(batch: ColumnBatch): void {
    const reader = new BatchReader(batch, this.byName);
    for (const field of this.schema.fields) {
      if (field.kind !== 'cross') this.observeType(field, reader);
      if (field.kind === 'number')
        this.numbers.get(field.name)?.observe(numbersOf(reader.column(columnOf(field), ''), field, columnOf(field)));
      else if (field.kind !== 'vector') {
        const fit = this.tables.get(tableOf(field) as string) as TableFit;
        const { words, offsets, valid, rowCount } = reader.keysOf(field);
        const items = offsets === undefined ? rowCount : offsets[rowCount];
        for (let i = offsets?.[0] ?? 0; i < items; i++) {
          if (valid !== undefined && valid[i] === 0) fit.addMissing();
          else fit.add(words[2 * i], words[2 * i + 1]);
        }
        // An empty list is looked up as the missing row.
        for (let row = 0; offsets !== undefined && row < rowCount; row++)
          if (offsets[row] === offsets[row + 1]) fit.addMissing();
      }
    }
  }

  private observeType(field: Exclude<Field, CrossField>, reader: BatchReader): void {
    const column = columnOf(field);
    const type = columnTypeOf(reader.column(column, `field '${field.name}'`));
    const before = this.columnTypes.get(column);
    if (before !== undefined && before !== type) {
      throw new UserError(`column '${column}' is ${before} in one file and ${type} in another; write it with one type`);
    }
    this.columnTypes.set(column, type);
  }

  finish(): Fitted {
    const vocabularies = new Map<string, Vocabulary>();
    for (const [table, fit] of this.tables) vocabularies.set(table, fit.finish());
    const numbers = new Map<string, NumberStatistics>();
    for (const [name, fit] of this.numbers) {
      const statistics = fit.finish();
      numbers.set(name, statistics);
      if (isEmbedded(fit.field)) vocabularies.set(name, fit.bucketVocabulary(statistics.boundaries ?? []));
    }
    return { vocabularies, numbers, columnTypes: this.columnTypes };
  }
}

interface TableFit {
  add(lo: number, hi: number): void;
  addMissing(): void;
  finish(): Vocabulary;
}

class ListedFit implements TableFit {
  private readonly counter = new VocabularyCounter();
  private readonly minCount: number;

  constructor(minCount: number) {
    this.minCount = minCount;
  }

  add(lo: number, hi: number): void {
    this.counter.add(lo, hi);
  }

  addMissing(): void {
    this.counter.missing++;
  }

  finish(): Vocabulary {
    return this.counter.finish(this.minCount);
  }
}

/** Counts buckets alone, so that memory does not grow with the ids. */
class HashedFit implements TableFit {
  private readonly vocabulary: Vocabulary;

  constructor(buckets: number) {
    this.vocabulary = hashedVocabulary(buckets, new Float64Array(buckets + firstId));
  }

  add(lo: number, hi: number): void {
    this.vocabulary.counts[this.vocabulary.lookup(lo, hi)]++;
  }

  addMissing(): void {
    this.vocabulary.counts[missingId]++;
  }

  finish(): Vocabulary {
    return this.vocabulary;
  }
}

/** Mean and deviation by Welford's method; quantiles of a reservoir sample (Vitter's algorithm R). */
class NumberFit {
  readonly field: NumberField;
  private readonly random: Random;
  private readonly sample: number[] = [];
  private count = 0;
  private missing = 0;
  private mean = 0;
  private squares = 0;

  constructor(field: NumberField, random: Random) {
    this.field = field;
    this.random = random;
  }

  observe(values: Float64Array): void {
    const sampling = isEmbedded(this.field);
    for (const value of values) {
      if (Number.isNaN(value)) {
        this.missing++;
        continue;
      }
      this.count++;
      const t = transform(value, this.field);
      const delta = t - this.mean;
      this.mean += delta / this.count;
      this.squares += delta * (t - this.mean);
      if (!sampling) continue;
      if (this.sample.length < quantileSample) this.sample.push(value);
      else {
        const at = this.random.below(this.count);
        if (at < quantileSample) this.sample[at] = value;
      }
    }
  }

  finish(): NumberStatistics {
    const variance = this.count > 1 ? this.squares / this.count : 0;
    if (!Number.isFinite(variance)) {
      throw new UserError(
        `field '${this.field.name}': its values are too large to standardise; set "transform": "log1p" or scale the column`,
      );
    }
    // A constant column carries nothing: any deviation will do, 1 keeps it at 0.
    const deviation = variance > 0 ? Math.sqrt(variance) : 1;
    if (!isEmbedded(this.field)) return { mean: this.mean, deviation };
    const sorted = Float64Array.from(this.sample).sort();
    const boundaries: number[] = [];
    const buckets = this.field.quantiles as number;
    for (let k = 1; k < buckets && sorted.length > 0; k++) {
      const boundary = sorted[Math.max(0, Math.ceil((sorted.length * k) / buckets) - 1)];
      if (boundaries.length === 0 || boundary > boundaries[boundaries.length - 1]) boundaries.push(boundary);
    }
    return { mean: this.mean, deviation, boundaries };
  }

  /** Counts by bucket, scaled up from the sample. */
  bucketVocabulary(boundaries: readonly number[]): Vocabulary {
    const rows = boundaries.length + 1 + firstId;
    const counts = new Float64Array(rows);
    counts[missingId] = this.missing;
    const share = this.sample.length > 0 ? this.count / this.sample.length : 0;
    for (const id of bucketise(Float64Array.from(this.sample), boundaries)) counts[id] += share;
    return { rows, counts, lookup: (lo) => lo };
  }
}
