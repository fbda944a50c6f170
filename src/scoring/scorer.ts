import type { EncodedFields } from '../schema/encoded.ts';

/**
 * Encoded rows to score. Every field's column has either `rowCount` rows or one, which then counts for all: a request's
 * fields are given once, whatever the number of candidates.
 */
export interface ScoringInput {
  readonly rowCount: number;
  readonly fields: EncodedFields['fields'];
}

/** Uncalibrated p(task) of each row, by task: the product of the task's σ(logit), as `model/steps.ts` has it. */
export type Scores = ReadonlyMap<string, Float32Array>;

/** A bundle loaded by one engine. */
export interface Scorer {
  /** `reference`, `tfjs (wasm)`, … */
  readonly engine: string;
  /**
   * @returns arrays of `input.rowCount`, valid until the next call
   * @throws UserError if a field is missing or has another number of rows, or an id lies outside its table
   */
  score(input: ScoringInput): Scores;
  /** Frees what the engine holds outside JavaScript. */
  dispose(): void;
}
