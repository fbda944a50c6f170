import type { Random } from '../../src/core/random.ts';
import type { Ads } from './inventory.ts';
import type { DriftEffects, MarketPreset, Wandering } from './presets.ts';

/** What happened so far, as far as it moves the next click: interests that come and go, and ads that wear out. */
export interface Drift {
  /** Moves what wanders on to `timeMs`, which never goes back: everybody's tastes, and this user's. */
  enter(user: number, timeMs: number): void;
  /** How much this user is drawn to a topic just now, beyond lasting interests. */
  mood(user: number, topic: number): number;
  /**
   * What is added to the logit of a click, all as of the last `enter`:
   *
   *   mood(user, topic) + trend(topic) − wear · ln(1 + n(user, ad)) − fade · ln(1 + m(ad))
   *
   * with n the user's earlier impressions of the ad, each counting 2^(−age/wearHalfLife), and m all earlier ones for every hundred users.
   */
  clickLogit(user: number, ad: number): number;
  /** Notes that the ad was shown to the user. */
  shown(user: number, ad: number): void;
}

export function createDrift(preset: MarketPreset, effects: DriftEffects, ads: Ads, random: Random): Drift {
  const topicCount = preset.categoryCount * preset.topicsPerCategory;
  const moods = createWanderers(preset.userCount, topicCount, effects.mood, preset.startMs, random.fork('mood'));
  const trends = createWanderers(1, topicCount, effects.trend, preset.startMs, random.fork('trend'));
  const seen = new Float64Array(preset.userCount * ads.count);
  const seenMs = new Float64Array(seen.length).fill(preset.startMs);
  const shownPerHundred = new Float64Array(ads.count);
  let nowMs = preset.startMs;
  const seenNow = (pair: number) => seen[pair] * halved(nowMs - seenMs[pair], effects.wearHalfLifeMs);
  return {
    enter(user, timeMs) {
      nowMs = timeMs;
      moods.advance(user, timeMs);
      trends.advance(0, timeMs);
    },
    mood: (user, topic) => moods.values[user * topicCount + topic],
    clickLogit(user, ad) {
      const topic = ads.topic[ad];
      const drawn = moods.values[user * topicCount + topic] + trends.values[topic];
      const tired = effects.wear * Math.log1p(seenNow(user * ads.count + ad));
      return drawn - tired - effects.fade * Math.log1p(shownPerHundred[ad]);
    },
    shown(user, ad) {
      const pair = user * ads.count + ad;
      seen[pair] = seenNow(pair) + 1;
      seenMs[pair] = nowMs;
      shownPerHundred[ad] += 100 / preset.userCount;
    },
  };
}

/** 2^(−age/halfLife). */
const halved = (ageMs: number, halfLifeMs: number) => Math.exp((-Math.LN2 * ageMs) / halfLifeMs);

/**
 * Ornstein–Uhlenbeck processes, `size` independent ones an owner, all of an owner moved on together; z standard normal:
 *
 *   x(t + Δ) = ρ·x(t) + deviation·√(1 − ρ²)·z      ρ = 2^(−Δ/halfLife)
 */
function createWanderers(
  owners: number,
  size: number,
  { deviation, halfLifeMs }: Wandering,
  startMs: number,
  random: Random,
) {
  const values = Float64Array.from({ length: owners * size }, () => deviation * random.normal());
  const lastMs = new Float64Array(owners).fill(startMs);
  return {
    values,
    advance(owner: number, timeMs: number): void {
      const rho = halved(timeMs - lastMs[owner], halfLifeMs);
      const fresh = deviation * Math.sqrt(1 - rho * rho);
      for (let i = owner * size; i < (owner + 1) * size; i++) values[i] = rho * values[i] + fresh * random.normal();
      lastMs[owner] = timeMs;
    },
  };
}
