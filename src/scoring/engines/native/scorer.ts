import { assert, UserError } from '../../../core/errors.ts';
import { expandCandidates } from '../../candidates.ts';
import { checkCandidates, createInputCheck, rowsIn } from '../../input.ts';
import { createPlan, knowsCreatives } from '../../plan.ts';
import { numberBytesOf } from '../../planner/defaultRates.ts';
import type { MachineRates } from '../../planner/planSteps.ts';
import type { NumberPrecision } from '../../precision.ts';
import type { AdCacheStats, CandidateRows, Scorer, Scores, ScoringInput } from '../../scorer.ts';
import type { NativeAddon, NumberFormat, Stage } from './addon.ts';
import { type Formats, type Lowered, lowerPlan, type ScoredBundle } from './lowerPlan.ts';
import { InputStage } from './stage.ts';

export interface NativeOptions {
  /** The instruction set; one of `addon.kernelNames()`. */
  readonly kernels: string;
  readonly precision: NumberPrecision;
  readonly rates: MachineRates;
  /** For what depends on an ad or creative alone; 0 keeps nothing. */
  readonly cacheBytes: number;
  /** Bytes that projections kept of an ad may take; no limit where absent. */
  readonly recordBytesMax?: number;
  /** Rows that go through all layers together: as many as leave their values and the weights in the second cache. */
  readonly blockRows?: number;
  /** Candidates a request is planned for; 500 where absent. */
  readonly candidates?: number;
}

/** Creatives of a candidate that requests with creatives are planned for. */
const usualCreatives = 5;

/** The engine works in blocks of its own: of a row it holds no more than what it is given, a few hundred bytes. */
const rowsAtOnce = 16_384;

/** A program, and its weights as `NativeAddon.pack` gave them; packed when it is made where absent. */
export interface PackedProgram {
  readonly lowered: Lowered;
  readonly packed?: ArrayBuffer;
}

/** What answers requests. */
export interface Service extends PackedProgram {
  /** For creatives of candidates; of a model that knows creatives, made when first needed where absent. */
  readonly ofCreatives?: PackedProgram;
}

export interface NativeScorer extends Scorer {
  adCacheStats(): AdCacheStats;
  /** How many rows the steps of each stage have computed since the load, of requests. */
  stageRows(): Readonly<Record<Stage, number>>;
}

/** The number formats a precision is computed in, or undefined where the kernels lack it. */
export function formatsOf(addon: NativeAddon, kernels: string, precision: NumberPrecision): Formats | undefined {
  const first = (...formats: NumberFormat[]) =>
    formats.find((format) => addon.supports(kernels, format)) as NumberFormat;
  switch (precision) {
    case 'fp32': {
      const format = first('split', 'f32');
      return { quantised: format, other: format };
    }
    case 'bf16':
      return addon.supports(kernels, 'bf16') ? { quantised: 'bf16', other: 'bf16' } : undefined;
    case 'int8':
      return addon.supports(kernels, 'u8') ? { quantised: 'u8', other: first('bf16', 'f32') } : undefined;
  }
}

/**
 * Scores with the kernels of `native/`: one call a request, ids in, probabilities out. One plan for requests whose own fields
 * have one row, as in service; others, made when first needed, for creatives of candidates, and for rows of any users, as in
 * evaluation.
 *
 * @param service the program of requests and its packed weights, where they are at hand: see `lowerFor`
 * @throws UserError for a precision that the kernels or the bundle do not allow
 */
export function createNativeScorer(
  bundle: ScoredBundle,
  addon: NativeAddon,
  options: NativeOptions,
  service: Service = { lowered: lowerFor(bundle, addon, options) },
): NativeScorer {
  const { typed, fitted } = bundle;
  const { kernels, precision } = options;
  const check = createInputCheck(typed, (vocabulary) => fitted.vocabularies.get(vocabulary)?.rows ?? 0);
  const tasks = typed.model.tasks.map(({ name }) => name);
  const takesCreatives = knowsCreatives(typed);
  let inUse = createProgram(addon, kernels, service);
  let hasCreatives = false;
  /** Of the program that was in use before. */
  let past: Counts | undefined;
  let rows: NativeProgram | undefined;
  const answersOf = (program: NativeProgram) => new Map(tasks.map((task, i) => [task, program.answers(i)]));

  /** Once creatives are asked for, one program serves all: what may be kept is kept once. */
  const runCreatives = (input: ScoringInput): boolean => {
    if (hasCreatives) return inUse.run(input);
    const prepared = service.ofCreatives ?? { lowered: lowerFor(bundle, addon, options, 'creatives') };
    const program = createProgram(addon, kernels, prepared);
    if (!program.run(input)) {
      program.dispose();
      return false;
    }
    past = { cache: inUse.cacheStats(), rows: inUse.stageRows() };
    inUse.dispose();
    inUse = program;
    hasCreatives = true;
    return true;
  };

  /** @returns undefined where candidates do not fit the program, or come with a row a creative of what they have in common */
  const scoreCreatives = (input: ScoringInput, candidates: CandidateRows): Scores | undefined => {
    if (takesCreatives) return runCreatives(input) ? answersOf(inUse) : undefined;
    // Creatives of a candidate differ in nothing that the model takes.
    checkCandidates(candidates, input.rowCount);
    if (!inUse.run({ rowCount: candidates.count, fields: input.fields })) return undefined;
    const answers = tasks.map((_, i) => inUse.answers(i));
    return new Map(
      tasks.map((task, i) => [task, Float32Array.from(candidates.of, (candidate) => answers[i][candidate])]),
    );
  };

  const scoreRows = (input: ScoringInput): Scores | undefined => {
    if (inUse.run(hasCreatives ? { ...input, candidates: oneEach(input.rowCount) } : input)) return answersOf(inUse);
    if (inUse.takes(input)) return undefined;
    rows ??= createProgram(addon, kernels, { lowered: lowerFor(bundle, addon, options, 'rows') });
    return rows.run(input) ? answersOf(rows) : undefined;
  };

  return {
    engine: `native (${kernels}, ${precision})`,
    ...(precision === 'fp32' ? {} : { precision }),
    rowsAtOnce,
    score(input) {
      const { candidates } = input;
      const answers = candidates === undefined ? scoreRows(input) : scoreCreatives(input, candidates);
      if (answers !== undefined) return answers;
      check(input);
      const byRow = candidates === undefined ? undefined : scoreRows(expandCandidates(input));
      if (byRow !== undefined) return byRow;
      // What the check leaves: a list where the schema has single ids.
      throw new UserError(
        `scoring input: the columns are not of the kinds the model takes; encode them with the bundle's own schema`,
      );
    },
    adCacheStats() {
      const { hits = 0, misses = 0 } = past?.cache ?? {};
      const now = inUse.cacheStats();
      return { ...now, hits: now.hits + hits, misses: now.misses + misses };
    },
    stageRows: () => (past === undefined ? inUse.stageRows() : sumOf(past.rows, inUse.stageRows())),
    dispose() {
      inUse.dispose();
      rows?.dispose();
    },
  };
}

