import { mix32 } from '../../src/core/hash.ts';
import { createRandom, type Random } from '../../src/core/random.ts';
import type { Column } from '../../src/schema/columns.ts';
import type { Schema } from '../../src/schema/schema.ts';

/*
 * The market that serving is measured on: users and ads with attributes drawn from vocabularies of realistic size, and
 * clicks that follow from them, so that a model trained on its log has something to know.
 */

export interface MarketSize {
  readonly userFields: number;
  readonly adFields: number;
  readonly adCount: number;
  /** Numbers in an embedding. */
  readonly embeddingSize: number;
  readonly hidden: readonly number[];
  readonly trainRows: number;
}

/** SENet-DNN over 20 user and 12 ad fields × 16, 512-256-128, click and conversion. */
export const benchSize: MarketSize = {
  userFields: 20,
  adFields: 12,
  adCount: 150_000,
  embeddingSize: 16,
  hidden: [512, 256, 128],
  trainRows: 300_000,
};

/** Ready in seconds, to see that a benchmark works. */
export const smallSize: MarketSize = {
  userFields: 4,
  adFields: 3,
  adCount: 500,
  embeddingSize: 8,
  hidden: [16, 8],
  trainRows: 20_000,
};

/** The architecture, its sizes and the ads, for a benchmark's setting. */
export function describeSize({ userFields, adFields, embeddingSize, hidden, adCount }: MarketSize): string {
  return `SENet-DNN, ${userFields} user + ${adFields} ad fields × ${embeddingSize}, ${hidden.join('-')}, two heads, ${adCount.toLocaleString('en')} ads`;
}

interface Attribute {
  readonly name: string;
  /** Distinct values. */
  readonly values: number;
}

const userAttributes: readonly (readonly [string, number])[] = [
  ['userId', 200_000],
  ['ageBand', 12],
  ['segment', 2_000],
  ['hour', 24],
  ['city', 3_000],
  ['gender', 4],
  ['region', 300],
  ['country', 60],
  ['language', 40],
  ['device', 5_000],
  ['os', 30],
  ['browser', 60],
  ['network', 8],
  ['weekday', 7],
  ['page', 20_000],
  ['section', 400],
  ['slotId', 50],
  ['lastAd', 50_000],
  ['lastCategory', 600],
  ['visits', 30],
];

const adAttributes: readonly (readonly [string, number])[] = [
  ['adId', 0],
  ['category', 600],
  ['format', 12],
  ['campaignId', 20_000],
  ['advertiserId', 5_000],
  ['brand', 8_000],
  ['landingPage', 40_000],
  ['price', 50],
  ['topic', 3_000],
  ['image', 10_000],
  ['ageDays', 100],
  ['adLanguage', 40],
];

/** The first of a list, then its later ones again under new names. */
function attributesOf(list: readonly (readonly [string, number])[], count: number): Attribute[] {
  return Array.from({ length: count }, (_, i) => {
    const [name, values] = i < list.length ? list[i] : list[1 + ((i - 1) % (list.length - 1))];
    return { name: i < list.length ? name : `${name}${Math.floor((i - 1) / (list.length - 1)) + 1}`, values };
  });
}

/** A number in [0, 1) that belongs to a thing and a purpose. */
const unit = (thing: number, purpose: number) =>
  (mix32(Math.imul(thing, 0x9e3779b1) ^ mix32(purpose + 1)) >>> 0) / 2 ** 32;

/** The users, the ads and how one clicks on the other. Whatever it draws follows from ids and seeds alone. */
export class Market {
  readonly size: MarketSize;
  readonly userFields: readonly Attribute[];
  readonly adFields: readonly Attribute[];
  private readonly userValues: Int32Array;
  private readonly adValues: Int32Array;

  constructor(size: MarketSize) {
    this.size = size;
    this.userFields = attributesOf(userAttributes, size.userFields);
    this.adFields = attributesOf(adAttributes, size.adFields);
    this.userValues = new Int32Array(size.userFields);
    this.adValues = new Int32Array(size.adFields);
  }

  /** How many users there are: as many again as ads, and half of that. */
  get userCount(): number {
    return this.size.adCount + (this.size.adCount >> 1);
  }

  schema(): Schema {
    const field = (scope: 'request' | 'ad') => (attribute: Attribute) =>
      ({ name: attribute.name, kind: 'id', scope, size: this.size.embeddingSize }) as const;
    return {
      name: 'bench',
      labels: [
        { name: 'click', column: 'click' },
        { name: 'conversion', column: 'conversion', after: 'click' },
      ],
      fields: [...this.userFields.map(field('request')), ...this.adFields.map(field('ad'))],
    };
  }

