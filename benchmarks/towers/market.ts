import { mix32 } from '../../src/core/hash.ts';
import { createRandom, type Random } from '../../src/core/random.ts';
import { buildModel } from '../../src/model/architectures.ts';
import type { Bundle } from '../../src/model/bundle.ts';
import type { EncodedColumn } from '../../src/schema/encoded.ts';
import { firstId } from '../../src/schema/fields.ts';
import type { Fitted } from '../../src/schema/fitted.ts';
import type { Schema } from '../../src/schema/schema.ts';
import type { Scope } from '../../src/schema/scopes.ts';
import { hashedVocabulary } from '../../src/schema/vocabulary.ts';
import { measureActivations } from '../../src/scoring/activations.ts';
import type { ScoringInput } from '../../src/scoring/scorer.ts';
import { untrainedBundle } from '../serving/untrained.ts';

/** Ads with creatives, and the dual tower that scores them, as it begins to be trained: its costs are asked for, not its quality. */
export interface TowerSize {
  readonly adCount: number;
  readonly creativesPerAd: number;
  readonly userFields: number;
  readonly adFields: number;
  readonly creativeFields: number;
  /** Ids of the user and the creative together, and counts of what they have in common. */
  readonly crosses: number;
  readonly matches: number;
  readonly embeddingSize: number;
  readonly left: readonly number[];
  readonly right: readonly number[];
}

export const towerSize: TowerSize = {
  adCount: 150_000,
  creativesPerAd: 5,
  userFields: 20,
  adFields: 12,
  creativeFields: 8,
  crosses: 1,
  matches: 4,
  embeddingSize: 16,
  left: [512, 256, 128],
  right: [64, 32],
};

export const smallTowerSize: TowerSize = {
  ...towerSize,
  adCount: 300,
  userFields: 3,
  adFields: 3,
  creativeFields: 2,
  embeddingSize: 8,
  left: [16, 8],
  right: [8],
};

export function describeTowers(size: TowerSize): string {
  const { userFields, adFields, creativeFields, embeddingSize, crosses, matches, left, right, adCount } = size;
  return `dual tower with random weights, ${userFields} user + ${adFields} ad + ${creativeFields} creative fields × ${embeddingSize}, ${crosses} cross and ${matches} match counts a creative, left ${left.join('-')}, right ${right.join('-')}, ${adCount.toLocaleString('en')} ads`;
}

interface IdField {
  readonly name: string;
  readonly scope: Scope;
  readonly ids: number;
}

/** The first of a kind names its own, the others what several have in common. */
function fieldsOf(size: TowerSize): IdField[] {
  const ids = { request: 200_000, ad: size.adCount, creative: size.adCount * size.creativesPerAd, variant: 50_000 };
  const many = (count: number, scope: keyof typeof ids) =>
    Array.from({ length: count }, (_, i) => {
      const others = [3000, 60, 20_000, 400, 12, 5000][i % 6];
      return { name: `${scope}${i}`, scope, ids: Math.min(ids[scope], i === 0 ? ids[scope] : others) };
    });
  return [
    ...many(size.userFields, 'request'),
    ...many(size.adFields, 'ad'),
    ...many(size.creativeFields, 'creative'),
    ...many(size.crosses, 'variant'),
  ];
}

const matchesField = 'matches';

export class TowerMarket {
  readonly size: TowerSize;
  readonly bundle: Bundle;
  private readonly fields: readonly IdField[];
  private readonly random: Random;
  private readonly buffers = new Map<string, Int32Array>();
  private readonly matches = new Map<number, Float32Array>();
  private readonly drawnIn: Int32Array;
  private drawn = 0;

  constructor(size: TowerSize, seed: number) {
    this.size = size;
    this.fields = fieldsOf(size);
    this.random = createRandom(seed);
    this.drawnIn = new Int32Array(size.adCount);
    this.bundle = this.untrained();
  }

