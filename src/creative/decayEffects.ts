import { logit, sigmoid } from '../core/numerics.ts';
import { solvePositive } from '../core/solve.ts';
import { type Run, sum, type Windows } from './decayWindows.ts';

/** What one cause does to a creative's CTR. */
export interface DecayEffect {
  /** Logits that the CTR falls by for each e-fold of 1 + frequency, or 1 + age in days; negative where it rises. */
  readonly strength: number;
  readonly standardError: number;
}

export interface DecayEffects {
  readonly age: DecayEffect;
  /** Absent where the frequency is not known. */
  readonly frequency?: DecayEffect;
}

export type DecayCause = 'frequency' | 'age' | 'unknown';

const DAY_MS = 86_400_000;
/** Standard deviation that strengths are supposed to have: two causes that came together share what neither can be shown to have done. */
const STRENGTH_SPREAD = 1;
const BASE_SPREAD = 3;
const STEPS = 20;
/** So many standard errors above 0 a strength is sure: 95 %, of one side. */
const SURE = 1.645;

/** ln(1 + age in days) of each window; a creative's age counts from its first window. */
function logAges({ startMs }: Windows): Float64Array {
  return startMs.map((start) => Math.log1p((start - startMs[0]) / DAY_MS));
}

/**
 * Fits what frequency and age do to a creative's CTR:
 *
 *   logit CTR = base − a·ln(1 + frequency) − b·ln(1 + age)        clicks ~ Poisson(exposures · CTR)
 *
 * by Fisher scoring on the windows' counts, with normal priors on a and b (mean 0, standard deviation 1) and a wide one on the base.
 * Standard errors are those of the posterior, times √dispersion.
 *
 * @param dispersion how much more than Poisson counts vary, as a ratio of variances
 */
export function fitDecay(windows: Windows, dispersion = 1): DecayEffects {
  const { clicks, exposures, frequency } = windows;
  const columns = [logAges(windows), ...(frequency ? [frequency.map(Math.log1p)] : [])];
  const size = 1 + columns.length;
  const precision = [BASE_SPREAD ** -2, ...columns.map(() => STRENGTH_SPREAD ** -2)];
  const rate = sum(clicks) / sum(exposures);
  // No logit is known of 0 or 1; without clicks half of one is supposed.
  const start = logit(Math.min(Math.max(rate, 0.5 / sum(exposures)), 0.99));
  const theta = new Float64Array(size);
  theta[0] = start;
  const information = new Float64Array(size * size);
  const gradient = new Float64Array(size);
  for (let step = 0; step < STEPS; step++) {
    information.fill(0);
    for (let i = 0; i < size; i++) {
      gradient[i] = -precision[i] * (theta[i] - (i === 0 ? start : 0));
      information[i * size + i] = precision[i];
    }
    for (let w = 0; w < clicks.length; w++) {
      const x = (i: number) => (i === 0 ? 1 : -columns[i - 1][w]);
      let eta = 0;
      for (let i = 0; i < size; i++) eta += theta[i] * x(i);
      const p = sigmoid(eta);
      const expected = exposures[w] * p;
      for (let i = 0; i < size; i++) {
        gradient[i] += ((clicks[w] - expected) * (1 - p) * x(i)) / dispersion;
        for (let j = 0; j < size; j++) {
          information[i * size + j] += (expected * (1 - p) ** 2 * x(i) * x(j)) / dispersion;
        }
      }
    }
    const change = solvePositive(information, gradient);
    // A step is kept to a logit or so, lest the first ones overshoot.
    const scale = Math.min(1, 1.5 / Math.max(...change.map(Math.abs)));
    for (let i = 0; i < size; i++) theta[i] += scale * change[i];
  }
  const effect = (i: number): DecayEffect => {
    const unit = new Float64Array(size);
    unit[i] = 1;
    return { strength: theta[i], standardError: Math.sqrt(solvePositive(information, unit)[i]) };
  };
  return { age: effect(1), frequency: frequency && effect(2) };
}

/**
 * What took most of a creative's CTR between two runs of windows, of the effects that are surely there: strength · growth of ln(1 +
 * frequency), or of ln(1 + age). Where neither is sure, as when both grew together, it is not known.
 */
export function causeOf(windows: Windows, { age, frequency }: DecayEffects, peak: Run, current: Run): DecayCause {
  const fall = (effect: DecayEffect | undefined, values: Float64Array | undefined) => {
    if (!effect || !values || effect.strength < SURE * effect.standardError) return 0;
    const mean = (run: Run) => weightedMean(values, windows.exposures, run);
    return effect.strength * (mean(current) - mean(peak));
  };
  const byAge = fall(age, logAges(windows));
  const byFrequency = fall(frequency, windows.frequency?.map(Math.log1p));
  if (Math.max(byAge, byFrequency) <= 0) return 'unknown';
  return byAge > byFrequency ? 'age' : 'frequency';
}

function weightedMean(values: Float64Array, weights: Float64Array, { first, length }: Run): number {
  let [top, bottom] = [0, 0];
  for (let w = first; w < first + length; w++) {
    top += weights[w] * values[w];
    bottom += weights[w];
  }
  return top / bottom;
}
