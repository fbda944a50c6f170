import { columnOf } from '../../src/schema/fields.ts';
import type { Schema } from '../../src/schema/schema.ts';
import type { CsvType } from '../../src/tables/csvTypes.ts';

/**
 * What a schema tells of the types in a CSV file: its numbers are numbers even where the first rows look whole. Ids
 * may be whole numbers or text, and labels 0 and 1 or true and false, which only the values can tell.
 */
export function typesOfSchema(schema: Schema): Record<string, CsvType> {
  const types: Record<string, CsvType> = {};
  const ids = new Set(schema.fields.filter((field) => field.kind === 'id').map(columnOf));
  for (const field of schema.fields) {
    if (field.kind === 'number' && !ids.has(columnOf(field))) types[columnOf(field)] = 'number';
  }
  for (const label of schema.labels) if (label.truth !== undefined) types[label.truth] = 'number';
  if (schema.weight !== undefined) types[schema.weight] = 'number';
  return types;
}
