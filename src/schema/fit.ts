import { UserError } from '../core/errors.ts';
import type { Random } from '../core/random.ts';
import type { ColumnBatch } from './columns.ts';
import { BatchReader } from './fieldKeys.ts';
import { columnOf, firstId, isEmbedded, isMade, isSequence, missingId, tableOf } from './fields.ts';
import { NumberFit, VectorFit } from './fitNumbers.ts';
import { type ColumnType, columnTypeOf, type Fitted, type NumberStatistics } from './fitted.ts';
import { numbersOf, vectorNumbersOf } from './numbers.ts';
import { placed } from './rowError.ts';
import type { ColumnField, CrossField, Field, IdField, IdsField, Schema } from './schema.ts';
import { hashedVocabulary, identityVocabulary, type Vocabulary, VocabularyCounter } from './vocabulary.ts';

/** Learns vocabularies and statistics from training data, a batch at a time. */
export class Fitter {
  private readonly schema: Schema;
  private readonly byName: ReadonlyMap<string, Field>;
  private readonly tables = new Map<string, TableFit>();
  private readonly numbers = new Map<string, NumberFit>();
  private readonly vectors = new Map<string, VectorFit>();
  /** Tables that fields other than sequences use. */
  private readonly impressionTables = new Set<string>();
  private readonly columnTypes = new Map<string, ColumnType>();

  constructor(schema: Schema, random: Random) {
    this.schema = schema;
    this.byName = new Map(schema.fields.map((field) => [field.name, field]));
    for (const field of schema.fields) {
      const table = tableOf(field);
      if (field.kind === 'number')
        this.numbers.set(field.name, new NumberFit(field, random.fork(`quantiles ${field.name}`)));
      else if (field.kind === 'vector') {
        if (field.standardise) this.vectors.set(field.name, new VectorFit(field));
      } else if (field.kind !== 'match' && table !== undefined) {
        if (!isSequence(field)) this.impressionTables.add(table);
        if (!this.tables.has(table)) this.tables.set(table, tableFit(field));
      }
    }
  }

  observe(batch: ColumnBatch): void {
    placed(batch, () => this.observeFields(batch));
  }

  private observeFields(batch: ColumnBatch): void {
    const reader = new BatchReader(batch, this.byName);
    for (const field of this.schema.fields) {
      if (field.kind === 'match') continue;
      if (!isMade(field)) this.observeType(field, reader);
      if (field.kind === 'number')
        this.numbers.get(field.name)?.observe(numbersOf(reader.column(columnOf(field), ''), field, columnOf(field)));
      else if (field.kind === 'vector')
        this.vectors
          .get(field.name)
          ?.observe(vectorNumbersOf(reader.column(columnOf(field), ''), field, columnOf(field)));
      else this.observeKeys(field, reader);
    }
  }

  private observeKeys(field: IdField | IdsField | CrossField, reader: BatchReader): void {
    const table = tableOf(field) as string;
    const isList = isSequence(field);
    // An event would be counted again in each sequence that shows it, and a rare id pass for a frequent one.
    if (isList && this.impressionTables.has(table)) return;
    const fit = this.tables.get(table) as TableFit;
    const { words, offsets, valid, rowCount } = reader.keysOf(field);
    const items = offsets === undefined ? rowCount : offsets[rowCount];
    for (let i = offsets?.[0] ?? 0; i < items; i++) {
      if (valid !== undefined && valid[i] === 0) fit.addMissing();
      else fit.add(words[2 * i], words[2 * i + 1]);
    }
    if (isList) return;
    // An empty list is looked up as the missing row.
    for (let row = 0; offsets !== undefined && row < rowCount; row++)
      if (offsets[row] === offsets[row + 1]) fit.addMissing();
  }

  private observeType(field: ColumnField, reader: BatchReader): void {
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
    const vectors = new Map([...this.vectors].map(([name, fit]) => [name, fit.finish()]));
    return { vocabularies, numbers, vectors, columnTypes: this.columnTypes };
  }
}

function tableFit({ minCount, buckets, identity }: Pick<IdField, 'minCount' | 'buckets' | 'identity'>): TableFit {
  if (identity !== undefined) return new FixedFit(identityVocabulary(identity, new Float64Array(identity + firstId)));
  return buckets === undefined
    ? new ListedFit(minCount ?? 1)
    : new FixedFit(hashedVocabulary(buckets, new Float64Array(buckets + firstId)));
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

/** Counts a fixed number of rows, so that memory does not grow with the ids. */
class FixedFit implements TableFit {
  private readonly vocabulary: Vocabulary;

  constructor(vocabulary: Vocabulary) {
    this.vocabulary = vocabulary;
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
