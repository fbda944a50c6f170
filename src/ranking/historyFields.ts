import { createAdHistory } from '../history/adHistory.ts';
import { createHistoryRows } from '../history/assemble.ts';
import type { AdHistory, History, HistoryRows } from '../history/history.ts';
import { keysReadOf, takenHistory } from '../history/takenHistory.ts';
import { derivedFields } from '../schema/derivedFields.ts';
import type { EncodedColumn } from '../schema/encoded.ts';
import type { Encoder } from '../schema/encoder.ts';
import { ColumnBuffers, gatherKeys } from '../schema/gatherRows.ts';
import type { Keys } from '../schema/keys.ts';
import type { ColumnField, SequenceField, VectorField } from '../schema/schema.ts';
import type { Scope } from '../schema/scopes.ts';
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
  /** Rows of the catalog's ads (or creatives), where all keys are from there. */
  readonly catalogRows?: Int32Array;
}

/** A catalog's keys by field; those of creatives are a row a creative where `creativeAds`, each one's ad, is there. */
export interface CatalogKeys {
  readonly keys: ReadonlyMap<string, Keys>;
  readonly creativeAds?: Int32Array;
}

/** A counter that the model takes, and room for its encoded numbers. */
interface TakenCounter {
  readonly field: VectorField;
  /** Of the plan. */
  readonly index: number;
  readonly scope: Taken;
  encoded: Float32Array;
}

interface TakenSequence {
  readonly sequence: SequenceField;
  readonly index: number;
  readonly scope: Taken;
  readonly keys: SequenceKeys;
}

/** What has a row of its own: the request, a candidate, or each creative of one. */
type Taken = 'request' | 'candidate' | 'variant';

/**
 * Encodes what a model takes of history: what depends on the request alone once, the rest a candidate. Values go the way that those
 * of training do, through the one encoder. Looking values up and standardising counters makes no objects; lists of a sequence's ids are
 * made anew.
 */
