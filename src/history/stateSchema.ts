import { schemaFile } from '../schema/derivedFields.ts';
import { parseJson, parseSchema } from '../schema/parseSchema.ts';
import type { Schema } from '../schema/schema.ts';

/*
 * A state says of which schema it is, so that it can be shown, merged and forgotten from without another file.
 */

interface Tensors<T> {
  get(name: string): { readonly values: ArrayBufferView } | undefined;
  set(name: string, tensor: T): unknown;
  delete(name: string): boolean;
}

const schemaName = 'schema';

/** Puts the schema, as its file has it, beside a state's tensors: UTF-8, four bytes a number. */
export function putSchema(
  tensors: Tensors<{ readonly shape: readonly number[]; readonly values: Int32Array<ArrayBuffer> }>,
  schema: Schema,
): void {
  const text = JSON.stringify(schemaFile(schema));
  const bytes = new TextEncoder().encode(text);
  const padded = new Uint8Array(4 * Math.ceil(bytes.length / 4)).fill(0x20);
  padded.set(bytes);
  const values = new Int32Array(padded.buffer);
  tensors.set(schemaName, { shape: [values.length], values });
}

/** Takes the schema out again; undefined where a state does not say. @throws UserError if it is no schema */
export function takeSchema(tensors: Tensors<never>, source: string): Schema | undefined {
  const values = tensors.get(schemaName)?.values;
  if (values === undefined) return undefined;
  tensors.delete(schemaName);
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const what = `${source}: its schema`;
  return parseSchema(parseJson(new TextDecoder().decode(bytes), what), what);
}
