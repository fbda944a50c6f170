import { UserError } from '../core/errors.ts';
import type { Random } from '../core/random.ts';
import { firstId, isEmbedded, missingId } from './fields.ts';
import type { NumberStatistics, VectorStatistics } from './fitted.ts';
import { bucketise, transform } from './numbers.ts';
import type { NumberField, VectorField } from './schema.ts';
import { quantileVocabulary, type Vocabulary } from './vocabulary.ts';

/** Quantiles are those of a uniform sample of so many values. */
const quantileSample = 100_000;

/** Mean and deviation in one pass, by Welford's method. */
class Moments {
  count = 0;
  mean = 0;
  private squares = 0;

  add(x: number): void {
    this.count++;
    const delta = x - this.mean;
    this.mean += delta / this.count;
    this.squares += delta * (x - this.mean);
  }

  /** @throws UserError if the values are so large that their squares are not finite */
  deviation(field: string, next: string): number {
    const variance = this.count > 1 ? this.squares / this.count : 0;
    if (!Number.isFinite(variance))
      throw new UserError(`field '${field}': its values are too large to standardise; ${next}`);
    // A constant column carries nothing: any deviation will do, 1 keeps it at 0.
    return variance > 0 ? Math.sqrt(variance) : 1;
  }
}

/** Statistics of a number; quantiles of a reservoir sample (Vitter's algorithm R). */
export class NumberFit {
  readonly field: NumberField;
  private readonly random: Random;
  private readonly sample: number[] = [];
  private readonly moments = new Moments();
  private missing = 0;

  constructor(field: NumberField, random: Random) {
    this.field = field;
    this.random = random;
  }

  /** @param values NaN where there is none */
  observe(values: Float64Array): void {
    const { moments, sample } = this;
    const sampling = isEmbedded(this.field);
    for (const value of values) {
      if (Number.isNaN(value)) {
        this.missing++;
        continue;
      }
      moments.add(transform(value, this.field));
      if (!sampling) continue;
      if (sample.length < quantileSample) sample.push(value);
      else {
        const at = this.random.below(moments.count);
        if (at < quantileSample) sample[at] = value;
      }
    }
  }

  finish(): NumberStatistics {
    const { mean } = this.moments;
    const deviation = this.moments.deviation(this.field.name, 'set "transform": "log1p" or scale the column');
    if (!isEmbedded(this.field)) return { mean, deviation };
    const sorted = Float64Array.from(this.sample).sort();
    const boundaries: number[] = [];
    const buckets = this.field.quantiles as number;
    for (let k = 1; k < buckets && sorted.length > 0; k++) {
      const boundary = sorted[Math.max(0, Math.ceil((sorted.length * k) / buckets) - 1)];
      if (boundaries.length === 0 || boundary > boundaries[boundaries.length - 1]) boundaries.push(boundary);
    }
    return { mean, deviation, boundaries };
  }

  /** Counts by bucket, scaled up from the sample. */
  bucketVocabulary(boundaries: readonly number[]): Vocabulary {
    const counts = new Float64Array(boundaries.length + 1 + firstId);
    counts[missingId] = this.missing;
    const share = this.sample.length > 0 ? this.moments.count / this.sample.length : 0;
    for (const id of bucketise(Float64Array.from(this.sample), boundaries)) counts[id] += share;
    return quantileVocabulary(counts);
  }
}

/** Statistics of each of a vector's numbers. */
export class VectorFit {
  private readonly field: VectorField;
  private readonly moments: readonly Moments[];

  constructor(field: VectorField) {
    this.field = field;
    this.moments = Array.from({ length: field.length }, () => new Moments());
  }

  /** @param values [rows, length], row-major, NaN where there is none */
  observe(values: Float64Array): void {
    const { moments } = this;
    for (let row = 0; row < values.length; row += moments.length)
      for (let i = 0; i < moments.length; i++) if (!Number.isNaN(values[row + i])) moments[i].add(values[row + i]);
  }

  finish(): VectorStatistics {
    const { name } = this.field;
    return {
      means: this.moments.map(({ mean }) => mean),
      deviations: this.moments.map((moments) => moments.deviation(name, 'scale the column')),
    };
  }
}
