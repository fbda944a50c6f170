import { createAdHistory } from '../history/adHistory.ts';
import type { AdHistory, History, HistoryRows } from '../history/history.ts';
import { keysReadOf } from '../history/takenHistory.ts';
import type { Encoder } from '../schema/encoder.ts';
import { ColumnBuffers, gatherKeys } from '../schema/gatherRows.ts';
import type { Keys } from '../schema/keys.ts';
import type { CatalogKeys, TakenCounter, TakenSequence } from './historyFields.ts';

/** A key of nobody. */
export const nothing: Keys = { rowCount: 1, words: new Int32Array(2), valid: new Uint8Array(1) };

/** Reads what some counters and sequences have of rows of the catalog, of ads or of creatives, and encodes the counters. */
export class CatalogHistory {
  /** Whether it has keys of the catalog at all. */
  readonly isOfCatalog: boolean;
  private readonly counters: readonly TakenCounter[];
  private readonly sequences: readonly TakenSequence[];
  private readonly ads: AdHistory;
  /** The names of the keys that requests have; undefined for others. */
  private readonly names: readonly (string | undefined)[];
  private readonly keys: Keys[];

  /** @param taken counters and sequences that are to be read: of creatives, whose keys are then a row a creative, or of ads alone */
  constructor(
    history: History,
    encoder: Encoder,
    {
      counters,
      sequences,
    }: { readonly counters: readonly TakenCounter[]; readonly sequences: readonly TakenSequence[] },
    ofCreatives: boolean,
    { keys: catalogKeys, creativeAds }: CatalogKeys,
  ) {
    const { plan } = history;
    const read = keysReadOf([...counters, ...sequences].map(({ from }) => from));
    const adKeys = plan.keyFields.map(({ name, scope }) => {
      const keys = read.has(name) ? catalogKeys.get(name) : undefined;
      const isAds = keys !== undefined && ofCreatives && scope === 'ad';
      return isAds ? gatherKeys(keys, undefined, creativeAds as Int32Array, new ColumnBuffers()) : keys;
    });
    const scales = plan.counters.map((_, c) => {
      const counter = counters.find(({ index }) => index === c);
      return counter && encoder.vectorScale(counter.field);
    });
    const indices = (all: readonly { readonly index: number }[]) => new Set(all.map(({ index }) => index));
    const fields = { counters: indices(counters), sequences: indices(sequences) };
    this.isOfCatalog = adKeys.some((keys) => keys !== undefined);
    this.counters = counters;
    this.sequences = sequences;
    this.ads = createAdHistory(history, adKeys, scales, undefined, fields);
    this.names = plan.keyFields.map(({ name }, k) => (read.has(name) && adKeys[k] === undefined ? name : undefined));
    this.keys = plan.keyFields.map(() => nothing);
  }

  /**
   * @param keysOf the request's keys
   * @param at     rows of the catalog, or of creatives, [count]
   * @param rows   receives [count] rows of what is not the request's alone
   */
  read(keysOf: (name: string) => Keys | undefined, nowMs: number, at: Int32Array, rows: HistoryRows): void {
    const { names, keys } = this;
    for (let k = 0; k < keys.length; k++) {
      const name = names[k];
      keys[k] = (name === undefined ? undefined : keysOf(name)) ?? nothing;
    }
    this.ads.read(keys, 0, nowMs, at, at.length, rows);
    this.spread(at.length, rows);
  }

  /** What would depend on the ad, had the catalog its key, is alike for all. */
  private spread(count: number, rows: HistoryRows): void {
    const { counterIsOfAd, sequenceIsOfAd } = this.ads;
    for (const { index, scope, field } of this.counters) {
      if (scope === 'request' || counterIsOfAd[index]) continue;
      const numbers = rows.counters[index];
      for (let i = 1; i < count; i++) numbers.copyWithin(i * field.length, 0, field.length);
    }
    for (const { index, scope, from } of this.sequences) {
      if (scope === 'request' || sequenceIsOfAd[index]) continue;
      const { counts, items, valid, actions, gaps } = rows.sequences[index];
      const { length } = from;
      counts.fill(counts[0], 0, count);
      for (let i = 1; i < count; i++) {
        for (const words of items) words.copyWithin(2 * i * length, 0, 2 * length);
        for (const bytes of [...valid, actions, gaps]) bytes.copyWithin(i * length, 0, length);
      }
    }
  }
}
