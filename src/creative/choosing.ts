import { clamp, logit } from '../core/numerics.ts';
import type { Contexts } from './contexts.ts';
import type { Arms, CreativeChoices, CreativeQuestion } from './creative.ts';

/** Corrections beyond this would say that the model knows nothing. */
const CORRECTION_MOST = 5;

/** The logit of a record's rate less the mean logit that the model had, within bounds. */
export function correction(rate: number, meanLogit: number): number {
  return clamp(logit(clamp(rate, 1e-9, 1 - 1e-9)) - meanLogit, -CORRECTION_MOST, CORRECTION_MOST);
}

/** How far a user's reward of an arm may be from the record's in a policy of shares, as a ratio. */
const TILT_MOST = 1e4;

/** An arm's numbers lie side by side, since the ads of a request are far apart: four floats and the double EXPLORE. */
const ODDS = 0;
const SLOPE = 1;
const ADDEND = 2;
const INDEX = 3;
const STRIDE = 6;
const EXPLORE = 2;
const EXPLORE_STRIDE = 3;

/** What `settle` made of an ad. */
export const EXPLORES = 0;
export const HAS_SHARES = 1;
export const HAS_EXITED = 2;

/**
 * What `settle` makes of the record, and the choice that reads it. An arm's reward for a user is
 *
 *   slope·p′ + addend,   p′/(1 − p′) = odds·p/(1 − p)
 *
 * p the model's, p′ what the creative's own record makes of it, the policy's bonus in the addend; without a model it is the index, which is
 * the same of the posterior mean.
 *
 * An ad shows its highest reward with probability 1 − ε. One of *shares* draws an arm with it instead: by its shares, which a user's own
 * rewards u tilt where there is a model, w_a ∝ share_a·(u_a/v_a)^(2^sharpness), v the record's. ε is drawn by `explore`.
 */
export class Choosing {
  readonly #arms: Arms;
  /** [arms · STRIDE], and the same memory as [arms · EXPLORE_STRIDE]. */
  readonly #rewards: Float32Array;
  readonly #explore: Float64Array;
  /** [arms], each ad's sum to 1. */
  readonly shares: Float64Array;
  /** [ads] */
  readonly modes: Uint8Array;
  readonly sharpness: Uint8Array;
  /** ε by mode. */
  readonly #epsilons: Float64Array;
  readonly #contexts: Contexts | undefined;
  /** α of what a context's variance adds. */
  readonly #contextWidth: number;
  /** [candidates] one draw each; numbers handed on as arguments may be put on the heap. */
  #draws = new Float64Array(512);
  /** [variants] where the question's owner asks for none. */
  #shares = new Float64Array(2048);
  /** So that no compiler finds touching useless. */
  readonly #touched = new Float64Array(1);

  /**
   * @param epsilon of ads that explore, and of those that have exited
   */
  constructor(
    arms: Arms,
    epsilon: { readonly exploring: number; readonly exited: number },
    contexts?: { readonly learned: Contexts; readonly width: number },
  ) {
    const [adCount, armCount] = [arms.adKeys.length, arms.creativeKeys.length];
    this.#arms = arms;
    this.#rewards = new Float32Array(armCount * STRIDE);
    this.#explore = new Float64Array(this.#rewards.buffer);
    this.shares = new Float64Array(armCount);
    this.modes = new Uint8Array(adCount);
    this.sharpness = new Uint8Array(adCount);
    this.#epsilons = Float64Array.of(epsilon.exploring, epsilon.exploring, epsilon.exited);
    this.#contexts = contexts?.learned;
    this.#contextWidth = contexts?.width ?? 0;
  }

  /**
   * @param odds  by which the record corrects the model's; of a contextual policy α, how much the record in a context does
   * @param mean  of the posterior
   * @param bonus of the policy, which is added to it
   */
  setReward(arm: number, odds: number, slope: number, intercept: number, mean: number, bonus: number): void {
    const rewards = this.#rewards;
    rewards[arm * STRIDE + ODDS] = odds;
    rewards[arm * STRIDE + SLOPE] = slope;
    rewards[arm * STRIDE + ADDEND] = slope * bonus + intercept;
    rewards[arm * STRIDE + INDEX] = slope * (mean + bonus) + intercept;
  }

  /** @param share of ε that is the arm's; those of an ad sum to 1 */
  setExplore(arm: number, share: number): void {
    this.#explore[arm * EXPLORE_STRIDE + EXPLORE] = share;
  }

