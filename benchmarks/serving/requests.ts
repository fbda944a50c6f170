import { type EncodedCatalog, encodeCatalog } from '../../src/catalog/encodeCatalog.ts';
import { createRandom, type Random } from '../../src/core/random.ts';
import type { RankRequest } from '../../src/ranking/body.ts';
import type { EncodedColumn, EncodedIds } from '../../src/schema/encoded.ts';
import { createEncoder, type Encoder } from '../../src/schema/encoder.ts';
import type { Field } from '../../src/schema/schema.ts';
import type { ScoringInput } from '../../src/scoring/scorer.ts';
import type { Market } from './market.ts';
import type { ServedMarket } from './trained.ts';

/** One user and candidates, in both forms. */
export interface BenchRequest {
  /** As the ranking takes it: the user's fields, and candidates by nothing but their ad ids. */
  readonly json: RankRequest;
  /** As an engine takes it: the user's fields as one row. Its columns are valid until the next request. */
  readonly input: ScoringInput;
  readonly user: number;
  readonly ads: Int32Array;
}

/** Requests of a market, each of a new user and of new candidates, all different, drawn evenly from all ads. */
export class RequestStream {
  private readonly market: Market;
  private readonly encoder: Encoder;
  private readonly catalog: EncodedCatalog;
  private readonly requestFields: readonly Field[];
  private readonly random: Random;
  private readonly drawnIn: Int32Array;
  private readonly columns = new Map<string, Int32Array>();
  private ads = new Int32Array(0);
  private drawn = 0;

  constructor({ market, bundle, catalog }: ServedMarket, seed: number) {
    this.market = market;
    this.encoder = createEncoder(bundle.typed.schema, bundle.fitted);
    this.catalog = encodeCatalog(catalog, this.encoder, bundle.typed.schema.fields);
    this.requestFields = bundle.typed.schema.fields.filter(({ name }) => !this.catalog.names.has(name));
    this.random = createRandom(seed);
    this.drawnIn = new Int32Array(market.size.adCount);
  }

  next(count: number): BenchRequest {
    const user = this.random.below(this.market.userCount);
    const ads = this.drawAds(count);
    const values = this.market.user(user);
    const names = this.market.userFields.map(({ name }) => name);
    return {
      json: {
        user: Object.fromEntries(names.map((name, f) => [name, values[f]])),
        slots: 4,
        candidates: Array.from(ads, (ad) => ad + 1),
      },
      input: this.encode(values, ads),
      user,
      ads,
    };
  }

  /** Requests of one user that name every ad once, so many at a time. */
  *everyAd(count: number): Generator<ScoringInput> {
    const { adCount } = this.market.size;
    const user = this.market.user(0);
    for (let from = 0; from < adCount; from += count)
      yield this.encode(
        user,
        Int32Array.from({ length: Math.min(count, adCount - from) }, (_, i) => from + i),
      );
  }

  private drawAds(count: number): Int32Array {
    const { adCount } = this.market.size;
    if (count > adCount) throw new Error(`${count} candidates of ${adCount} ads`);
    if (this.ads.length !== count) this.ads = new Int32Array(count);
    this.drawn++;
    for (let i = 0; i < count; ) {
      const ad = this.random.below(adCount);
      if (this.drawnIn[ad] === this.drawn) continue;
      this.drawnIn[ad] = this.drawn;
      this.ads[i++] = ad;
    }
    return this.ads;
  }

  private encode(user: Int32Array, ads: Int32Array): ScoringInput {
    const columns = new Map(
      this.market.userFields.map(({ name }, f) => [
        name,
        { type: 'integer' as const, rowCount: 1, values: user.slice(f, f + 1) },
      ]),
    );
    const fields = new Map<string, EncodedColumn>(
      this.encoder.encode({ rowCount: 1, columns }, this.requestFields).fields,
    );
    for (const { name } of this.market.adFields) {
      const { ids } = this.catalog.encoded.get(name) as EncodedIds;
      const picked = this.buffer(name, ads.length);
      for (let i = 0; i < ads.length; i++) picked[i] = ids[ads[i]];
      fields.set(name, { kind: 'id', ids: picked });
    }
    return { rowCount: ads.length, fields };
  }

  /** One buffer a column, so that making requests leaves nothing to collect while they are timed. */
  private buffer(name: string, length: number): Int32Array {
    let column = this.columns.get(name);
    if (column?.length !== length) this.columns.set(name, (column = new Int32Array(length)));
    return column;
  }
}
