import type { Random } from '../../src/core/random.ts';
import type { Column } from '../../src/schema/columns.ts';
import { lists, texts } from './columnBuilders.ts';
import type { Ads } from './inventory.ts';
import { AGE_BANDS, type Population } from './population.ts';
import { endMsOf, type MarketPreset, type WordingEffects } from './presets.ts';
import { crossTable } from './sampling.ts';

export const STYLES = ['photo', 'product', 'people', 'drawing', 'text_only', 'collage'] as const;

/** What creatives say and show, when they are added, and whom that draws. */
export interface Wording {
  readonly userColumns: ReadonlyMap<string, Column>;
  readonly creativeColumns: ReadonlyMap<string, Column>;
  /** When each creative is added; those of an ad in this order, its first from the start. */
  readonly fromMs: Float64Array;
  /**
   * What is added to the logit of a click:
   *
   *   match · ln(1 + n) + taste(user, style) + styleByAge(age, style) + Σ appeal(title's terms) / √terms
   *
   * with n how many of the creative's terms, wherever they stand, the user cares about.
   */
  clickLogit(user: number, creative: number): number;
}

/** Draws terms of topics and of everybody, then who cares about which, and what creatives are made of. */
export function createWording(
  preset: MarketPreset,
  effects: WordingEffects,
  users: Population,
  ads: Ads,
  random: Random,
): Wording {
  const topicCount = preset.categoryCount * preset.topicsPerCategory;
  const terms = termNames(topicCount, effects);
  const interests = drawInterestTerms(topicCount, effects, users, random.fork('interests'));
  const titles = drawTerms(topicCount, effects, ads, random.fork('titles'), TITLE);
  const ocr = drawTerms(topicCount, effects, ads, random.fork('ocr'), OCR);
  const entities = drawTerms(topicCount, effects, ads, random.fork('entities'), ENTITIES);
  const count = ads.creativeOffsets[ads.count];
  const styles = random.fork('styles');
  const style = Int32Array.from({ length: count }, () => styles.below(STYLES.length));
  const tastes = random.fork('tastes');
  const taste = Float64Array.from({ length: users.count * STYLES.length }, () => effects.taste * tastes.normal());
  const byAge = crossTable(AGE_BANDS.length, STYLES.length, effects.styleByAge, random.fork('styleByAge'));
  const appeals = random.fork('appeal');
  const appealOf = Float64Array.from(terms, () => effects.appeal * appeals.normal());
  const appeal = titles.map((title) => title.reduce((sum, term) => sum + appealOf[term], 0) / Math.sqrt(title.length));
  const cares = interests.map((list) => new Set(list));
  const said = titles.map((title, c) => [...new Set([...title, ...ocr[c], ...entities[c]])]);
  const column = (all: readonly number[][]) => lists(all, (items) => texts(terms, items));
  return {
    userColumns: new Map([['interest_terms', column(interests)]]),
    creativeColumns: new Map([
      ['image_style', texts(STYLES, style)],
      ['title_terms', column(titles)],
      ['ocr_tokens', column(ocr)],
      ['entity_terms', column(entities)],
    ]),
    fromMs: drawStarts(preset, effects, ads, random.fork('starts')),
    clickLogit(user, creative) {
      let matches = 0;
      for (const term of said[creative]) if (cares[user].has(term)) matches++;
      const s = style[creative];
      const tasteOf = taste[user * STYLES.length + s] + byAge[users.ageBand[user] * STYLES.length + s];
      return effects.match * Math.log1p(matches) + tasteOf + appeal[creative];
    },
  };
}

/** Terms of each topic, then each topic's entities, then those that every title may have. */
function termNames(topicCount: number, effects: WordingEffects): string[] {
  const topics = Array.from({ length: topicCount }, (_, topic) => topic + 1);
  const named = (kind: string, count: number) => (topic: number) =>
    Array.from({ length: count }, (_, i) => `topic${topic}_${kind}${i + 1}`);
  return [
    ...topics.flatMap(named('term', effects.topicTerms)),
    ...topics.flatMap(named('brand', effects.topicEntities)),
    ...Array.from({ length: effects.commonTerms }, (_, i) => `word${i + 1}`),
  ];
}

const topicTerm = (effects: WordingEffects, topic: number, random: Random) =>
  topic * effects.topicTerms + random.below(effects.topicTerms);

function entityTerm(effects: WordingEffects, topicCount: number, topic: number, random: Random): number {
  return topicCount * effects.topicTerms + topic * effects.topicEntities + random.below(effects.topicEntities);
}

/** Some terms and an entity of each topic of interest, and a term of every other topic now and then. */
function drawInterestTerms(topicCount: number, effects: WordingEffects, users: Population, random: Random): number[][] {
  return Array.from({ length: users.count }, (_, u) => {
    const main = users.interests.subarray(users.interestOffsets[u], users.interestOffsets[u + 1]);
    const chosen = new Set<number>();
    for (const topic of main) {
      for (let i = 0; i < effects.interestTerms; i++) chosen.add(topicTerm(effects, topic, random));
      chosen.add(entityTerm(effects, topicCount, topic, random));
    }
    for (let topic = 0; topic < topicCount; topic++)
      if (random.next() < 0.5) chosen.add(topicTerm(effects, topic, random));
    return [...chosen];
  });
}

/** How many terms of each kind a list has: of the ad's topic, of its entities, of everybody's. */
const TITLE = { topic: 3, entity: 0, common: 2 };
const OCR = { topic: 1, entity: 0, common: 2 };
const ENTITIES = { topic: 0, entity: 2, common: 0 };

function drawTerms(
  topicCount: number,
  effects: WordingEffects,
  ads: Ads,
  random: Random,
  sizes: typeof TITLE,
): number[][] {
  const firstCommon = topicCount * (effects.topicTerms + effects.topicEntities);
  const all: number[][] = [];
  for (let ad = 0; ad < ads.count; ad++) {
    for (let c = ads.creativeOffsets[ad]; c < ads.creativeOffsets[ad + 1]; c++) {
      const topic = ads.topic[ad];
      const chosen = new Set<number>();
      for (let i = 0; i < sizes.topic; i++) chosen.add(topicTerm(effects, topic, random));
      for (let i = 0; i < sizes.entity; i++) chosen.add(entityTerm(effects, topicCount, topic, random));
      for (let i = 0; i < sizes.common; i++) chosen.add(firstCommon + random.below(effects.commonTerms));
      all.push([...chosen]);
    }
  }
  return all;
}

/** Most creatives are there from the start; the others come at any time, each ad's in order. */
function drawStarts(preset: MarketPreset, { lateShare }: WordingEffects, ads: Ads, random: Random): Float64Array {
  const fromMs = new Float64Array(ads.creativeOffsets[ads.count]);
  const lengthMs = endMsOf(preset) - preset.startMs;
  for (let i = 0; i < fromMs.length; i++)
    fromMs[i] = preset.startMs + (random.next() < lateShare ? Math.floor(random.next() * lengthMs) : 0);
  for (let ad = 0; ad < ads.count; ad++) {
    fromMs[ads.creativeOffsets[ad]] = preset.startMs;
    fromMs.subarray(ads.creativeOffsets[ad], ads.creativeOffsets[ad + 1]).sort();
  }
  return fromMs;
}
