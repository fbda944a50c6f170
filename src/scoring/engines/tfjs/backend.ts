import { UserError } from '../../../core/errors.ts';
import type { Tf } from './kernels.ts';

/** What TensorFlow.js computes on. `tensorflow`: the C library, on CUDA or the CPU; `cpu`: plain JavaScript, for checks. */
export const BACKENDS = ['tensorflow', 'wasm', 'cpu'] as const;
export type BackendName = (typeof BACKENDS)[number];

/** A TensorFlow.js that is ready. There is one engine a process, so the backend loaded last is the one in use. */
export interface LoadedBackend {
  tf: Tf;
  backend: BackendName;
  /** For people: `TensorFlow 2.21.0, CUDA, NVIDIA H200` or `wasm SIMD, 1 thread`. */
  device: string;
  /** Why this one: what was asked for, and what was tried before it. */
  reason: string;
}

/** Makes a loaded backend the one in use; as it is ready, that takes effect at once. */
export function useBackend({ tf, backend }: LoadedBackend): void {
  if (tf.getBackend() !== backend) void tf.setBackend(backend);
}

/** @throws UserError for any other name than `auto` or a backend's */
export function parseBackendName(name: string): 'auto' | BackendName {
  if (name === 'auto' || BACKENDS.includes(name as BackendName)) return name as 'auto' | BackendName;
  throw new UserError(`backend '${name}' is unknown; use one of ${['auto', ...BACKENDS].join(', ')}`);
}

/** The error for a backend that was asked for by name and cannot be had. */
export function backendUnavailable(name: BackendName, why: string): UserError {
  const next =
    name === 'tensorflow'
      ? "install it with 'scripts/build-tfjs-node.sh cpu' (or gpu), or use --backend wasm"
      : 'reinstall limelight with its dependencies, or use --backend auto';
  return new UserError(`backend '${name}' does not load: ${why}; ${next}`, 'unsupported');
}
