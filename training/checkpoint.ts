import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { assert } from '../src/core/errors.ts';
import type { Bundle } from '../src/model/bundle.ts';
import { writeBundle } from '../src/model/bundleFiles.ts';
import { decodeSafetensors, encodeSafetensors, type Tensor } from '../src/model/safetensors.ts';
import type { TableState } from './embeddings.ts';
import type { Progress } from './fitLoop.ts';
import type { TrainerState } from './trainer.ts';

/*
 * A checkpoint is a bundle, so it can be evaluated and served, with one more file: the optimizer's state and how far
 * training had come.
 */

export const checkpointFile = 'checkpoint.safetensors';

export interface Checkpoint {
  readonly state: TrainerState;
  readonly progress: Progress;
}

/** Where the checkpoint of a training that writes to `out` lives. */
export function checkpointFolder(out: string): string {
  return `${out.replace(/[/\\]+$/, '')}.checkpoint`;
}

/** Writes a checkpoint in place of the last one, which is removed only when the new one is whole. */
export async function writeCheckpoint(folder: string, bundle: Bundle, checkpoint: Checkpoint): Promise<void> {
  const next = `${folder}.next`;
  rmSync(next, { recursive: true, force: true });
  await writeBundle(next, bundle, { extraFiles: new Map([[checkpointFile, encodeCheckpoint(checkpoint)]]) });
  rmSync(folder, { recursive: true, force: true });
  renameSync(next, folder);
}

/** The checkpoint beside a bundle's files, if it is one. */
export function readCheckpoint(folder: string): Checkpoint | undefined {
  const path = join(folder, checkpointFile);
  return existsSync(path) ? decodeCheckpoint(readFileSync(path), path) : undefined;
}

function encodeCheckpoint({ state, progress }: Checkpoint): Uint8Array {
  const tensors = new Map<string, Tensor>();
  const put = (name: string, values: Float32Array | undefined) => {
    if (values !== undefined) tensors.set(name, { shape: [values.length], values });
  };
  for (const [name, table] of state.tables) {
    put(`table means ${name}`, table.means);
    put(`table squares ${name}`, table.squares);
  }
  const { learner } = state;
  for (const [name, tensor] of learner.parameters) tensors.set(`parameter ${name}`, tensor);
  for (const [name, values] of learner.means) put(`means ${name}`, values);
  for (const [name, values] of learner.squares) put(`squares ${name}`, values);
  const { epoch, batch, step, examples } = progress;
  tensors.set('progress', { shape: [5], values: Float64Array.of(epoch, batch, step, examples, learner.stepCount) });
  return encodeSafetensors(tensors);
}

function decodeCheckpoint(bytes: Uint8Array, source: string): Checkpoint {
  const tensors = decodeSafetensors(bytes, source);
  const group = (prefix: string) =>
    [...tensors]
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, tensor]) => [name.slice(prefix.length), tensor as Tensor<Float32Array>] as const);
  const values = (prefix: string) => new Map(group(prefix).map(([name, tensor]) => [name, tensor.values]));
  const tableMeans = values('table means ');
  const tables = new Map<string, TableState>(
    group('table squares ').map(([name, { values: squares }]) => [name, { squares, means: tableMeans.get(name) }]),
  );
  const progress = tensors.get('progress')?.values;
  assert(progress instanceof Float64Array, 'a checkpoint has its progress');
  const [epoch, batch, step, examples, stepCount] = progress;
  return {
    progress: { epoch, batch, step, examples },
    state: {
      tables,
      learner: {
        stepCount,
        parameters: new Map(group('parameter ')),
        means: values('means '),
        squares: values('squares '),
      },
    },
  };
}
