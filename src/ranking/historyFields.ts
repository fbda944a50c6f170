import { createHistoryRows } from '../history/assemble.ts';
import type { History, HistoryRows } from '../history/history.ts';
import { takenHistory } from '../history/takenHistory.ts';
import { derivedFields } from '../schema/derivedFields.ts';
import type { EncodedColumn } from '../schema/encoded.ts';
import type { Encoder } from '../schema/encoder.ts';
import type { Keys } from '../schema/keys.ts';
import type { ColumnField, CounterField, SequenceField, VectorField } from '../schema/schema.ts';
import type { Scope } from '../schema/scopes.ts';
import { CatalogHistory, nothing } from './catalogHistory.ts';
import { SequenceKeys } from './sequenceKeys.ts';
import type { Variants } from './variants.ts';

/** The keys of a request and its candidates, or of their creatives where history tells these apart. */
export interface RequestKeys {
  /** Candidates. */
  readonly count: number;
  /** Of history that tells creatives apart. */
  readonly variants?: Variants;
  /** Of a field: one row for all, or one a candidate (or creative); undefined for what nothing is looked up by. */
  keysOf(name: string): Keys | undefined;
  /** Rows of the catalog, where all keys of candidates, and of their creatives, are from there. */
  readonly catalogRows?: Int32Array;
}

/** A catalog's keys by field; those of creatives are a row a creative where `creativeAds`, each one's ad, is there. */
export interface CatalogKeys {
  readonly keys: ReadonlyMap<string, Keys>;
  readonly creativeAds?: Int32Array;
}

/** What has a row of its own: the request, a candidate, or each creative of one. */
type Taken = 'request' | 'candidate' | 'variant';

/** A counter that the model takes, and room for its encoded numbers. */
export interface TakenCounter {
  readonly from: CounterField;
  readonly field: VectorField;
  /** Of the plan. */
  readonly index: number;
  readonly scope: Taken;
  encoded: Float32Array;
}

export interface TakenSequence {
  readonly from: SequenceField;
  readonly index: number;
  readonly scope: Taken;
  readonly keys: SequenceKeys;
}

/**
 * Encodes what a model takes of history: what depends on the request alone once, the rest a candidate, or a creative where it tells these
 * apart. Values go the way that those of training do, through the one encoder. Looking values up and standardising counters makes no
 * objects; lists of a sequence's ids are made anew.
 */
export class HistoryFields {
  /** Whether a value may differ from one creative of an ad to the other. */
  readonly ofVariants: boolean;
  private readonly encoder: Encoder;
  private readonly history: History;
  private readonly counters: readonly TakenCounter[];
  private readonly sequences: readonly TakenSequence[];
  private readonly ofRequestAlone: boolean;
  /** Where the catalog has candidates' keys: what creatives have alike, and what not. */
  private readonly ofAds: CatalogHistory | undefined;
  private readonly ofCreatives: CatalogHistory | undefined;
  private rows: HistoryRows;

  /**
   * @param history what is held
   * @param taken   names of the fields that the model takes
   */
  constructor(history: History, encoder: Encoder, taken: ReadonlySet<string>, catalog?: CatalogKeys) {
    const { schema } = encoder;
    const { plan } = history;
    const byName = new Map(schema.fields.map((field) => [field.name, field]));
    const used = takenHistory(schema, taken);
    const derivedOf = (field: (typeof used)[number]) =>
      derivedFields(field, byName).filter(({ name }) => taken.has(name)) as ColumnField[];
    const scopeOf = (fields: readonly { scope: Scope }[]): Taken => {
      if (fields.every(({ scope }) => scope === 'request')) return 'request';
      return fields.some(({ scope }) => scope === 'variant') ? 'variant' : 'candidate';
    };
    this.encoder = encoder;
    this.history = history;
    this.counters = used.flatMap((from) => {
      if (from.kind !== 'counter') return [];
      const [field] = derivedOf(from) as VectorField[];
      const index = plan.counters.findIndex(({ name }) => name === from.name);
      return [{ from, field, index, scope: scopeOf([field]), encoded: new Float32Array(0) }];
    });
    this.sequences = used.flatMap((from) => {
      if (from.kind !== 'sequence') return [];
      const index = plan.sequences.findIndex(({ name }) => name === from.name);
      const keys = new SequenceKeys(from, encoder, taken);
      return [{ from, index, scope: scopeOf(derivedOf(from)), keys }];
    });
    const { counters, sequences } = this;
    const own = [...counters, ...sequences];
    this.ofRequestAlone = own.every(({ scope }) => scope === 'request');
    this.ofVariants = catalog?.creativeAds !== undefined && own.some(({ scope }) => scope === 'variant');
    if (catalog !== undefined) {
      const readerOf = (ofCreatives: boolean) => {
        const isOwn = ({ scope }: { scope: Taken }) => (this.ofVariants && scope === 'variant') === ofCreatives;
        const fields = { counters: counters.filter(isOwn), sequences: sequences.filter(isOwn) };
        return new CatalogHistory(history, encoder, fields, ofCreatives, catalog);
      };
      const ofAds = readerOf(false);
      const ofCreatives = this.ofVariants ? readerOf(true) : undefined;
      if (ofAds.isOfCatalog || ofCreatives?.isOfCatalog) {
        this.ofAds = ofAds;
        this.ofCreatives = ofCreatives;
      }
    }
    this.rows = createHistoryRows(plan, 1);
  }