  private untrained(): Bundle {
    const { fields } = this;
    const { embeddingSize, matches, left, right } = this.size;
    const schema: Schema = {
      name: 'towers',
      labels: [{ name: 'click', column: 'click' }],
      fields: [
        ...fields.map(({ name, scope }) => ({ name, kind: 'id', scope, size: embeddingSize }) as const),
        { name: matchesField, kind: 'vector', length: matches, scope: 'variant' },
      ],
    };
    const fitted: Fitted = {
      vocabularies: new Map(
        fields.map(({ name, ids }) => [name, hashedVocabulary(ids, new Float64Array(ids + firstId))]),
      ),
      numbers: new Map(),
      vectors: new Map(),
      columnTypes: new Map(fields.map(({ name }) => [name, 'integer'])),
    };
    const bundle = untrainedBundle(
      buildModel('dual-tower', schema, { hidden: left, right: { hidden: right } }),
      fitted,
    );
    const sample = this.request(20, this.size.creativesPerAd, 'rows');
    const activations = measureActivations(bundle.typed, bundle.weights, sample);
    return { ...bundle, manifest: { ...bundle.manifest, precision: { limits: { auc: 1, logLoss: 1 }, activations } } };
  }

  /**
   * A new user and new ads, all different, with the first of their creatives. Its columns are valid until the next request of as many rows.
   *
   * @param as creatives of candidates, or rows of which each has all of its own
   */
  request(ads: number, creatives: number, as: 'candidates' | 'rows'): ScoringInput {
    const rowCount = ads * creatives;
    const drawn = this.drawAds(ads);
    const user = this.random.below(2 ** 31);
    const isPerRow = (scope: Scope) => as === 'rows' || scope === 'creative' || scope === 'variant';
    const fields = new Map<string, EncodedColumn>();
    this.fields.forEach(({ name, scope, ids }, f) => {
      const rows = scope === 'request' ? 1 : isPerRow(scope) ? rowCount : ads;
      const column = this.buffer(name, rows);
      const perAd = rows / ads;
      for (let row = 0; row < rows; row++) {
        const ad = scope === 'request' ? user : drawn[Math.floor(row / perAd)];
        const creative = ad * this.size.creativesPerAd + (row % creatives);
        const thing = scope === 'creative' ? creative : scope === 'variant' ? mix32(creative ^ user) : ad;
        column[row] =
          firstId + ((f > 0 && this.fields[f - 1].scope === scope ? mix32(thing + f) >>> 0 : thing >>> 0) % ids);
      }
      fields.set(name, { kind: 'id', ids: column });
    });
    fields.set(matchesField, { kind: 'dense', width: this.size.matches, values: this.counts(rowCount) });
    if (as === 'rows') return { rowCount, fields };
    const of = this.buffer('of', rowCount);
    for (let row = 0; row < rowCount; row++) of[row] = Math.floor(row / creatives);
    return { rowCount, fields, candidates: { count: ads, of } };
  }

  /** Requests of one user that name every creative of every ad, so many ads at a time. */
  *every(ads: number, as: 'candidates' | 'rows'): Generator<ScoringInput> {
    const { adCount, creativesPerAd } = this.size;
    for (let from = 0; from < adCount; from += ads) {
      this.next = from;
      yield this.request(Math.min(ads, adCount - from), creativesPerAd, as);
    }
    this.next = undefined;
  }

  /** Where ads are taken one after the other: the next. */
  private next: number | undefined;

  private drawAds(count: number): Int32Array {
    const ads = this.buffer('ads', count);
    this.drawn++;
    for (let i = 0; i < count; ) {
      const ad = this.next === undefined ? this.random.below(this.size.adCount) : this.next++;
      if (this.drawnIn[ad] === this.drawn) continue;
      this.drawnIn[ad] = this.drawn;
      ads[i++] = ad;
    }
    return ads;
  }

  /** One buffer a column and length, so that making requests leaves nothing to collect while they are timed. */
  private buffer(name: string, length: number): Int32Array {
    const key = `${name} ${length}`;
    let column = this.buffers.get(key);
    if (column === undefined) this.buffers.set(key, (column = new Int32Array(length)));
    return column;
  }

  private counts(rows: number): Float32Array {
    let counts = this.matches.get(rows);
    if (counts === undefined) this.matches.set(rows, (counts = new Float32Array(rows * this.size.matches)));
    for (let i = 0; i < counts.length; i++) counts[i] = this.random.below(4);
    return counts;
  }
}
