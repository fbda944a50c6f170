import Type, { type Static } from 'typebox';
import { UserError } from '../src/core/errors.ts';
import type { Column, ColumnBatch } from '../src/schema/columns.ts';
import { isMade } from '../src/schema/fields.ts';
import { placed, RowError } from '../src/schema/rowError.ts';
import type { Schema } from '../src/schema/schema.ts';
import { numbersOrNaN } from './dataset/rowColumns.ts';

/** The `teacher` of a configuration file: what another model, or a blend of some, made of the training rows. */
export const Teacher = Type.Object(
  {
    column: Type.String({ minLength: 1, description: 'A column of probabilities in the training data.' }),
    label: Type.String({ minLength: 1, description: 'The label they are of.' }),
    weight: Type.Number({
      exclusiveMinimum: 0,
      maximum: 1,
      description: 'Their share in what the model aims at; the label has the rest.',
    }),
  },
  { additionalProperties: false, description: 'Soft labels to learn from beside the true ones.' },
);
export type Teacher = Static<typeof Teacher>;

/** @throws UserError if the schema has no such label, or the teacher's column is a feature */
export function checkTeacher({ column, label }: Teacher, schema: Schema, negativeSampling: number): void {
  if (!schema.labels.some(({ name }) => name === label))
    throw new UserError(
      `configuration: the teacher is of label '${label}', which the schema lacks; name one of ${schema.labels.map(({ name }) => name).join(', ')}`,
    );
  const field = schema.fields.find((it) => !isMade(it) && (it.column ?? it.name) === column);
  if (field !== undefined)
    throw new UserError(
      `configuration: the teacher's column '${column}' is that of field '${field.name}', so the model would know it; remove the field`,
    );
  if (negativeSampling < 1)
    throw new UserError(
      'configuration: negativeSampling keeps too few rows without a click for a teacher, who knows all of them; remove one of the two',
    );
}

/**
 * What training aims at: y' = (1 − w)·y + w·t. Cross entropy is linear in its target, so that this is the weighted sum of the losses
 * against the label and against the teacher (Hinton et al. 2015, "Distilling the Knowledge in a Neural Network", at temperature 1). A
 * row that the teacher says nothing of keeps its label.
 *
 * @throws UserError if the column holds anything but numbers from 0 to 1
 */
export function softLabels(batch: ColumnBatch, labels: Float32Array, { column, weight }: Teacher): Float32Array {
  return placed(batch, () => {
    const taught = numbersOrNaN(batch.columns.get(column) as Column, `teacher column '${column}'`);
    return labels.map((y, row) => {
      const t = taught[row];
      if (t < 0 || t > 1)
        throw new RowError(`teacher column '${column}': expected numbers from 0 to 1, got ${t}`, row, 'clean it');
      return Number.isNaN(t) ? y : (1 - weight) * y + weight * t;
    });
  });
}
