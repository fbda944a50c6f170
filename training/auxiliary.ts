import type { Static } from 'typebox';
import Type from 'typebox';
import { UserError } from '../src/core/errors.ts';
import { checkModel, type TypedModel } from '../src/model/checkModel.ts';
import { readsFields } from '../src/model/steps.ts';
import type { Column } from '../src/schema/columns.ts';
import { schemaFile } from '../src/schema/derivedFields.ts';
import { columnOf, isMade } from '../src/schema/fields.ts';
import { parseSchema } from '../src/schema/parseSchema.ts';
import type { Label, Schema } from '../src/schema/schema.ts';
import type { Table } from '../src/tables/parquetReader.ts';
import { withColumns } from '../src/tables/withColumns.ts';
import { numbersOrNaN } from './dataset/rowColumns.ts';

/*
 * Auxiliary tasks: labels that a model learns beside its own, since they shape what it shares, and that its bundle knows nothing of.
 */

const defaultWeight = 0.1;

/** One of the `auxiliary` of a configuration file. */
export const Auxiliary = Type.Object(
  {
    name: Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]*$', description: 'What reports call it.' }),
    column: Type.String({ minLength: 1, description: 'A column of 0 and 1; of numbers where atLeast is there.' }),
    atLeast: Type.Optional(Type.Number({ description: 'The label is 1 where the column’s number is this or more.' })),
    weight: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, description: `Its share in the loss; ${defaultWeight} where absent.` }),
    ),
  },
  { additionalProperties: false },
);
export type Auxiliary = Static<typeof Auxiliary>;

/**
 * Reads `name=column`, `name=column:weight` or `name=column>=7000:weight`.
 *
 * @throws UserError
 */
export function parseAuxiliary(text: string): Auxiliary {
  const [, name, column, threshold, share] =
    /^([A-Za-z_]\w*)=((?:(?!>=)[^:])+)(?:>=([^:]+))?(?::([^:]+))?$/.exec(text) ?? [];
  const atLeast = threshold === undefined ? undefined : Number(threshold);
  const weight = share === undefined ? undefined : Number(share);
  if (name === undefined || Number.isNaN(atLeast) || (weight !== undefined && !(weight > 0)))
    throw new UserError(
      `--aux '${text}': expected <name>=<column>[>=<number>][:<weight above 0>], such as long=play_time_ms>=7000:0.1`,
    );
  return { name, column, ...(atLeast !== undefined && { atLeast }), ...(weight !== undefined && { weight }) };
}

/** What the label reads: a threshold's is a column of its own, see `withThresholds`. */
const labelColumn = ({ column, atLeast }: Auxiliary) => (atLeast === undefined ? column : `${column}>=${atLeast}`);

/**
 * The schema a model is trained with: its own labels, then the auxiliary ones.
 *
 * @throws UserError if one has a label's name, or its column is a feature
 */
export function withAuxiliary(schema: Schema, all: readonly Auxiliary[]): Schema {
  if (all.length === 0) return schema;
  for (const { name, column } of all) {
    const field = schema.fields.find((it) => !isMade(it) && columnOf(it) === column);
    if (field === undefined) continue;
    throw new UserError(
      `auxiliary task '${name}' learns column '${column}', which field '${field.name}' gives the model; name another column, or remove the field`,
    );
  }
  const labels: Label[] = all.map((it) => ({
    name: it.name,
    column: labelColumn(it),
    weight: it.weight ?? defaultWeight,
  }));
  return parseSchema({ ...schemaFile(schema), labels: [...schema.labels, ...labels] }, 'auxiliary tasks');
}

/** A table with the labels that thresholds make; a row without a number is below them. */
export function withThresholds(table: Table, all: readonly Auxiliary[]): Table {
  const thresholds = all.filter(({ atLeast }) => atLeast !== undefined);
  return withColumns(table, {
    columns: thresholds.map((it) => ({ name: labelColumn(it), type: 'integer' })),
    reads: thresholds.map(({ column }) => column),
    make: ({ rowCount, columns }) =>
      new Map(
        thresholds.map((it) => {
          const numbers = numbersOrNaN(
            columns.get(it.column) as Column,
            `auxiliary task '${it.name}' (column '${it.column}')`,
          );
          const values = Int32Array.from(numbers, (number) => (number >= (it.atLeast as number) ? 1 : 0));
          return [labelColumn(it), { type: 'integer', rowCount, values }];
        }),
      ),
  });
}

/** A model without the tasks whose labels `schema` lacks, and without what only leads to them. */
export function servedModel(typed: TypedModel, schema: Schema): TypedModel {
  const { model } = typed;
  const labels = new Set(schema.labels.map(({ name }) => name));
  const losses = model.losses.filter(({ label }) => labels.has(label));
  if (losses.length === model.losses.length) return typed;
  const served = new Set(losses.map(({ task }) => task));
  const tasks = model.tasks.filter(({ name }) => served.has(name));
  const needed = new Set(tasks.flatMap(({ logits }) => logits));
  for (const step of model.steps.toReversed())
    if (needed.has(step.output) && !readsFields(step)) for (const name of step.inputs) needed.add(name);
  const steps = model.steps.filter(({ output }) => needed.has(output));
  const looked = new Set(steps.flatMap((step) => ('tables' in step ? step.tables : [])));
  const tables = model.tables.filter(({ name }) => looked.has(name));
  return checkModel({ ...model, tables, steps, tasks, losses }, schema, model.architecture);
}
