import { assert, UserError } from '../../../core/errors.ts';
import { expandCandidates } from '../../candidates.ts';
import { createInputCheck, rowsIn } from '../../input.ts';
import { createPlan } from '../../plan.ts';
import { numberBytesOf } from '../../planner/defaultRates.ts';
import type { MachineRates } from '../../planner/planSteps.ts';
import type { NumberPrecision } from '../../precision.ts';
import type { AdCacheStats, Scorer, ScoringInput } from '../../scorer.ts';
import type { NativeAddon, NumberFormat } from './addon.ts';
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

/** A program, and its weights as `NativeAddon.pack` gave them; packed now where absent. */
export interface Service {
  readonly lowered: Lowered;
  readonly packed?: ArrayBuffer;
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
 * have one row, as in service; another, made when first needed, for rows of any users, as in evaluation.
 *
 * @param service the program of requests and its packed weights, where they are at hand: see `lowerFor`
 * @throws UserError for a precision that the kernels or the bundle do not allow
 */
export function createNativeScorer(
  bundle: ScoredBundle,
  addon: NativeAddon,
  options: NativeOptions,
  service: Service = { lowered: lowerFor(bundle, addon, options) },
): Scorer {
  const { typed, fitted } = bundle;
  const { kernels, precision } = options;
  const check = createInputCheck(typed, (vocabulary) => fitted.vocabularies.get(vocabulary)?.rows ?? 0);
  const tasks = typed.model.tasks.map(({ name }) => name);
  const requests = createProgram(addon, kernels, service);
  let rows: NativeProgram | undefined;
  const answersOf = (program: NativeProgram) => new Map(tasks.map((task, i) => [task, program.answers(i)]));
  return {
    engine: `native (${kernels}, ${precision})`,
    ...(precision === 'fp32' ? {} : { precision }),
    score(given) {
      if (given.candidates !== undefined) check(given);
      const input = expandCandidates(given);
      if (requests.run(input)) return answersOf(requests);
      if (!requests.takes(input)) {
        rows ??= createProgram(addon, kernels, { lowered: lowerFor(bundle, addon, options, 'rows') });
        if (rows.run(input)) return answersOf(rows);
      }
      check(input);
      // What the check leaves: a list where the schema has single ids.
      throw new UserError(
        `scoring input: the columns are not of the kinds the model takes; encode them with the bundle's own schema`,
      );
    },
    adCacheStats: () => requests.cacheStats(),
    dispose() {
      requests.dispose();
      rows?.dispose();
    },
  };
}

interface NativeProgram {
  /** Whether the request's columns have one row each. */
  takes(input: ScoringInput): boolean;
  /** @returns false if the input does not fit */
  run(input: ScoringInput): boolean;
  answers(task: number): Float32Array;
  cacheStats(): AdCacheStats;
  dispose(): void;
}

/**
 * A bundle's program for one precision and machine.
 *
 * @param requestFields `rows` where a request's own fields may have a row each
 * @throws UserError for a precision that the kernels or the bundle do not allow
 */
export function lowerFor(
  bundle: ScoredBundle,
  addon: NativeAddon,
  options: NativeOptions,
  requestFields: 'request' | 'rows' = 'request',
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
    numberBytes: numberBytesOf[precision],
    keeps: cacheBytes > 0,
    recordBytesMax: options.recordBytesMax,
    requestFields,
  });
  return lowerPlan(plan, bundle, { formats, blockRows, cacheBytes });
}

function createProgram(addon: NativeAddon, kernels: string, { lowered, packed }: Service): NativeProgram {
  const { spec, columns } = lowered;
  let program = addon.createProgram(kernels, spec, packed ?? addon.pack(kernels, spec)) as
    | ReturnType<NativeAddon['createProgram']>
    | undefined;
  const inUse = () => {
    assert(program !== undefined, 'a disposed scorer was used');
    return program;
  };
  const stage = new InputStage(columns, spec.tasks.length, (buffer) => addon.setStage(inUse(), buffer));
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
    dispose() {
      if (program !== undefined) addon.dispose(program);
      program = undefined;
    },
  };
}