interface Counts {
  readonly cache: AdCacheStats;
  readonly rows: Readonly<Record<Stage, number>>;
}

function sumOf<K extends string>(a: Readonly<Record<K, number>>, b: Readonly<Record<K, number>>): Record<K, number> {
  const sums = (Object.keys(a) as K[]).map((key) => [key, a[key] + b[key]]);
  return Object.fromEntries(sums) as Record<K, number>;
}

/** Rows as candidates of one creative. */
function oneEach(rowCount: number): CandidateRows {
  return { count: rowCount, of: Int32Array.from({ length: rowCount }, (_, row) => row) };
}

interface NativeProgram {
  /** Whether the request's columns have one row each. */
  takes(input: ScoringInput): boolean;
  /** @returns false if the input does not fit */
  run(input: ScoringInput): boolean;
  answers(task: number): Float32Array;
  cacheStats(): AdCacheStats;
  stageRows(): Readonly<Record<Stage, number>>;
  dispose(): void;
}

/**
 * A bundle's program for one precision and machine.
 *
 * @param of what it scores: candidates of a request, creatives of its candidates, or rows of any users
 * @throws UserError for a precision that the kernels or the bundle do not allow
 */
export function lowerFor(
  bundle: ScoredBundle,
  addon: NativeAddon,
  options: NativeOptions,
  of: 'candidates' | 'creatives' | 'rows' = 'candidates',
): Lowered {
  const { manifest, typed } = bundle;
  const { kernels, precision, rates, candidates, cacheBytes, blockRows = 64 } = options;
  const formats = formatsOf(addon, kernels, precision);
  if (formats === undefined)
    throw new UserError(`engine native has no precision ${precision} on '${kernels}'; use fp32 or auto`, 'unsupported');
  if (precision === 'int8' && manifest.precision === undefined) {
    throw new UserError(
      `bundle '${manifest.name}' records no ranges of its layers' inputs, which int8 needs; train it anew, or use bf16 or fp32`,
    );
  }
  const plan = createPlan(typed, {
    rates,
    candidates,
    variantsPerCandidate: of === 'creatives' ? usualCreatives : 1,
    numberBytes: numberBytesOf[precision],
    keeps: cacheBytes > 0,
    recordBytesMax: options.recordBytesMax,
    requestFields: of === 'rows' ? 'rows' : 'request',
  });
  return lowerPlan(plan, bundle, { formats, blockRows, cacheBytes, candidates: of === 'creatives' });
}

function createProgram(addon: NativeAddon, kernels: string, { lowered, packed }: PackedProgram): NativeProgram {
  const { spec, columns } = lowered;
  let program = addon.createProgram(kernels, spec, packed ?? addon.pack(kernels, spec)) as
    | ReturnType<NativeAddon['createProgram']>
    | undefined;
  const inUse = () => {
    assert(program !== undefined, 'a disposed scorer was used');
    return program;
  };
  const stage = new InputStage(lowered, (buffer) => addon.setStage(inUse(), buffer));
  const ofRequest = columns.filter((column) => column.stage === 'request').map(({ field }) => field);
  return {
    takes({ fields }) {
      for (let i = 0; i < ofRequest.length; i++) {
        const column = fields.get(ofRequest[i]);
        if (column !== undefined && rowsIn(column) !== 1) return false;
      }
      return true;
    },
    run: (input) => stage.write(input) && addon.run(inUse()),
    answers: (task) => stage.answers(task),
    cacheStats: () => addon.cacheStats(inUse()),
    stageRows: () => addon.stageRows(inUse()),
    dispose() {
      if (program !== undefined) addon.dispose(program);
      program = undefined;
    },
  };
}