  /**
   * @param history that which is held, or one laid over it
   * @param out     receives one row of the request's fields, [count] of the others; one a creative of what tells these apart
   */
  encode(history: History, request: RequestKeys, nowMs: number, out: Map<string, EncodedColumn>): void {
    const { count, variants, keysOf, catalogRows } = request;
    const rowCount = variants?.count ?? count;
    if (this.rows.rowCount < rowCount && !this.ofRequestAlone)
      this.rows = createHistoryRows(history.plan, Math.ceil(rowCount * 1.5));
    const isEncoded = this.ofAds !== undefined && catalogRows !== undefined && history === this.history;
    if (isEncoded) {
      this.ofAds.read(keysOf, nowMs, catalogRows, this.rows);
      if (variants !== undefined) this.ofCreatives?.read(keysOf, nowMs, variants.known, this.rows);
    } else {
      this.readRows(history, keysOf, rowCount, nowMs);
      if (variants !== undefined) this.pickCandidates(variants.offsets, count);
    }
    const rowsOf = (scope: Taken) => (scope === 'request' ? 1 : scope === 'candidate' ? count : rowCount);
    for (const counter of this.counters) this.encodeCounter(counter, rowsOf(counter.scope), isEncoded, out);
    for (const { index, scope, keys } of this.sequences) keys.encode(this.rows.sequences[index], rowsOf(scope), out);
  }

  /** Reads all by candidate, or by creative. */
  private readRows(history: History, keysOf: RequestKeys['keysOf'], count: number, nowMs: number): void {
    const found = history.plan.keyFields.map(({ name }) => keysOf(name) ?? nothing);
    if (this.ofRequestAlone) {
      const alone = found.map((keys) => (keys.rowCount === 1 ? keys : nothing));
      history.readRow(alone, 0, nowMs, this.rows, 0);
      return;
    }
    const spread = found.map((keys) => spreadKeys(keys, count));
    for (let i = 0; i < count; i++) history.readRow(spread, i, nowMs, this.rows, i);
  }

  /** What creatives of a candidate have alike: that of its first. */
  private pickCandidates(offsets: Int32Array, count: number): void {
    const pick = (values: Int32Array | Uint8Array | Float32Array, width: number) => {
      for (let i = 1; i < count; i++) values.copyWithin(i * width, offsets[i] * width, (offsets[i] + 1) * width);
    };
    for (const { scope, index, field } of this.counters)
      if (scope === 'candidate') pick(this.rows.counters[index], field.length);
    for (const { scope, index, from } of this.sequences) {
      if (scope !== 'candidate') continue;
      const { counts, items, valid, actions, gaps } = this.rows.sequences[index];
      pick(counts, 1);
      for (const words of items) pick(words, 2 * from.length);
      for (const bytes of [...valid, actions, gaps]) pick(bytes, from.length);
    }
  }

  private encodeCounter(
    counter: TakenCounter,
    rowCount: number,
    isEncoded: boolean,
    out: Map<string, EncodedColumn>,
  ): void {
    const { field, index } = counter;
    const size = rowCount * field.length;
    const values = this.rows.counters[index].subarray(0, size);
    if (isEncoded) {
      out.set(field.name, { kind: 'dense', width: field.length, values });
      return;
    }
    if (counter.encoded.length < size) counter.encoded = new Float32Array(Math.ceil(size * 1.5));
    out.set(field.name, this.encoder.encodeVectors(field, values, counter.encoded.subarray(0, size)));
  }
}

/** One value for all as one a candidate. */
function spreadKeys(keys: Keys, count: number): Keys {
  if (keys.rowCount === count) return keys;
  const words = new Int32Array(2 * count);
  for (let i = 0; i < words.length; i++) words[i] = keys.words[i & 1];
  return { rowCount: count, words, valid: keys.valid && new Uint8Array(count).fill(keys.valid[0]) };
}
