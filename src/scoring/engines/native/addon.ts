import type { Activation } from '../../../model/steps.ts';
import type { AdCacheStats } from '../../scorer.ts';

/** What `native/addon` exports; `load.ts` finds it. */
export interface NativeAddon {
  /** The instruction sets this build has and this machine runs, the fastest first: amx, avx512, avx2, neon, scalar. */
  kernelNames(): string[];
  /** Whether matrix products of a format run there. */
  supports(kernels: string, format: NumberFormat): boolean;
  /** Bytes of a program's packed weights. */
  packedBytes(kernels: string, spec: ProgramSpec): number;
  /** The weights of a program's matrix products as the kernels want them. */
  pack(kernels: string, spec: ProgramSpec): ArrayBuffer;
  /** @param packed what `pack` gave, or a mapped file of that content */
  createProgram(kernels: string, spec: ProgramSpec, packed: ArrayBuffer): ProgramHandle;
  /** Where a program finds its input and leaves its answers; see `stage.ts`. */
  setStage(program: ProgramHandle, words: ArrayBuffer): void;
  /** @returns false if the input does not fit the program; nothing is answered then */
  run(program: ProgramHandle): boolean;
  cacheStats(program: ProgramHandle): AdCacheStats;
  /** How many rows the steps of each stage have computed since the program was made. */
  stageRows(program: ProgramHandle): Readonly<Record<Stage, number>>;
  dispose(program: ProgramHandle): void;
  /** Maps a file privately: pages are read when touched and shared with other processes until written to. */
  mapFile(path: string): ArrayBuffer;
  /** The same, in place of the pages that an array of the file's length lies in: those of a WebAssembly memory, see `load.ts`. */
  mapFileOver(path: string, pages: Uint8Array): void;
  /** Multiply-adds a nanosecond of one core, on registers alone. */
  measurePeak(kernels: string, format: NumberFormat, seconds: number): number;
  /** Multiply-adds a nanosecond of a product [rows, k] × [k, n] as the engine runs it; 0 where the format is not supported. */
  measureProduct(kernels: string, format: NumberFormat, rows: number, k: number, n: number, seconds: number): number;
  /** Bytes a nanosecond read from random records of a buffer. */
  measureRead(bytes: number, recordBytes: number, seconds: number): number;
}

/** Opaque; freed when collected, or by `dispose`. */
export type ProgramHandle = { readonly __program: never };

/** How matrix products store their operands; `split` is two bf16 numbers a value. */
export type NumberFormat = 'f32' | 'bf16' | 'split' | 'u8';

/**
 * When a value is computed: once a call, for each ad or creative the cache lacks, for each candidate, for each row. Where rows are
 * candidates themselves, none is of stage `candidate`.
 */
export type Stage = 'request' | 'ad' | 'creative' | 'candidate' | 'row';

/** A plan in the terms of `native/engine/spec.h`: values, columns and weights by their index. */
export interface ProgramSpec {
  readonly columns: readonly ColumnSpec[];
  readonly values: readonly ValueSpec[];
  readonly weights: readonly Float32Array[];
  readonly steps: readonly StepSpec[];
  /** Of each task, its logits. */
  readonly tasks: readonly (readonly number[])[];
  /** Whether rows are creatives of candidates: columns of stages `ad` and `candidate` then have a row a candidate. */
  readonly candidates: boolean;
  /** Rows that go through all steps together; a multiple of 32. */
  readonly blockRows: number;
  readonly cacheBytes: number;
}

export interface ColumnSpec {
  readonly kind: 'id' | 'ids' | 'dense';
  readonly stage: Stage;
  /** Numbers a row of a dense column, else 0. */
  readonly width: number;
  /** Rows of the tables of an id's or ids' column, else 0. */
  readonly tableRows: number;
  /** Whether lists are pooled by mean, else by sum. */
  readonly mean: boolean;
}

export interface ValueSpec {
  readonly width: number;
  readonly stage: Stage;
  /** Whether it is a part of its ad's or creative's record. */
  readonly kept: boolean;
  readonly keptAsBf16: boolean;
}

export interface SliceSpec {
  readonly value: number;
  readonly from: number;
  readonly width: number;
}

export interface TermSpec {
  readonly kind: 'product' | 'gatedSum' | 'value';
  /** Of a gated sum: the gates. */
  readonly input: SliceSpec;
  readonly format: NumberFormat;
  readonly weight?: number;
  readonly firstRow?: number;
  readonly fields?: number;
  /** Of format u8: x ≈ (q − zero) / inverseScale, a scale a column. */
  readonly inverseScales?: Float32Array;
  readonly zero?: number;
}

export interface StepSpec {
  readonly op: string;
  readonly output: number;
  readonly inputs?: readonly SliceSpec[];
  readonly parts?: readonly { readonly column: number; readonly weight: number; readonly size: number }[];
  readonly sizes?: readonly number[];
  readonly terms?: readonly TermSpec[];
  /** The bias of an affine or sum step, −1 for none; the weights of a projection. */
  readonly weight?: number;
  readonly firstRow?: number;
  readonly units?: number;
  readonly fieldCount?: number;
  /** Events at most, of steps over sequences. */
  readonly length?: number;
  /** Of keys: [units, length], divided by √units. */
  readonly transposed?: boolean;
  /** Whether an attend step's weights add up to 1. */
  readonly softmax?: boolean;
  readonly activation?: Activation;
  /** Whether an affine step is for the matrix kernels. */
  readonly matrix?: boolean;
}
