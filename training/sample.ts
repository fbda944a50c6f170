import type { Random } from '../src/core/random.ts';
import { halfOf } from '../src/evaluation/groups.ts';
import type { TypedModel } from '../src/model/checkModel.ts';
import type { Sample } from '../src/model/sample.ts';
import { takenFields } from '../src/model/takenFields.ts';
import type { EncodedColumn } from '../src/schema/encoded.ts';
import { shuffledBatches } from './dataset/batches.ts';
import type { EncodedChunk, EncodedStore } from './dataset/encodedStore.ts';
import { labelOfTask } from './evaluationRows.ts';

/** Enough to see a difference of some 1e-4 in AUC between two answers to the same rows, and a few megabytes. */
const sampleRows = 16_384;

/**
 * Draws validation rows for the bundle, of the users that calibration was not fitted to where the schema names users.
 *
 * @returns undefined where there are no such rows
 */
export function drawSample(valid: EncodedStore, typed: TypedModel, random: Random): Sample | undefined {
  const inTestHalf = ({ users }: EncodedChunk, row: number) =>
    users === undefined || halfOf(users[2 * row], users[2 * row + 1]) === 1;
  const [rows] = shuffledBatches(valid, sampleRows, random, inTestHalf);
  if (rows === undefined) return undefined;
  const { rowCount } = rows;
  const fields = takenFields(typed).map(({ name }) => [name, rows.fields.get(name) as EncodedColumn] as const);
  const labels = typed.model.tasks.flatMap(({ name }) => {
    const values = rows.labels.get(labelOfTask(typed, name));
    return values === undefined ? [] : [[name, values] as const];
  });
  return { input: { rowCount, fields: new Map(fields) }, labels: new Map(labels) };
}
