import { UserError } from '../core/errors.ts';
import { exactly } from './record.ts';

/**
 * What a contextual policy learns, by arm: the context's second moments, its clicks and the model's logits; see `policies/linUcb.ts` for what it
 * makes of them.
 */
export class Contexts {
  readonly size: number;
  /** [arms · size²] Σ n·xxᵀ, [arms · size] Σ c·x and Σ n·logit·x. */
  readonly moments: Float64Array;
  readonly clicks: Float64Array;
  readonly logits: Float64Array;
  /** [arms · size²] m·A⁻¹, [arms · size] θ, of clicks and of logits. */
  readonly #variances: Float64Array;
  readonly #rates: Float64Array;
  readonly #meanLogits: Float64Array;
  readonly #work: Float64Array;

  constructor(arms: number, size: number) {
    this.size = size;
    this.moments = new Float64Array(arms * size * size);
    this.clicks = new Float64Array(arms * size);
    this.logits = new Float64Array(arms * size);
    this.#variances = new Float64Array(arms * size * size);
    this.#rates = new Float64Array(arms * size);
    this.#meanLogits = new Float64Array(arms * size);
    this.#work = new Float64Array(size * size);
  }

  /** @throws UserError for a context that is of another length, or no shares */
  check(context: Float64Array): void {
    if (context.length === this.size && context.every((share) => share >= 0 && share <= 1)) return;
    throw new UserError(`bandit: a context is [${context}]; expected ${this.size} shares from 0 to 1`);
  }

  /** @param meanLogit of the impressions, or of the arm's where these do not tell */
  add(arm: number, context: Float64Array, exposures: number, clicks: number, meanLogit: number): void {
    const { size } = this;
    for (let i = 0; i < size; i++) {
      this.clicks[arm * size + i] += exactly(clicks * context[i]);
      this.logits[arm * size + i] += exactly(exposures * meanLogit * context[i]);
      for (let j = 0; j < size; j++)
        this.moments[(arm * size + i) * size + j] += exactly(exposures * context[i] * context[j]);
    }
  }

  /** An arm's moments, clicks and logits, one after the other. */
  read(arm: number): number[] {
    const { size } = this;
    const moments = this.moments.subarray(arm * size * size, (arm + 1) * size * size);
    const of = (sums: Float64Array) => sums.subarray(arm * size, (arm + 1) * size);
    return [...moments, ...of(this.clicks), ...of(this.logits)];
  }

  /** @returns whether they are as many as `read` gives */
  write(arm: number, values: readonly number[]): boolean {
    const { size } = this;
    if (values.length !== size * (size + 2)) return false;
    this.moments.set(values.slice(0, size * size), arm * size * size);
    this.clicks.set(values.slice(size * size, size * (size + 1)), arm * size);
    this.logits.set(values.slice(size * (size + 1)), arm * size);
    return true;
  }

  /** Forgets an arm's. */
  clear(arm: number): void {
    const { size } = this;
    this.moments.fill(0, arm * size * size, (arm + 1) * size * size);
    this.clicks.fill(0, arm * size, (arm + 1) * size);
    this.logits.fill(0, arm * size, (arm + 1) * size);
  }

  /**
   * @param weight    λ, the exposures that the means count for
   * @param meanLogit of the arm's impressions
   */
  settle(arm: number, mean: number, weight: number, meanLogit: number): void {
    const { size, moments } = this;
    const own = moments.subarray(arm * size * size, (arm + 1) * size * size);
    const inverse = this.#variances.subarray(arm * size * size, (arm + 1) * size * size);
    invert(own, weight, size, this.#work, inverse);
    for (let i = 0; i < size; i++) {
      let rate = 0;
      let logit = 0;
      for (let j = 0; j < size; j++) {
        rate += inverse[i * size + j] * (weight * mean + this.clicks[arm * size + j]);
        logit += inverse[i * size + j] * (weight * meanLogit + this.logits[arm * size + j]);
      }
      this.#rates[arm * size + i] = rate;
      this.#meanLogits[arm * size + i] = logit;
    }
    for (let k = 0; k < size * size; k++) inverse[k] *= mean;
  }

  /** θ·x. */
  rate(arm: number, context: Float64Array): number {
    return this.#at(this.#rates, arm, context);
  }

  /** The model's mean logit in a context. */
  meanLogit(arm: number, context: Float64Array): number {
    return this.#at(this.#meanLogits, arm, context);
  }

  #at(values: Float64Array, arm: number, context: Float64Array): number {
    let sum = 0;
    for (let i = 0; i < this.size; i++) sum += values[arm * this.size + i] * context[i];
    return sum;
  }

  /** m·xᵀA⁻¹x, m the mean that was settled with. */
  variance(arm: number, context: Float64Array): number {
    const { size } = this;
    let sum = 0;
    for (let i = 0; i < size; i++) {
      // Most users are in few segments.
      if (context[i] === 0) continue;
      let row = 0;
      for (let j = 0; j < size; j++) row += this.#variances[(arm * size + i) * size + j] * context[j];
      sum += row * context[i];
    }
    return sum;
  }
}

/** (M + weight·I)⁻¹ of a positive semi-definite M, by Gauss–Jordan elimination, which such a sum needs no pivoting for. */
function invert(m: Float64Array, weight: number, size: number, work: Float64Array, inverse: Float64Array): void {
  work.set(m);
  inverse.fill(0);
  for (let i = 0; i < size; i++) {
    work[i * size + i] += weight;
    inverse[i * size + i] = 1;
  }
  for (let pivot = 0; pivot < size; pivot++) {
    const scale = 1 / work[pivot * size + pivot];
    for (let j = 0; j < size; j++) {
      work[pivot * size + j] *= scale;
      inverse[pivot * size + j] *= scale;
    }
    for (let i = 0; i < size; i++) {
      const factor = work[i * size + pivot];
      if (i === pivot || factor === 0) continue;
      for (let j = 0; j < size; j++) {
        work[i * size + j] -= factor * work[pivot * size + j];
        inverse[i * size + j] -= factor * inverse[pivot * size + j];
      }
    }
  }
}
