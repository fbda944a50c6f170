import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Bundle } from '../src/model/bundle.ts';
import { readBundleFile, writeBundle } from '../src/model/bundleFiles.ts';
import { decodeSafetensors, encodeSafetensors, type Tensor } from '../src/model/safetensors.ts';
import { parseJson } from '../src/schema/parseSchema.ts';
import type { TableState } from './embeddings.ts';
import type { FitState } from './fitLoop.ts';
import type { Weights } from './parameters.ts';
import type { TrainerState } from './trainer.ts';

/*
 * A checkpoint is a bundle, so it can be evaluated and served, with two more files: the optimizer's state and the best
 * weights so far, and how far training had come.
 */

const stateFile = 'checkpoint.safetensors';
const progressFile = 'checkpoint.json';

export interface Checkpoint {
  readonly trainer: TrainerState;
  readonly fit: FitState;
}

/** Where the checkpoint of a training that writes to `out` lives. */
export function checkpointFolder(out: string): string {
  return `${out.replace(/[/\\]+$/, '')}.checkpoint`;
}

/** Writes a checkpoint in place of the last one, which is removed only when the new one is whole. */
export async function writeCheckpoint(folder: string, bundle: Bundle, checkpoint: Checkpoint): Promise<void> {
  const next = `${folder}.next`;
  rmSync(next, { recursive: true, force: true });
  const extraFiles = new Map<string, string | Uint8Array>([
    [stateFile, encodeState(checkpoint)],
    [progressFile, encodeProgress(checkpoint)],
  ]);
  await writeBundle(next, bundle, { extraFiles });
  rmSync(folder, { recursive: true, force: true });
  renameSync(next, folder);
}

/** The checkpoint beside a bundle's files, if it is one. */
export async function readCheckpoint(folder: string): Promise<Checkpoint | undefined> {
  const path = join(folder, stateFile);
  if (!existsSync(path)) return undefined;
  const progress = new TextDecoder().decode(await readBundleFile(folder, progressFile));
  return decodeCheckpoint(
    await readBundleFile(folder, stateFile),
    path,
    parseJson(progress, join(folder, progressFile)),
  );
}

function encodeProgress({ trainer, fit }: Checkpoint): string {
  const best = fit.best && { loss: fit.best.loss, examples: fit.best.examples };
  return `${JSON.stringify({ ...fit, best, stepCount: trainer.learner.stepCount })}\n`;
}

function encodeState({ trainer, fit }: Checkpoint): Uint8Array {
  const tensors = new Map<string, Tensor>();
  const put = (name: string, values: Float32Array | undefined) => {
    if (values !== undefined) tensors.set(name, { shape: [values.length], values });
  };
  for (const [name, table] of trainer.tables) {
    put(`table means ${name}`, table.means);
    put(`table squares ${name}`, table.squares);
  }
  const { learner } = trainer;
  for (const [name, tensor] of learner.parameters) tensors.set(`parameter ${name}`, tensor);
  for (const [name, values] of learner.means) put(`means ${name}`, values);
  for (const [name, values] of learner.squares) put(`squares ${name}`, values);
  for (const [name, tensor] of fit.best?.weights ?? []) tensors.set(`best ${name}`, tensor);
  return encodeSafetensors(tensors);
}

function decodeCheckpoint(bytes: Uint8Array, source: string, progress: unknown): Checkpoint {
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
  // Its checksum was proven with the bundle's: it is what `encodeProgress` wrote.
  const { stepCount, best, ...fit } = progress as Omit<FitState, 'best'> & {
    stepCount: number;
    best?: { loss: number; examples: number };
  };
  return {
    fit: { ...fit, best: best && { ...best, weights: new Map(group('best ')) as Weights } },
    trainer: {
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
