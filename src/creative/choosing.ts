import type { Contexts } from './contexts.ts';
import type { Arms, CreativeChoices, CreativeQuestion } from './creative.ts';

/** How far a user's reward of an arm may be from the record's in a policy of shares, as a ratio. */
const TILT_MOST = 1e4;

/**
 * What `settle` makes of the record, by arm and ad, and the choice that reads it. An arm's reward for a user is
 *
 *   slope·(p′ + bonus) + intercept,   p′/(1 − p′) = odds·p/(1 − p)
 *
 * p the model's, p′ what the creative's own record makes of it; without a model the posterior mean.
 *
 * An ad of *bonuses* shows the highest reward with probability 1 − ε; one of *shares* draws an arm: by its shares, which a user's own rewards
 * u tilt where there is a model, w_a ∝ share_a·(u_a/v_a)^(2^sharpness), v the record's. ε of both is drawn by `explore`.
 */
export class Choosing {
  readonly #arms: Arms;
  /** [arms] */
  readonly slopes: Float64Array;
  readonly intercepts: Float64Array;
  readonly means: Float64Array;
  readonly bonuses: Float64Array;
  readonly odds: Float64Array;
  readonly explore: Float64Array;
  readonly shares: Float64Array;
  /** [ads] */
  readonly epsilons: Float64Array;
  readonly hasShares: Uint8Array;
  readonly sharpness: Uint8Array;
  /** Of an ad that the bandit does not know. */
  readonly #epsilon: number;
  readonly #contexts: Contexts | undefined;
  /** [ads] α of what a context's variance adds, where contexts are learned. */
  readonly contextWidths: Float64Array;
  #weights = new Float64Array(16);

  constructor(arms: Arms, epsilon: number, contexts?: Contexts) {
    const [adCount, armCount] = [arms.adKeys.length, arms.creativeKeys.length];
    const column = () => new Float64Array(armCount);
    this.#arms = arms;
    this.slopes = column();
    this.intercepts = column();
    this.means = column();
    this.bonuses = column();
    this.odds = column();
    this.explore = column();
    this.shares = column();
    this.epsilons = new Float64Array(adCount);
    this.hasShares = new Uint8Array(adCount);
    this.sharpness = new Uint8Array(adCount);
    this.contextWidths = new Float64Array(adCount);
    this.#epsilon = epsilon;
    this.#contexts = contexts;
  }

  choose(question: CreativeQuestion, choices: CreativeChoices): void {
    const { count, ads, variantOffsets, p, random } = question;
    const { offsets, adKeys } = this.#arms;
    this.#check(question, choices);
    for (let i = 0; i < count; i++) {
      const ad = ads[i];
      const variant = variantOffsets[i];
      const variants = variantOffsets[i + 1] - variant;
      if (ad >= adKeys.length || variants < 1 || (ad >= 0 && variants !== offsets[ad + 1] - offsets[ad]))
        throw new RangeError(`choose: candidate ${i} of ad ${ad} has ${variants} variants`);
      const u = random.next();
      if (ad < 0) this.#chooseUnknown(i, variant, variants, p, u, choices);
      else if (this.hasShares[ad] === 1) this.#chooseByShares(i, ad, variant, variants, p, u, choices);
      else {
        const best =
          this.#contexts === undefined
            ? this.#best(offsets[ad], variant, variants, p)
            : this.#bestInContext(ad, variant, variants, question, this.#contexts);
        this.#mix(i, ad, variant, variants, best, u, choices);
      }
    }
  }

