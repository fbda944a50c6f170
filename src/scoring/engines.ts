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
  readonly hasBackends: boolean;
  /** Imports the engine's code only now, so that what is not used is not loaded. */
  load(bundle: Bundle, backend: string): Promise<{ scorer: Scorer; detail: string }>;
}

/** Every engine, the fastest first; a new one is a folder and an entry here. */
export const engines: readonly Engine[] = [
  {
    name: 'tfjs',
    hasBackends: true,
    async load(bundle, backend) {
      const { loadBackend } = await import('./engines/tfjs/load.ts');
      const { createTfjsScorer } = await import('./engines/tfjs/scorer.ts');
      const loaded = await loadBackend(backend);
      return { scorer: createTfjsScorer(bundle, loaded), detail: `${loaded.device}; backend: ${loaded.reason}` };
    },
  },
  {
    name: 'reference',
    hasBackends: false,
    async load(bundle) {
      const { createReferenceScorer } = await import('./engines/reference/scorer.ts');
      return { scorer: createReferenceScorer(bundle), detail: 'plain JavaScript in float64' };
    },
  },
];

/**
 * Loads a bundle into an engine. `auto` takes the fastest that loads; a backend asked for by name leaves only the
 * engines that have backends, and must load.
 *
 * @throws UserError for an unknown engine or one that does not load
 */
export async function createScorer(bundle: Bundle, choice: EngineChoice = {}): Promise<LoadedScorer> {
  const { engine: wanted = 'auto', backend = 'auto' } = choice;
  const names = engines.map(({ name }) => name);
  if (wanted !== 'auto' && !names.includes(wanted))
    throw new UserError(`engine '${wanted}' is unknown; use one of ${['auto', ...names].join(', ')}`);
  const failures: string[] = [];
  for (const engine of engines) {
    if (wanted !== 'auto' && engine.name !== wanted) continue;
    if (backend !== 'auto' && !engine.hasBackends) {
      if (wanted === 'auto') continue;
      throw new UserError(
        `engine '${wanted}' has no backends, got backend '${backend}'; leave it out, or use engine tfjs`,
      );
    }
    try {
      const { scorer, detail } = await engine.load(bundle, backend);
      const why = wanted === 'auto' ? 'the fastest engine that loads' : 'asked for';
      return { scorer, reason: [`${why}: ${detail}`, ...failures].join('; ') };
    } catch (error) {
      if (wanted !== 'auto' || backend !== 'auto') throw error;
      failures.push(`${engine.name} does not load: ${messageOf(error)}`);
    }
  }
  throw new UserError(`no engine loads (${failures.join('; ')}); reinstall limelight`, 'unsupported');
}
