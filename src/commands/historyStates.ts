import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, UserError } from '../core/errors.ts';
import type { History } from '../history/history.ts';
import { createHistoryPlan } from '../history/historyPlan.ts';
import { loadHistory } from '../history/state.ts';
import { schemaOf } from '../history/stateSchema.ts';
import { readBundle, readHistoryFile, resolveBundleFolder } from '../model/bundleFiles.ts';
import type { ColumnType } from '../schema/fitted.ts';
import { parseJson, parseSchema } from '../schema/parseSchema.ts';
import type { Schema } from '../schema/schema.ts';

export interface StateFlags {
  state: string;
  schema?: string;
  model?: string;
}

/** A state as a file has it, and of what. */
export interface ReadState {
  readonly history: History;
  readonly schema: Schema;
  /** The types of columns in training, where a model says. */
  readonly columnTypes?: ReadonlyMap<string, ColumnType>;
}

/**
 * Reads a state of history. Its schema is that of the model or file named, else its own.
 *
 * @throws UserError if it is missing, damaged, or of another schema
 */
export async function readState({ state, schema: schemaFile, model }: StateFlags): Promise<ReadState> {
  const tensors = await readHistoryFile(state);
  const own = schemaOf(tensors, state);
  const bundle = model === undefined ? undefined : await readBundle(await resolveBundleFolder(model), {});
  const schema = bundle?.typed.schema ?? (schemaFile === undefined ? own : await readSchema(schemaFile));
  if (schema === undefined)
    throw new UserError(
      `${state}: does not say of which schema it is; name it with --schema, or its model with --model`,
    );
  const plan = createHistoryPlan(schema);
  if (plan === undefined)
    throw new UserError(`schema '${schema.name}' has no sequences and no counters; name the one that ${state} is of`);
  return { history: loadHistory(plan, tensors, state), schema, columnTypes: bundle?.fitted.columnTypes };
}

async function readSchema(file: string): Promise<Schema> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new UserError(`cannot read schema '${path.resolve(file)}': ${messageOf(error)}; name another`, 'missing');
  }
  return parseSchema(parseJson(text, file), file);
}