  choose(question: CreativeQuestion, choices: CreativeChoices): void {
    const { count, ads, variantOffsets, p, random } = question;
    this.#check(question, choices);
    if (this.#draws.length < count) this.#draws = new Float64Array(2 * count);
    if (this.#shares.length < variantOffsets[count]) this.#shares = new Float64Array(2 * variantOffsets[count]);
    const draws = this.#draws;
    for (let i = 0; i < count; i++) draws[i] = random.next();
    const { variants: chosen, propensities, shares = this.#shares } = choices;
    const isAsked = shares !== this.#shares;
    const { offsets } = this.#arms;
    const adCount = this.modes.length;
    this.#touch(ads, count);
    for (let i = 0; i < count; i++) {
      const ad = ads[i];
      const variant = variantOffsets[i];
      const variants = variantOffsets[i + 1] - variant;
      if (ad >= adCount || variants < 1 || (ad >= 0 && variants !== offsets[ad + 1] - offsets[ad]))
        throw new RangeError(`choose: candidate ${i} of ad ${ad} has ${variants} variants`);
      let best = 0;
      if (ad < 0) best = this.#shareUnknown(variant, variants, p, shares);
      else if (this.modes[ad] === HAS_SHARES) this.#shareByPolicy(ad, variant, variants, p, shares);
      else best = this.#shareBest(i, ad, variant, variants, question, shares, isAsked);
      // The draw begins with the likeliest, as it mostly ends there.
      let at = variant + best;
      let left = draws[i] - shares[at];
      for (let k = 0; k < variants && left >= 0; k++) {
        if (k === best) continue;
        at = variant + k;
        left -= shares[at];
      }
      chosen[i] = at;
      propensities[i] = shares[at];
    }
  }

  /** Asks memory for all ads' numbers before waiting for the first. */
  #touch(ads: Int32Array, count: number): void {
    const { offsets } = this.#arms;
    const rewards = this.#rewards;
    let touched = 0;
    for (let i = 0; i < count; i++) {
      const ad = ads[i];
      if (ad < 0 || ad >= this.modes.length) continue;
      touched += this.modes[ad] + rewards[offsets[ad] * STRIDE] + rewards[offsets[ad + 1] * STRIDE - 1];
    }
    this.#touched[0] = touched;
  }

  #check({ count, ads, variantOffsets, p, context }: CreativeQuestion, choices: CreativeChoices): void {
    const { variants, propensities, shares } = choices;
    const least = variantOffsets[count];
    const isShort = Math.min(ads.length, variantOffsets.length - 1, variants.length, propensities.length) < count;
    if (isShort || (p !== undefined && p.length < least) || (shares !== undefined && shares.length < least))
      throw new RangeError(`choose: arrays are shorter than ${count} candidates`);
    if (this.#contexts !== undefined && context?.length !== this.#contexts.size)
      throw new RangeError(`choose: a context of ${context?.length}, expected ${this.#contexts.size}`);
  }

  /** The best has 1 − ε, and each what `explore` says of ε: written for all that are asked for, or may be drawn. */
  #shareBest(
    i: number,
    ad: number,
    variant: number,
    variants: number,
    question: CreativeQuestion,
    shares: Float64Array,
    isAsked: boolean,
  ): number {
    const explore = this.#explore;
    const firstArm = this.#arms.offsets[ad];
    let best: number;
    if (this.#contexts !== undefined) best = this.#bestInContext(ad, variant, variants, question, this.#contexts);
    else if (question.p !== undefined) best = this.#bestByModel(firstArm, variant, variants, question.p);
    else best = this.#bestByRecord(firstArm, variants);
    const epsilon = this.#epsilons[this.modes[ad]];
    const ofBest = 1 - epsilon + epsilon * explore[(firstArm + best) * EXPLORE_STRIDE + EXPLORE];
    if (isAsked || this.#draws[i] >= ofBest)
      for (let k = 0, at = firstArm * EXPLORE_STRIDE + EXPLORE; k < variants; k++, at += EXPLORE_STRIDE)
        shares[variant + k] = epsilon * explore[at];
    shares[variant + best] = ofBest;
    return best;
  }

  #bestByRecord(firstArm: number, variants: number): number {
    const rewards = this.#rewards;
    let best = 0;
    let highest = Number.NEGATIVE_INFINITY;
    for (let k = 0; k < variants; k++) {
      const reward = rewards[(firstArm + k) * STRIDE + INDEX];
      if (reward > highest) {
        highest = reward;
        best = k;
      }
    }
    return best;
  }

  #bestByModel(firstArm: number, variant: number, variants: number, p: Float32Array | Float64Array): number {
    const rewards = this.#rewards;
    let best = 0;
    let highest = Number.NEGATIVE_INFINITY;
    for (let k = 0, at = firstArm * STRIDE; k < variants; k++, at += STRIDE) {
      const raised = p[variant + k] * rewards[at + ODDS];
      const rate = raised / (raised + 1 - p[variant + k]);
      const reward = rewards[at + SLOPE] * rate + rewards[at + ADDEND];
      if (reward > highest) {
        highest = reward;
        best = k;
      }
    }
    return best;
  }

  #bestInContext(
    ad: number,
    variant: number,
    variants: number,
    { p, context = none }: CreativeQuestion,
    contexts: Contexts,
  ): number {
    const rewards = this.#rewards;
    const width = this.modes[ad] === HAS_EXITED ? 0 : this.#contextWidth;
    let best = 0;
    let highest = Number.NEGATIVE_INFINITY;
    for (let k = 0; k < variants; k++) {
      const arm = this.#arms.offsets[ad] + k;
      const at = arm * STRIDE;
      let rate = contexts.rate(arm, context);
      if (p !== undefined) {
        const gap = correction(rate, contexts.meanLogit(arm, context));
        const raised = p[variant + k] * Math.exp(rewards[at + ODDS] * gap);
        rate = raised / (raised + 1 - p[variant + k]);
      }
      const bonus = width === 0 ? 0 : width * Math.sqrt(contexts.variance(arm, context));
      const reward = rewards[at + SLOPE] * (rate + bonus) + rewards[at + ADDEND];
      if (reward > highest) {
        highest = reward;
        best = k;
      }
    }
    return best;
  }