  #check(
    { count, ads, variantOffsets, p, context }: CreativeQuestion,
    { variants, propensities }: CreativeChoices,
  ): void {
    const isShort = Math.min(ads.length, variantOffsets.length - 1, variants.length, propensities.length) < count;
    if (isShort || (p !== undefined && p.length < variantOffsets[count]))
      throw new RangeError(`choose: arrays are shorter than ${count} candidates`);
    if (this.#contexts !== undefined && context?.length !== this.#contexts.size)
      throw new RangeError(`choose: a context of ${context?.length}, expected ${this.#contexts.size}`);
  }

  #best(firstArm: number, variant: number, variants: number, p: CreativeQuestion['p']): number {
    const { slopes, intercepts, means, bonuses, odds } = this;
    let [best, highest] = [0, Number.NEGATIVE_INFINITY];
    for (let k = 0; k < variants; k++) {
      const arm = firstArm + k;
      let rate = means[arm];
      if (p !== undefined) {
        const raised = p[variant + k] * odds[arm];
        rate = raised / (raised + 1 - p[variant + k]);
      }
      const reward = slopes[arm] * (rate + bonuses[arm]) + intercepts[arm];
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
    question: CreativeQuestion,
    contexts: Contexts,
  ): number {
    const { slopes, intercepts, means, odds } = this;
    const { p, context = none } = question;
    let [best, highest] = [0, Number.NEGATIVE_INFINITY];
    for (let k = 0; k < variants; k++) {
      const arm = this.#arms.offsets[ad] + k;
      let rate = contexts.rate(arm, context);
      if (p !== undefined) {
        const raised = p[variant + k] * odds[arm];
        rate = raised / (raised + 1 - p[variant + k]);
      }
      const bonus = this.contextWidths[ad] * Math.sqrt(means[arm] * contexts.variance(arm, context));
      const reward = slopes[arm] * (rate + bonus) + intercepts[arm];
      if (reward > highest) {
        highest = reward;
        best = k;
      }
    }
    return best;
  }

  /** The best with 1 − ε, else by `explore`: one number decides both. */
  #mix(
    i: number,
    ad: number,
    variant: number,
    variants: number,
    best: number,
    u: number,
    choices: CreativeChoices,
  ): void {
    const { explore } = this;
    const epsilon = this.epsilons[ad];
    const firstArm = this.#arms.offsets[ad];
    let chosen = best;
    let left = u - (1 - epsilon);
    if (left >= 0) {
      for (let k = 0; k < variants; k++) {
        if (explore[firstArm + k] > 0) chosen = k;
        left -= epsilon * explore[firstArm + k];
        if (left < 0) break;
      }
    }
    choices.variants[i] = variant + chosen;
    choices.propensities[i] = epsilon * explore[firstArm + chosen] + (chosen === best ? 1 - epsilon : 0);
  }

  #chooseByShares(
    i: number,
    ad: number,
    variant: number,
    variants: number,
    p: CreativeQuestion['p'],
    u: number,
    choices: CreativeChoices,
  ): void {
    const { shares, explore } = this;
    const epsilon = this.epsilons[ad];
    const firstArm = this.#arms.offsets[ad];
    if (this.#weights.length < variants) this.#weights = new Float64Array(2 * variants);
    const weights = this.#weights;
    let sum = 1;
    if (p === undefined) for (let k = 0; k < variants; k++) weights[k] = shares[firstArm + k];
    else sum = this.#tilt(ad, variant, variants, p);
    let left = u;
    let [chosen, propensity] = [0, 0];
    for (let k = 0; k < variants; k++) {
      const share = ((1 - epsilon) * weights[k]) / sum + epsilon * explore[firstArm + k];
      if (share > 0) [chosen, propensity] = [k, share];
      left -= share;
      if (left < 0) break;
    }
    choices.variants[i] = variant + chosen;
    choices.propensities[i] = propensity;
  }

  /** Writes the tilted shares into the weights. @returns their sum */
  #tilt(ad: number, variant: number, variants: number, p: Float32Array | Float64Array): number {
    const { slopes, intercepts, means, odds, shares } = this;
    const firstArm = this.#arms.offsets[ad];
    const weights = this.#weights;
    // As a user clicks more or less than others on all creatives, rewards are compared after dividing by their sum.
    let [ofUser, ofRecord] = [0, 0];
    for (let k = 0; k < variants; k++) {
      const arm = firstArm + k;
      const raised = p[variant + k] * odds[arm];
      weights[k] = (slopes[arm] * raised) / (raised + 1 - p[variant + k]) + intercepts[arm];
      ofUser += weights[k];
      ofRecord += slopes[arm] * means[arm] + intercepts[arm];
    }
    let sum = 0;
    for (let k = 0; k < variants; k++) {
      const arm = firstArm + k;
      const ratio = (weights[k] * ofRecord) / (ofUser * (slopes[arm] * means[arm] + intercepts[arm]));
      let tilt = ratio > TILT_MOST ? TILT_MOST : ratio > 1 / TILT_MOST ? ratio : 1 / TILT_MOST;
      for (let s = this.sharpness[ad]; s > 0; s--) tilt *= tilt;
      weights[k] = shares[firstArm + k] * tilt;
      sum += weights[k];
    }
    if (sum > 0) return sum;
    for (let k = 0; k < variants; k++) weights[k] = shares[firstArm + k];
    return 1;
  }

  /** The model's best with 1 − ε, else any; without a model any. */
  #chooseUnknown(
    i: number,
    variant: number,
    variants: number,
    p: CreativeQuestion['p'],
    u: number,
    choices: CreativeChoices,
  ): void {
    const epsilon = p === undefined ? 1 : this.#epsilon;
    let best = 0;
    if (p !== undefined) for (let k = 1; k < variants; k++) if (p[variant + k] > p[variant + best]) best = k;
    const isBest = u < 1 - epsilon;
    const chosen = isBest ? best : Math.min(variants - 1, Math.floor(((u - (1 - epsilon)) / epsilon) * variants));
    choices.variants[i] = variant + chosen;
    choices.propensities[i] = epsilon / variants + (chosen === best ? 1 - epsilon : 0);
  }
}

const none = new Float64Array(0);
