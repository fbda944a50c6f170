import Type, { type Static } from 'typebox';
import type { Fitted } from '../schema/fitted.ts';
import type { TypedModel } from './checkModel.ts';
import type { Tensor } from './safetensors.ts';
import type { Sample } from './sample.ts';
import { ModelShape } from './steps.ts';

/** The newest bundle format this build reads and the one it writes. */
export const bundleFormat = 1;

const strict = { additionalProperties: false };

/** Map from raw to calibrated probability, linear in logits between the knots (x[i], y[i]), both strictly increasing. */
const Calibration = Type.Object({ x: Type.Array(Type.Number()), y: Type.Array(Type.Number()) }, strict);

const VocabularyShape = Type.Object(
  {
    kind: Type.Union([
      Type.Literal('listed'),
      Type.Literal('hashed'),
      Type.Literal('identity'),
      Type.Literal('quantiles'),
    ]),
    rows: Type.Integer({ minimum: 2, maximum: 2 ** 31 }),
  },
  strict,
);

/** What an engine needs to compute in fewer bits, and to decide whether it may. */
const PrecisionShape = Type.Object(
  {
    /** How much worse than in float32 each task may be on the bundle's sample. */
    limits: Type.Object(
      {
        /** AUC in float32 less AUC, at most. */
        auc: Type.Number({ minimum: 0 }),
        /** Log loss over that in float32, less 1, at most. */
        logLoss: Type.Number({ minimum: 0 }),
      },
      strict,
    ),
    /** By model value that a layer multiplies with its weights. */
    activations: Type.Record(
      Type.String(),
      Type.Object(
        {
          /** Of each column, the magnitude at the end of its scale in int8. */
          largest: Type.Array(Type.Number({ minimum: 0 })),
          /** Whether a number below 0 was seen. */
          negative: Type.Boolean(),
        },
        strict,
      ),
    ),
  },
  strict,
);

/** `manifest.json`: all of a bundle but its numbers. */
export const ManifestShape = Type.Object(
  {
    format: Type.Integer({ minimum: 1 }),
    name: Type.String({ minLength: 1 }),
    version: Type.String({ minLength: 1 }),
    createdAt: Type.String(),
    createdBy: Type.String(),
    schema: Type.Unknown(),
    model: ModelShape,
    fitted: Type.Object(
      {
        vocabularies: Type.Record(Type.String(), VocabularyShape),
        numbers: Type.Record(
          Type.String(),
          Type.Object(
            { mean: Type.Number(), deviation: Type.Number(), boundaries: Type.Optional(Type.Array(Type.Number())) },
            strict,
          ),
        ),
        /** Absent in bundles older than standardised vectors. */
        vectors: Type.Optional(
          Type.Record(
            Type.String(),
            Type.Object({ means: Type.Array(Type.Number()), deviations: Type.Array(Type.Number()) }, strict),
          ),
        ),
        columnTypes: Type.Record(Type.String(), Type.String()),
      },
      strict,
    ),
    calibration: Type.Record(Type.String(), Calibration),
    precision: Type.Optional(PrecisionShape),
    /** By set of rows (`calibrationHalf`, `testHalf`, …), task and metric; for people and for `limelight inspect`. */
    metrics: Type.Record(Type.String(), Type.Unknown()),
    /** Configuration, seed, backend, data files and row counts of the training that made it. */
    training: Type.Record(Type.String(), Type.Unknown()),
  },
  strict,
);

export type Manifest = Static<typeof ManifestShape>;
export type CalibrationCurve = Static<typeof Calibration>;
export type PrecisionFacts = Static<typeof PrecisionShape>;

/** A trained model, ready to be scored by any engine. */
export interface Bundle {
  readonly manifest: Manifest;
  readonly typed: TypedModel;
  readonly fitted: Fitted;
  /** Embedding tables as `tables/<table>` [rows, size], parameters as `<step output>.<name>`; float32. */
  readonly weights: ReadonlyMap<string, Tensor<Float32Array>>;
  /** Requests with the answers the training saw, which a server replays before it uses the bundle. */
  readonly golden: Golden;
  /** Absent in bundles that judge no precision. */
  readonly sample?: Sample;
  /** Where it was read from, if it was: what is made of it can be kept beside it (`bundleSidecar.ts`). */
  readonly folder?: string;
  /** Changes with any of its files: `SHA256SUMS`' own SHA-256, hexadecimal; absent where it was not read from a folder. */
  readonly checksum?: string;
}

/** Raw rows as JSON, by column, and each task's uncalibrated probability from the float64 reference engine. */
export interface Golden {
  readonly rowCount: number;
  readonly columns: Readonly<Record<string, readonly unknown[]>>;
  readonly probabilities: Readonly<Record<string, readonly number[]>>;
}

/** The weight name of an embedding table. */
export const tableWeight = (table: string) => `tables/${table}`;
