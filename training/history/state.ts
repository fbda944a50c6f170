import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { UserError } from '../../src/core/errors.ts';
import type { History } from '../../src/history/history.ts';
import type { HistoryPlan } from '../../src/history/historyPlan.ts';
import { loadHistory, saveHistory } from '../../src/history/state.ts';
import { putSchema, takeSchema } from '../../src/history/stateSchema.ts';
import { readHistoryFile } from '../../src/model/bundleFiles.ts';
import { encodeHistoryFile } from '../../src/model/historyFile.ts';
import type { Schema } from '../../src/schema/schema.ts';
import { outputError } from '../../src/tables/outputFolder.ts';

/**
 * Reads a state, alone or in a bundle.
 *
 * @throws UserError if there is none, or it is damaged or of a schema with another history
 */
export async function readState(plan: HistoryPlan, source: string): Promise<History> {
  const tensors = await readHistoryFile(source);
  takeSchema(tensors, source);
  return loadHistory(plan, tensors, source);
}

/** A state as the content of its file. */
export function encodeState(history: History, schema: Schema): Uint8Array {
  const tensors = saveHistory(history);
  putSchema(tensors, schema);
  return encodeHistoryFile(tensors);
}

/** @throws UserError if the file exists */
export async function checkNewState(file: string): Promise<void> {
  if ((await stat(file).catch(() => undefined)) === undefined) return;
  throw new UserError(`state file '${file}' exists; name another, or remove it`, 'conflict');
}

/** Writes a state as a new file, whole or not at all. */
export async function writeState(file: string, history: History, schema: Schema): Promise<void> {
  await checkNewState(file);
  const content = encodeState(history, schema);
  const temporary = `${file}.partial`;
  try {
    await mkdir(dirname(file), { recursive: true });
    const handle = await open(temporary, 'w');
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw outputError(file, error);
  }
}
