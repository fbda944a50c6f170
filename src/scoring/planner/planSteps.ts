import type { Activation } from '../../model/steps.ts';
import type { Scope } from '../../schema/scopes.ts';

/*
 * A plan is a step list over fewer, plainer ops than a model's: what engines execute. `stack`, `concat`, `dropout` and
 * `stopGradient` are gone where nothing needs their numbers side by side; ops take slices of values in their place.
 * Every op's inputs may have one row (the request's), a row a candidate, or all rows.
 */

/** Numbers `from` to `from + width` of every row of a value. */
export interface Slice {
  readonly value: string;
  readonly from: number;
  readonly width: number;
}

/** A part of an affine step's sum. */
export type Term =
  /** x · W[firstRow .. firstRow + width]: rows of the weights `weight`, [·, units]. */
  | { readonly kind: 'product'; readonly input: Slice; readonly weight: string; readonly firstRow: number }
  /** Σ_f g_f · P_f: `fields` is the output of a `projectField` step with `units` numbers a field, one field a gate. */
  | { readonly kind: 'gatedSum'; readonly gates: Slice; readonly fields: string }
  /** A vector of `units` numbers. */
  | { readonly kind: 'value'; readonly input: Slice };

export type PlanStep =
  /** Looks fields of one scope up: as in a model. `sizes` are those of the tables. */
  | {
      readonly op: 'embed';
      readonly fields: readonly string[];
      readonly tables: readonly string[];
      readonly sizes: readonly number[];
      readonly output: string;
    }
  /** The events of a sequence field's lists, [length · size] numbers: each its embeddings and a 1, zeros where there is none. */
  | {
      readonly op: 'embedSequence';
      readonly fields: readonly string[];
      readonly tables: readonly string[];
      /** Of the tables; `size` is their sum and 1. */
      readonly sizes: readonly number[];
      readonly length: number;
      readonly output: string;
    }
  /** κ_i = k_i · W for each event: [length · units]. */
  | {
      readonly op: 'projectSequence';
      readonly input: Slice;
      readonly length: number;
      readonly weight: string;
      readonly units: number;
      readonly output: string;
    }
  /** y = Σ_i a_i·k_i, a = softmax or σ of ⟨q, κ_i⟩/√units over the events k_i that are there (whose last number is 1). */
  | {
      readonly op: 'attend';
      /** [units]: an affine step of the query made it. */
      readonly query: Slice;
      /** κ, [length · units], and k, [length · size]. */
      readonly keys: Slice;
      readonly events: Slice;
      readonly length: number;
      readonly weights: 'softmax' | 'sigmoid';
      readonly output: string;
    }
  /** y = Σ_i k_i / n over the n events that are there, or k_0. */
  | {
      readonly op: 'pool';
      readonly input: Slice;
      readonly length: number;
      readonly mode: 'mean' | 'last';
      readonly output: string;
    }
  /** Dense fields of one scope, side by side. */
  | {
      readonly op: 'input';
      readonly fields: readonly string[];
      readonly sizes: readonly number[];
      readonly output: string;
    }
  /** y_f = mean_d x_fd. */
  | { readonly op: 'means'; readonly input: Slice; readonly sizes: readonly number[]; readonly output: string }
  /** P_f = x_f · W_f for each field: [fields · units]; W_f follow each other in `weight` from `firstRow` on. */
  | {
      readonly op: 'projectField';
      readonly input: Slice;
      readonly sizes: readonly number[];
      readonly weight: string;
      readonly firstRow: number;
      readonly units: number;
      readonly output: string;
    }
  /** y = act(Σ terms + bias). */
  | {
      readonly op: 'affine';
      readonly terms: readonly Term[];
      /** The name of the bias's weights, [units]. */
      readonly bias: string | null;
      readonly units: number;
      readonly activation: Activation;
      readonly output: string;
    }
  /** y_fd = g_f · x_fd. */
  | {
      readonly op: 'gate';
      readonly input: Slice;
      readonly sizes: readonly number[];
      readonly gates: Slice;
      readonly output: string;
    }
  /** Slices side by side. */
  | { readonly op: 'concat'; readonly inputs: readonly Slice[]; readonly output: string }
  | { readonly op: 'inner'; readonly input: Slice; readonly fieldCount: number; readonly output: string }
  | { readonly op: 'fm'; readonly input: Slice; readonly fieldCount: number; readonly output: string }
  /** Σ of all numbers of all inputs, and a bias: vector[1]. */
  | { readonly op: 'sum'; readonly inputs: readonly Slice[]; readonly bias: string | null; readonly output: string }
  /** Number by number, over inputs of one width. */
  | { readonly op: 'add' | 'multiply'; readonly inputs: readonly Slice[]; readonly output: string }
  /** y = a ∘ b + c. */
  | {
      readonly op: 'multiplyAdd';
      readonly inputs: readonly [Slice, Slice, Slice];
      readonly output: string;
    }
  | { readonly op: 'softmax'; readonly input: Slice; readonly output: string };

export interface PlanValue {
  readonly width: number;
  readonly scope: Scope;
  /**
   * For a value of scope `ad` or `creative` that a step of a wider scope or a task reads: worth keeping from request to
   * request. Values of these scopes that only lead to kept ones are computed on the way and dropped.
   */
  readonly kept: boolean;
}

export interface Plan {
  readonly steps: readonly PlanStep[];
  readonly values: ReadonlyMap<string, PlanValue>;
  /** p(task) = Π σ(logit). */
  readonly tasks: readonly { readonly name: string; readonly logits: readonly string[] }[];
}

/** How fast one core is: what a plan's costs are made of. Measured once per machine; fixed in tests. */
export interface MachineRates {
  /** Multiply-adds a nanosecond of the matrix kernels, in the precision the plan is for. */
  readonly matrixMultiplyAddsPerNs: number;
  /** Of products of one row, whose weights come from the cache. */
  readonly vectorMultiplyAddsPerNs: number;
  /** Bytes a nanosecond read from L2, and at random places of memory beyond the caches in pieces of a record. */
  readonly cacheBytesPerNs: number;
  readonly memoryBytesPerNs: number;
}

export interface PlanOptions {
  readonly rates: MachineRates;
  /** Candidates a request is planned for; 500 where absent. */
  readonly candidates?: number;
  /**
   * Creatives of each candidate that a request is planned for; 1 where absent. Above 1, what knows no creative is computed once a
   * candidate where that is cheaper than once a creative.
   */
  readonly variantsPerCandidate?: number;
  /** Bytes of an activation in the precision the plan is for: 4, 2 or 1. */
  readonly numberBytes?: number;
  /** Whether values of an ad or creative alone are kept from request to request; else computed for each candidate. */
  readonly keeps?: boolean;
  /** Kept projections of one value may take at most this many bytes a record; no limit where absent. */
  readonly recordBytesMax?: number;
  /**
   * `request` where the request's fields come once a call, as in service; `rows` where any field may come a row each, as
   * in evaluation: then every value counts as a candidate's and no rewrite rests on the request being one row.
   */
  readonly requestFields?: 'request' | 'rows';
}
