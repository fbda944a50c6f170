import { columnOf } from '../../src/schema/fields.ts';
import type { Schema } from '../../src/schema/schema.ts';
import type { CsvType } from '../../src/tables/csvTypes.ts';

/**
 * What a schema tells of the types in a CSV file: its numbers are numbers even where the first rows look whole, its labels are
 * whole. Ids may be whole numbers or text, which only the values can tell.
 */
export function typesOfSchema(schema: Schema): Record<string, CsvType> {
  const types: Record<string, CsvType> = {};
  const ids = new Set(schema.fields.filter((field) => field.kind === 'id').map(columnOf));
  for (const field of schema.fields) {
    if (field.kind === 'number' && !ids.has(columnOf(field))) types[columnOf(field)] = 'number';
  }
  for (const label of schema.labels) {
    types[label.column] = 'integer';
    if (label.truth !== undefined) types[label.truth] = 'number';
  }
  if (schema.weight !== undefined) types[schema.weight] = 'number';
  return types;
}