export class HistoryFields {
  /** Whether a value may differ from one creative of an ad to the other, so that all is looked up by creative. */
  readonly ofVariants: boolean;
  private readonly encoder: Encoder;
  private readonly history: History;
  private readonly counters: readonly TakenCounter[];
  private readonly sequences: readonly TakenSequence[];
  private readonly ofRequestAlone: boolean;
  /** Where the catalog has candidates' keys. */
  private readonly ads: AdHistory | undefined;
  private readonly inCatalog: readonly boolean[];
  private readonly requestKeys: Keys[];
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
    this.counters = used.flatMap((counter) => {
      if (counter.kind !== 'counter') return [];
      const [field] = derivedOf(counter) as VectorField[];
      const index = plan.counters.findIndex(({ name }) => name === counter.name);
      return [{ field, index, scope: scopeOf([field]), encoded: new Float32Array(0) }];
    });
    this.sequences = used.flatMap((sequence) => {
      if (sequence.kind !== 'sequence') return [];
      const index = plan.sequences.findIndex(({ name }) => name === sequence.name);
      const keys = new SequenceKeys(sequence, encoder, taken);
      return [{ sequence, index, scope: scopeOf(derivedOf(sequence)), keys }];
    });
    const own = [...this.counters, ...this.sequences];
    this.ofRequestAlone = own.every(({ scope }) => scope === 'request');
    const { keys: catalogKeys, creativeAds } = catalog ?? {};
    this.ofVariants = creativeAds !== undefined && own.some(({ scope }) => scope === 'variant');
    const read = keysReadOf(used);
    const adKeys = plan.keyFields.map(({ name, scope }) => {
      const keys = read.has(name) ? catalogKeys?.get(name) : undefined;
      const isAds = keys !== undefined && this.ofVariants && scope === 'ad';
      return isAds ? gatherKeys(keys, undefined, creativeAds as Int32Array, new ColumnBuffers()) : keys;
    });
    this.inCatalog = adKeys.map((keys) => keys !== undefined);
    const scales = plan.counters.map((_, c) => {
      const counter = this.counters.find(({ index }) => index === c);
      return counter && encoder.vectorScale(counter.field);
    });
    this.ads = this.inCatalog.includes(true) ? createAdHistory(history, adKeys, scales) : undefined;
    this.requestKeys = adKeys.map(() => nothing);
    this.rows = createHistoryRows(plan, 1);
  }

  /**
   * @param history that which is held, or one laid over it
   * @param out     receives one row of the request's fields, [count] of the others; one a creative of what tells these apart
   */
  encode(history: History, request: RequestKeys, nowMs: number, out: Map<string, EncodedColumn>): void {
    const { count, variants } = request;
    const rowCount = variants?.count ?? count;
    if (this.rows.rowCount < rowCount && !this.ofRequestAlone)
      this.rows = createHistoryRows(history.plan, Math.ceil(rowCount * 1.5));
    const isEncoded = this.read(history, request, rowCount, nowMs);
    if (variants !== undefined && rowCount > count) this.pickCandidates(variants.offsets, count);
    const rowsOf = (scope: Taken) => (scope === 'request' ? 1 : scope === 'candidate' ? count : rowCount);
    for (const counter of this.counters) this.encodeCounter(counter, rowsOf(counter.scope), isEncoded, out);
    for (const { index, scope, keys } of this.sequences) keys.encode(this.rows.sequences[index], rowsOf(scope), out);
  }

  /** What creatives of a candidate have alike: that of its first. */
  private pickCandidates(offsets: Int32Array, count: number): void {
    const pick = (values: Int32Array | Uint8Array | Float32Array, width: number) => {
      for (let i = 1; i < count; i++) values.copyWithin(i * width, offsets[i] * width, (offsets[i] + 1) * width);
    };
    for (const { scope, index, field } of this.counters)
      if (scope === 'candidate') pick(this.rows.counters[index], field.length);
    for (const { scope, index, sequence } of this.sequences) {
      if (scope !== 'candidate') continue;
      const { counts, items, valid, actions, gaps } = this.rows.sequences[index];
      pick(counts, 1);
      for (const words of items) pick(words, 2 * sequence.length);
      for (const bytes of [...valid, actions, gaps]) pick(bytes, sequence.length);
    }
  }

  /** @returns whether the counters are encoded already: where ads have their keys in the catalog */
  private read(history: History, { keysOf, catalogRows }: RequestKeys, count: number, nowMs: number): boolean {
    const { plan } = history;
    if (this.ads !== undefined && catalogRows !== undefined && history === this.history) {
      const { requestKeys, inCatalog } = this;
      for (let k = 0; k < requestKeys.length; k++)
        if (!inCatalog[k]) requestKeys[k] = keysOf(plan.keyFields[k].name) ?? nothing;
      this.ads.read(requestKeys, 0, nowMs, catalogRows, count, this.rows);
      this.spread(this.ads, count);
      return true;
    }
    const found = plan.keyFields.map(({ name }) => keysOf(name) ?? nothing);
    if (this.ofRequestAlone) {
      const alone = found.map((keys) => (keys.rowCount === 1 ? keys : nothing));
      history.readRow(alone, 0, nowMs, this.rows, 0);
      return false;
    }
    const spread = found.map((keys) => spreadKeys(keys, count));
    for (let i = 0; i < count; i++) history.readRow(spread, i, nowMs, this.rows, i);
    return false;
  }

  /** What would depend on the ad, had the catalog its key, is alike for all. */
  private spread({ counterIsOfAd, sequenceIsOfAd }: AdHistory, count: number): void {
    for (const { index, scope, field } of this.counters) {
      if (scope === 'request' || counterIsOfAd[index]) continue;
      const numbers = this.rows.counters[index];
      for (let i = 1; i < count; i++) numbers.copyWithin(i * field.length, 0, field.length);
    }
    for (const { index, scope, sequence } of this.sequences) {
      if (scope === 'request' || sequenceIsOfAd[index]) continue;
      const { counts, items, valid, actions, gaps } = this.rows.sequences[index];
      const { length } = sequence;
      counts.fill(counts[0], 0, count);
      for (let i = 1; i < count; i++) {
        for (const words of items) words.copyWithin(2 * i * length, 0, 2 * length);
        for (const bytes of [...valid, actions, gaps]) bytes.copyWithin(i * length, 0, length);
      }
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

const nothing: Keys = { rowCount: 1, words: new Int32Array(2), valid: new Uint8Array(1) };

/** One value for all as one a candidate. */
function spreadKeys(keys: Keys, count: number): Keys {
  if (keys.rowCount === count) return keys;
  const words = new Int32Array(2 * count);
  for (let i = 0; i < words.length; i++) words[i] = keys.words[i & 1];
  return { rowCount: count, words, valid: keys.valid && new Uint8Array(count).fill(keys.valid[0]) };
}
