import { schemaFile } from '../schema/derivedFields.ts';
import { parseJson, parseSchema } from '../schema/parseSchema.ts';
import type { Schema } from '../schema/schema.ts';
import type { History } from './history.ts';
import { type StateTensor, saveHistory } from './state.ts';

/*
 * A state says of which schema it is, so that it can be shown, merged and forgotten from without another file.
 */

const schemaName = 'schema';

/** What `saveHistory` saves, and beside it the schema as its file has it: UTF-8, four bytes a number. */
export function saveWithSchema(history: History, schema: Schema): Map<string, StateTensor> {
  const bytes = new TextEncoder().encode(JSON.stringify(schemaFile(schema)));
  const padded = new Uint8Array(4 * Math.ceil(bytes.length / 4)).fill(0x20);
  padded.set(bytes);
  const values = new Int32Array(padded.buffer);
  return saveHistory(history).set(schemaName, { shape: [values.length], values });
}

/** The schema of a state; undefined where it does not say. @throws UserError if it is no schema */
export function schemaOf(tensors: ReadonlyMap<string, StateTensor>, source: string): Schema | undefined {
  const values = tensors.get(schemaName)?.values;
  if (values === undefined) return undefined;
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const what = `${source}: its schema`;
  return parseSchema(parseJson(new TextDecoder().decode(bytes), what), what);
}
