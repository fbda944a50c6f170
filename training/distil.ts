import Type, { type Static } from 'typebox';
import { listOf, UserError } from '../src/core/errors.ts';
import { readBundle, resolveBundleFolder } from '../src/model/bundleFiles.ts';
import type { TypedModel } from '../src/model/checkModel.ts';
import type { Column, ColumnBatch } from '../src/schema/columns.ts';
import { createEncoder } from '../src/schema/encoder.ts';
import { keysOf } from '../src/schema/keys.ts';
import { placed, RowError } from '../src/schema/rowError.ts';
import type { Schema } from '../src/schema/schema.ts';
import { createScorer } from '../src/scoring/engines.ts';
import type { Distillation } from '../src/scoring/learner.ts';
import { scoreInBlocks } from '../src/scoring/scoreInBlocks.ts';
import type { Config } from './config.ts';
import type { EncodedChunk } from './dataset/encodedStore.ts';
import { columnsOfSchema } from './dataset/rowColumns.ts';

/*
 * Listwise distillation: a model learns, beside its labels, to rank the rows of a request as a trained one does.
 */

/** The `distil` of a configuration file. */
export const Distil = Type.Object(
  {
    weight: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, description: 'Of its loss beside the labels’; 0.5 where absent.' }),
    ),
    temperature: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        description:
          'What logits are divided by before each list’s softmax; 1 where absent. Higher: the whole order counts.',
      }),
    ),
  },
  { additionalProperties: false, description: 'How to learn from the model that --distil names.' },
);
export type Distil = Static<typeof Distil>;

/** The label whose logit ranks: the first that comes after no other. */
const rankingLabel = ({ labels }: Schema) => labels.find(({ after }) => after === undefined) ?? labels[0];

/** What a learner is told. */
export function distillationOf(typed: TypedModel, { weight = 0.5, temperature = 1 }: Distil = {}): Distillation {
  const { name } = rankingLabel(typed.schema);
  const task = typed.model.tasks.find((it) => it.name === name) ?? typed.model.tasks[0];
  return { logit: task.logits[0], weight, temperature };
}

/** What a bundle's manifest says of it. */
export function distilFacts({ distil, config }: { distil?: string; config: Config }): object | undefined {
  return distil === undefined ? undefined : { model: distil, ...config.distil };
}

/** A trained model that ranks training rows as they are read. */
export interface ListTeacher {
  /** What it reads of the table. */
  readonly columns: readonly string[];
  rank(batch: ColumnBatch): NonNullable<EncodedChunk['ranked']>;
  dispose(): void;
}

/**
 * @param folder its bundle
 * @param schema the student's
 * @throws UserError if rows name no request, the teacher has not the task, or negatives are sampled
 */
export async function loadListTeacher(folder: string, schema: Schema, { training }: Config): Promise<ListTeacher> {
  const { request } = schema;
  if (request === undefined)
    throw new UserError(
      `--distil needs to know which rows were ranked together: add "request", their column, to schema '${schema.name}'`,
    );
  if (training.negativeSampling < 1)
    throw new UserError(
      'configuration: negativeSampling tears apart the lists that --distil learns from; remove one of the two',
    );
  const bundle = await readBundle(await resolveBundleFolder(folder));
  const { typed, fitted } = bundle;
  const { name: task } = rankingLabel(schema);
  const tasks = typed.model.tasks.map(({ name }) => name);
  if (!tasks.includes(task))
    throw new UserError(`--distil ${folder}: it has ${listOf(tasks)}, not '${task}'; name a model of that label`);
  const { scorer } = await createScorer(bundle);
  const encoder = createEncoder(typed.schema, fitted);
  const read = columnsOfSchema({ ...typed.schema, labels: [], time: undefined, user: undefined, weight: undefined });
  return {
    columns: [...new Set([...read, request])],
    rank: (batch) => ({
      requests: requestsOf(batch, request),
      teacher: (scoreInBlocks(scorer, encoder.encode(batch)).get(task) as Float32Array).map(logitOf),
    }),
    dispose: () => scorer.dispose(),
  };
}

function requestsOf(batch: ColumnBatch, request: string): Int32Array {
  return placed(batch, () => {
    const what = `request column '${request}'`;
    const column = batch.columns.get(request) as Column;
    if (column.type === 'list')
      throw new UserError(`${what}: expected one value a row, got a list; name another column`);
    const { words, valid } = keysOf(column, what);
    const row = valid?.indexOf(0) ?? -1;
    if (row >= 0)
      throw new RowError(`${what}: expected a value in every row, got none`, row, 'fill it or drop the row');
    return words;
  });
}

/** ln(p / (1 − p)), p kept within what float32 can tell from 0 and 1. */
function logitOf(p: number): number {
  const inside = Math.min(Math.max(p, 1e-7), 1 - 1e-7);
  return Math.log(inside / (1 - inside));
}
