import { readFileSync } from 'node:fs';
import Type, { type Static } from 'typebox';
import { messageOf, UserError } from '../src/core/errors.ts';
import type { PrecisionFacts } from '../src/model/bundle.ts';
import { parseJson, problemsOf } from '../src/schema/parseSchema.ts';

import { Auxiliary } from './auxiliary.ts';
import { Distil } from './distil.ts';
import { Teacher } from './teacher.ts';

const strict = { additionalProperties: false };
const optional = Type.Optional;
const Rate = (description: string) => Type.Number({ exclusiveMinimum: 0, maximum: 10, description });

/** The `training` part of a configuration file. */
export const TrainingOptions = Type.Object(
  {
    batchSize: optional(Type.Integer({ minimum: 1, maximum: 1_000_000, description: '512 where absent.' })),
    epochs: optional(
      Type.Integer({
        minimum: 1,
        maximum: 1000,
        description: 'Passes over the data; 1 where absent: embeddings over-fit in the second.',
      }),
    ),
    learningRate: optional(Rate('Adam’s on the dense parameters; 0.001 where absent.')),
    embeddingLearningRate: optional(Rate('0.01 where absent.')),
    embeddingOptimizer: optional(
      Type.Union([Type.Literal('adam'), Type.Literal('adagrad')], {
        description: 'Lazy Adam, the default, or row-wise Adagrad.',
      }),
    ),
    embeddingScale: optional(Rate('Standard deviation embeddings begin with; 0.01 where absent.')),
    decayTo: optional(
      Type.Number({
        minimum: 0,
        maximum: 1,
        description: 'What is left of the learning rates at the end; 0.05 where absent.',
      }),
    ),
    warmupSteps: optional(
      Type.Integer({ minimum: 0, description: 'Steps over which the learning rates rise; 0 where absent.' }),
    ),
    embeddingL2: optional(
      Type.Number({ minimum: 0, description: 'Penalty on embeddings, divided by the id’s count; 0 where absent.' }),
    ),
    idDropout: optional(
      Type.Object(
        {
          max: Type.Number({ minimum: 0, maximum: 1, description: 'The probability for an id never seen.' }),
          scale: Type.Number({ exclusiveMinimum: 0, description: 'Sightings by which it falls to a third.' }),
          fields: optional(
            Type.Array(Type.String(), { description: 'Of these fields alone; of all with ids where absent.' }),
          ),
        },
        { ...strict, description: 'Replaces an id by the unknown one with probability max·e^(−count/scale).' },
      ),
    ),
    negativeSampling: optional(
      Type.Number({
        exclusiveMinimum: 0,
        maximum: 1,
        description: 'Share of rows without a click kept; predictions are corrected. 1 where absent.',
      }),
    ),
    validationsPerEpoch: optional(Type.Integer({ minimum: 1, maximum: 1000, description: '4 where absent.' })),
    patience: optional(
      Type.Integer({
        minimum: 1,
        description: 'Validations without a better log loss before training stops; 3 where absent.',
      }),
    ),
  },
  strict,
);

/** The `precisionLimits` of a configuration file. */
const PrecisionLimits = Type.Object(
  {
    auc: optional(Type.Number({ minimum: 0, description: 'AUC it may lose; 0.0003 where absent.' })),
    logLoss: optional(
      Type.Number({ minimum: 0, description: 'Share by which its log loss may be higher; 0.0003 where absent.' }),
    ),
  },
  {
    ...strict,
    description:
      'How much worse than in float32 each task may be for a server to compute in a lower precision by itself.',
  },
);

/** A configuration file: hyper-parameters beside a schema. */
export const ConfigFile = Type.Object(
  {
    $schema: optional(Type.String()),
    description: optional(Type.String()),
    architecture: optional(Type.String({ description: 'Used where --arch is absent.' })),
    model: optional(Type.Unknown({ description: 'Options of the architecture.' })),
    training: optional(TrainingOptions),
    precisionLimits: optional(PrecisionLimits),
    auxiliary: optional(
      Type.Array(Auxiliary, {
        description: 'Labels to learn beside those that are served; used where --aux is absent.',
      }),
    ),
    teacher: optional(Teacher),
    distil: optional(Distil),
  },
  strict,
);

export type TrainingOptions = Required<Omit<Static<typeof TrainingOptions>, 'idDropout'>> &
  Pick<Static<typeof TrainingOptions>, 'idDropout'>;

export interface Config {
  /** How messages name it. */
  readonly source: string;
  readonly architecture?: string;
  readonly model: unknown;
  readonly training: TrainingOptions;
  readonly precisionLimits: PrecisionFacts['limits'];
  readonly auxiliary: readonly Auxiliary[];
  readonly teacher?: Teacher;
  readonly distil?: Distil;
}

export const trainingDefaults: TrainingOptions = {
  batchSize: 512,
  epochs: 1,
  learningRate: 0.001,
  embeddingLearningRate: 0.01,
  embeddingOptimizer: 'adam',
  embeddingScale: 0.01,
  decayTo: 0.05,
  warmupSteps: 0,
  embeddingL2: 0,
  negativeSampling: 1,
  validationsPerEpoch: 4,
  patience: 3,
};

/** A third of what is commonly held to be a better model: 0.001 of AUC or a tenth of a percent of log loss. */
const defaultPrecisionLimits: PrecisionFacts['limits'] = { auc: 0.0003, logLoss: 0.0003 };

/** @throws UserError with every mistake of the file together */
export function parseConfig(json: unknown, source = 'configuration'): Config {
  const problems = problemsOf(ConfigFile, json, (path) =>
    path === '' ? 'the file' : path.slice(1).replaceAll('/', '.'),
  );
  if (problems.length > 0) throw new UserError(`${source}: ${problems.join(`\n${source}: `)}`);
  const file = json as Static<typeof ConfigFile>;
  const { architecture, model = {}, training, precisionLimits, auxiliary = [], teacher, distil } = file;
  return {
    source,
    architecture,
    model,
    training: { ...trainingDefaults, ...training },
    precisionLimits: { ...defaultPrecisionLimits, ...precisionLimits },
    auxiliary,
    ...(teacher && { teacher }),
    ...(distil && { distil }),
  };
}

/** A JSON file the user named. */
export function readJson(path: string, what: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new UserError(`${what} '${path}' cannot be read (${messageOf(error)}); correct the path`, 'missing');
  }
  return parseJson(text, path);
}