  /** A user's raw values from 1 up, field by field; frequent ones are small. */
  user(user: number, out = this.userValues): Int32Array {
    out[0] = user + 1;
    for (let f = 1; f < out.length; f++) out[f] = 1 + Math.floor(this.userFields[f].values * unit(user, f) ** 2);
    return out;
  }

  ad(ad: number, out = this.adValues): Int32Array {
    out[0] = ad + 1;
    for (let f = 1; f < out.length; f++) out[f] = 1 + Math.floor(this.adFields[f].values * unit(ad, 1000 + f) ** 2);
    return out;
  }

  /** Whether a user shown an ad clicks, and then whether it converts: by effects of values and of pairs of them. */
  outcome(user: number, ad: number, random: Random): { click: number; conversion: number } {
    const u = this.user(user);
    const a = this.ad(ad);
    let click = -1.6;
    let conversion = -1.2;
    for (let f = 1; f < u.length; f++) click += 0.6 * effect(u[f], f, this.userFields[f]);
    for (let f = 1; f < a.length; f++) {
      const own = effect(a[f], 1000 + f, this.adFields[f]);
      const met = 1 + ((f - 1) % (u.length - 1));
      click += 0.8 * own + 1.5 * own * effect(u[met], met, this.userFields[met]);
      conversion += 0.6 * effect(a[f], 2000 + f, this.adFields[f]);
    }
    const clicked = random.next() < 1 / (1 + Math.exp(-click));
    const converted = random.next() < 1 / (1 + Math.exp(-conversion));
    return { click: clicked ? 1 : 0, conversion: clicked && converted ? 1 : 0 };
  }

  /** Impressions of users and ads drawn evenly, as columns of a log. */
  log(rowCount: number, random: Random): Map<string, Column> {
    const fields = [...this.userFields, ...this.adFields];
    const columns = fields.map(() => new Int32Array(rowCount));
    const labels = { click: new Int32Array(rowCount), conversion: new Int32Array(rowCount) };
    for (let row = 0; row < rowCount; row++) {
      const user = random.below(this.userCount);
      const ad = random.below(this.size.adCount);
      const { click, conversion } = this.outcome(user, ad, random);
      labels.click[row] = click;
      labels.conversion[row] = conversion;
      this.user(user).forEach((value, f) => {
        columns[f][row] = value;
      });
      this.ad(ad).forEach((value, f) => {
        columns[this.userFields.length + f][row] = value;
      });
    }
    return new Map([
      ...fields.map(({ name }, f) => [name, integers(columns[f])] as const),
      ['click', integers(labels.click)],
      ['conversion', integers(labels.conversion)],
    ]);
  }

  /** Every ad, one row each, as a catalog has them. */
  catalog(): Map<string, Column> {
    const rowCount = this.size.adCount;
    const random = createRandom(7);
    const columns = this.adFields.map(() => new Int32Array(rowCount));
    for (let ad = 0; ad < rowCount; ad++) {
      this.ad(ad).forEach((value, f) => {
        columns[f][ad] = value;
      });
    }
    const owners = (divisor: number) => Int32Array.from({ length: rowCount }, (_, ad) => 1 + Math.floor(ad / divisor));
    return new Map<string, Column>([
      ['campaignId', integers(owners(8))],
      ['advertiserId', integers(owners(30))],
      ...this.adFields.map(({ name }, f) => [name, integers(columns[f])] as const),
      ['bidType', bidTypes(rowCount)],
      ['bidMicros', integers(Int32Array.from({ length: rowCount }, () => 100_000 + random.below(2_000_000)))],
    ]);
  }
}

/** In [-1, 1]; values that few rows have matter little, since nobody could learn them. */
function effect(value: number, purpose: number, { values }: Attribute): number {
  return (2 * unit(value, 5000 + purpose) - 1) * (values > 5_000 ? 0.1 : 1);
}

const integers = (values: Int32Array): Column => ({ type: 'integer', rowCount: values.length, values });

/** Clicks and conversions are bid on in turn. */
function bidTypes(rowCount: number): Column {
  const names = ['cpc', 'ocpm', 'cpa', 'cpm'];
  const bytes = new TextEncoder().encode(names.join(''));
  const offsets = Int32Array.from([0, 3, 7, 10, 13]);
  const indices = Int32Array.from({ length: rowCount }, (_, ad) => ad % names.length);
  return { type: 'text', rowCount, offsets, bytes, indices };
}
