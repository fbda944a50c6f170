import type { EncodedFields } from '../schema/encoded.ts';

/**
 * Encoded rows to score. Every field's column has either `rowCount` rows or one, which then counts for all: a request's
 * fields are given once, whatever the number of candidates. Where `candidates` is there, rows are creatives of candidates, and a column
 * may also have one row a candidate: that of a field of scope `ad` or `candidate`, whose values are then computed once an ad.
 */
export interface ScoringInput {
  readonly rowCount: number;
  readonly fields: EncodedFields['fields'];
  readonly candidates?: CandidateRows;
}

/** The candidate ads that rows of scope `variant` are of. */
export interface CandidateRows {
  readonly count: number;
  /** [rowCount]: 0 to `count` − 1, never falling and none left out: a candidate's creatives follow each other. */
  readonly of: Int32Array;
}

/** Uncalibrated p(task) of each row, by task: the product of the task's σ(logit), as `model/steps.ts` has it. */
export type Scores = ReadonlyMap<string, Float32Array>;

/** What an engine keeps of ads from request to request. */
export interface AdCacheStats {
  /** Rows looked up since the load whose ad was there, and was not. */
  readonly hits: number;
  readonly misses: number;
  /** Ads held now, and the bytes they take of those allowed. */
  readonly entries: number;
  readonly bytes: number;
  readonly budgetBytes: number;
}

/** A bundle loaded by one engine. */
export interface Scorer {
  /** `reference`, `tfjs (wasm)`, `native (amx, bf16)`, … */
  readonly engine: string;
  /** In what it computes, where that is less than float32. */
  readonly precision?: 'bf16' | 'int8';
  /** The most rows to give it at a time; `blockRows` of `scoreInBlocks` where absent. */
  readonly rowsAtOnce?: number;
  /**
   * @returns arrays of `input.rowCount`, valid until the next call
   * @throws UserError if a field is missing or has another number of rows, or an id lies outside its table
   */
  score(input: ScoringInput): Scores;
  /** Of an engine that keeps what depends on an ad alone. */
  adCacheStats?(): AdCacheStats;
  /** Frees what the engine holds outside JavaScript. */
  dispose(): void;
}
