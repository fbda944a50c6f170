import { messageOf, UserError } from '../core/errors.ts';
import type { Bundle } from '../model/bundle.ts';
import type { Scorer } from './scorer.ts';

/** A bundle ready to score, and why on this engine. */
export interface LoadedScorer {
  readonly scorer: Scorer;
  /** For people and logs: `the fastest that loads; wasm SIMD, 1 thread`. */
  readonly reason: string;
}

export interface EngineChoice {
  /** `auto` where absent: the fastest that loads. */
  readonly engine?: string;
  /** TensorFlow.js's backend, for an engine that has backends; `auto` where absent. */
  readonly backend?: string;
  /** Of an engine that has several; `auto` where absent: the fastest within the bundle's limits. */
  readonly precision?: Precision;
  /** Memory for what depends on an ad alone, of an engine that keeps it; 256 where absent, 0 keeps nothing. */
  readonly adCacheMb?: number;
}

export const precisions = ['auto', 'fp32', 'bf16', 'int8'] as const;
export type Precision = (typeof precisions)[number];

interface Engine {
  readonly name: string;
  /** Those of the choices beside itself that it has. */
  readonly has: readonly ('backend' | 'precision' | 'adCacheMb')[];
  /** Imports the engine's code only now, so that what is not used is not loaded. */
  load(bundle: Bundle, choice: EngineChoice): Promise<{ scorer: Scorer; detail: string }>;
}

/** Every engine, the fastest first; a new one is a folder and an entry here. */
export const engines: readonly Engine[] = [
  {
    name: 'native',
    has: ['precision', 'adCacheMb'],
    async load(bundle, choice) {
      const { loadNativeScorer } = await import('./engines/native/loadScorer.ts');
      return loadNativeScorer(bundle, choice);
    },
  },
  {
    name: 'tfjs',
    has: ['backend'],
    async load(bundle, { backend = 'auto' }) {
      const { loadBackend } = await import('./engines/tfjs/load.ts');
      const { createTfjsScorer } = await import('./engines/tfjs/scorer.ts');
      const loaded = await loadBackend(backend);
      return { scorer: createTfjsScorer(bundle, loaded), detail: `${loaded.device}; backend: ${loaded.reason}` };
    },
  },
  {
    name: 'reference',
    has: [],
    async load(bundle) {
      const { createReferenceScorer } = await import('./engines/reference/scorer.ts');
      return { scorer: createReferenceScorer(bundle), detail: 'plain JavaScript in float64' };
    },
  },
];

/**
 * Loads a bundle into an engine. `auto` takes the fastest that loads; a backend or a precision asked for by name leaves only
 * the engines that have it, and must load.
 *
 * @throws UserError for an unknown engine, one that does not load, or one without what is asked for
 */
export async function createScorer(bundle: Bundle, choice: EngineChoice = {}): Promise<LoadedScorer> {
  const { engine: wanted = 'auto', backend = 'auto', precision = 'auto' } = choice;
  checkChoice(choice);
  const failures: string[] = [];
  for (const engine of engines) {
    if (wanted !== 'auto' && engine.name !== wanted) continue;
    const lack = lackOf(engine, choice);
    if (lack !== undefined && wanted === 'auto') continue;
    if (lack !== undefined) throw new UserError(`engine '${wanted}' ${lack}`);
    try {
      const { scorer, detail } = await engine.load(bundle, choice);
      const why = wanted === 'auto' ? 'the fastest engine that loads' : 'asked for';
      return { scorer, reason: [`${why}: ${detail}`, ...failures].join('; ') };
    } catch (error) {
      if (wanted !== 'auto' || backend !== 'auto' || isLower(precision)) throw error;
      failures.push(`${engine.name} does not load: ${messageOf(error)}`);
    }
  }
  if (failures.length > 0)
    throw new UserError(`no engine loads (${failures.join('; ')}); reinstall limelight`, 'unsupported');
  throw new UserError(`no engine has both backend '${backend}' and precision '${precision}'; leave one of them out`);
}

/** Every engine computes in float32 at least. */
const isLower = (precision: Precision) => precision === 'bf16' || precision === 'int8';

function checkChoice({ engine = 'auto', precision = 'auto', adCacheMb = 0 }: EngineChoice): void {
  const names = ['auto', ...engines.map(({ name }) => name)];
  if (!names.includes(engine)) throw new UserError(`engine '${engine}' is unknown; use one of ${names.join(', ')}`);
  if (!precisions.includes(precision))
    throw new UserError(`precision '${precision}' is unknown; use one of ${precisions.join(', ')}`);
  if (!(adCacheMb >= 0 && adCacheMb < Number.POSITIVE_INFINITY))
    throw new UserError(`ad cache: expected a number of megabytes from 0 up, got ${adCacheMb}; 0 keeps nothing`);
}

/** What of a choice an engine does not have, for a message about it. */
function lackOf({ has }: Engine, choice: EngineChoice): string | undefined {
  const { engine: wanted, backend = 'auto', precision = 'auto', adCacheMb = 0 } = choice;
  const others = (key: Engine['has'][number]) => {
    const names = engines.filter((engine) => engine.has.includes(key)).map(({ name }) => name);
    return names.length === 0 ? 'leave it out' : `leave it out, or use engine ${names.join(' or ')}`;
  };
  if (backend !== 'auto' && !has.includes('backend'))
    return `has no backends, got backend '${backend}'; ${others('backend')}`;
  if (isLower(precision) && !has.includes('precision'))
    return `computes in fp32 alone, got precision '${precision}'; ${others('precision')}`;
  // Where no engine is named, memory for ads is a permission that an engine may leave unused.
  if (adCacheMb > 0 && wanted !== undefined && wanted !== 'auto' && !has.includes('adCacheMb'))
    return `keeps nothing of ads, got an ad cache of ${adCacheMb} MB; ${others('adCacheMb')}`;
  return undefined;
}