  #shareByPolicy(ad: number, variant: number, variants: number, p: CreativeQuestion['p'], shares: Float64Array): void {
    const explore = this.#explore;
    const epsilon = this.#epsilons[HAS_SHARES];
    const firstArm = this.#arms.offsets[ad];
    if (p === undefined) for (let k = 0; k < variants; k++) shares[variant + k] = this.shares[firstArm + k];
    else this.#tilt(ad, variant, variants, p, shares);
    for (let k = 0; k < variants; k++) {
      const ofAll = explore[(firstArm + k) * EXPLORE_STRIDE + EXPLORE];
      shares[variant + k] = (1 - epsilon) * shares[variant + k] + epsilon * ofAll;
    }
  }

  /** Writes the shares that a user's own rewards tilt. */
  #tilt(ad: number, variant: number, variants: number, p: Float32Array | Float64Array, tilted: Float64Array): void {
    const { shares } = this;
    const rewards = this.#rewards;
    const firstArm = this.#arms.offsets[ad];
    const sharpness = this.sharpness[ad];
    // As a user clicks more or less than others on all creatives, rewards are compared after dividing by their sum.
    let ofUser = 0;
    let ofRecord = 0;
    for (let k = 0; k < variants; k++) {
      const at = (firstArm + k) * STRIDE;
      const raised = p[variant + k] * rewards[at + ODDS];
      const reward = (rewards[at + SLOPE] * raised) / (raised + 1 - p[variant + k]) + rewards[at + ADDEND];
      tilted[variant + k] = reward;
      ofUser += reward;
      ofRecord += rewards[at + INDEX];
    }
    let sum = 0;
    for (let k = 0; k < variants; k++) {
      const ratio = (tilted[variant + k] * ofRecord) / (ofUser * rewards[(firstArm + k) * STRIDE + INDEX]);
      let tilt = ratio > TILT_MOST ? TILT_MOST : ratio > 1 / TILT_MOST ? ratio : 1 / TILT_MOST;
      for (let s = sharpness; s > 0; s--) tilt *= tilt;
      tilted[variant + k] = shares[firstArm + k] * tilt;
      sum += tilted[variant + k];
    }
    // Where every product is too small for a number, the record alone decides.
    for (let k = 0; k < variants; k++) tilted[variant + k] = sum > 0 ? tilted[variant + k] / sum : shares[firstArm + k];
  }

  /** The model's best with 1 − ε, else any; without a model any. */
  #shareUnknown(variant: number, variants: number, p: CreativeQuestion['p'], shares: Float64Array): number {
    const epsilon = p === undefined ? 1 : this.#epsilons[EXPLORES];
    let best = 0;
    if (p !== undefined) for (let k = 1; k < variants; k++) if (p[variant + k] > p[variant + best]) best = k;
    for (let k = 0; k < variants; k++) shares[variant + k] = epsilon / variants;
    shares[variant + best] += 1 - epsilon;
    return best;
  }
}

const none = new Float64Array(0);
