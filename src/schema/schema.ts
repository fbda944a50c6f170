import Type, { type Static } from 'typebox';

/*
 * The schema file's format. `parseSchema.ts` checks a file against it, and `schema/limelight.schema.json` is generated from it for
 * editors (npm run build:schema).
 */

const strict = { additionalProperties: false };
const Name = (description: string) => Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]*$', description });
const ColumnName = (description: string) => Type.String({ minLength: 1, description });
const Count = (description: string, minimum = 1) => Type.Integer({ minimum, maximum: 2 ** 30, description });

const ScopeName = Type.Union(
  [
    Type.Literal('request'),
    Type.Literal('ad'),
    Type.Literal('creative'),
    Type.Literal('candidate'),
    Type.Literal('variant'),
  ],
  { description: 'What the value depends on: the user and context, the ad, the creative, or a mix of them.' },
);

const common = {
  name: Name('The field’s name: unique, used in models, requests and reports.'),
  column: Type.Optional(ColumnName('The table’s column, where it is called otherwise than the field.')),
  scope: ScopeName,
  servingValue: Type.Optional(
    Type.Union([Type.Number(), Type.String(), Type.Null()], {
      description:
        'Used in serving in place of the request’s value: for position, say, which is not known before the auction.',
    }),
  ),
};

const embedded = {
  size: Type.Optional(Count('Numbers in an embedding; 16 where absent.')),
  table: Type.Optional(
    Name('Embedding table and vocabulary to share with other fields; the field’s own where absent.'),
  ),
  minCount: Type.Optional(Count('Ids seen less often in training share the out-of-vocabulary row; 1 where absent.')),
  buckets: Type.Optional(Count('Hash ids into so many rows instead of keeping a vocabulary.')),
};

export const IdField = Type.Object({ ...common, kind: Type.Literal('id'), ...embedded }, strict);

export const IdsField = Type.Object(
  {
    ...common,
    kind: Type.Literal('ids'),
    ...embedded,
    pooling: Type.Optional(
      Type.Union([Type.Literal('mean'), Type.Literal('sum')], { description: 'mean where absent.' }),
    ),
    maxItems: Type.Optional(Count('Items beyond so many in a row are ignored; 50 where absent.')),
  },
  strict,
);

const invalid = Type.Optional(
  Type.Union([Type.Literal('error'), Type.Literal('missing')], {
    description: 'What NaN and infinite values are: an error (the default), or the same as no value.',
  }),
);

export const NumberField = Type.Object(
  {
    ...common,
    kind: Type.Literal('number'),
    transform: Type.Optional(
      Type.Union([Type.Literal('none'), Type.Literal('log1p')], {
        description: 'log1p is sign(x)·ln(1+|x|), for counts and money; none where absent.',
      }),
    ),
    clip: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, description: 'Limit in standard deviations; 4 where absent.' }),
    ),
    quantiles: Type.Optional(
      Count('Cut into so many buckets of equal frequency, each with an embedding, in place of a dense input.', 2),
    ),
    size: Type.Optional(Count('Numbers in a bucket’s embedding; 16 where absent.')),
    invalid,
  },
  strict,
);

export const VectorField = Type.Object(
  {
    ...common,
    kind: Type.Literal('vector'),
    length: Count('How many numbers every row has.'),
    invalid,
  },
  strict,
);

export const CrossField = Type.Object(
  {
    name: common.name,
    kind: Type.Literal('cross'),
    of: Type.Array(Type.String(), {
      minItems: 2,
      maxItems: 4,
      description: 'Fields of kind id or ids; every combination of their values is an id of its own.',
    }),
    size: embedded.size,
    minCount: embedded.minCount,
    buckets: embedded.buckets,
  },
  strict,
);

export const Label = Type.Object(
  {
    name: Name('The task that learns it: click, conversion, engagement, …'),
    column: ColumnName('A column of 0 and 1.'),
    after: Type.Optional(
      Type.String({
        description:
          'The label this one can only follow: a conversion after a click is learned as p(click)·p(conversion | click) over all impressions.',
      }),
    ),
    weight: Type.Optional(Type.Number({ exclusiveMinimum: 0, description: 'Its share in the loss; 1 where absent.' })),
    truth: Type.Optional(ColumnName('Column of the true probability, where the data is simulated: for reports only.')),
  },
  strict,
);

export const fieldKinds = {
  id: IdField,
  ids: IdsField,
  number: NumberField,
  vector: VectorField,
  cross: CrossField,
} as const;

export const SchemaFile = Type.Object(
  {
    $schema: Type.Optional(Type.String()),
    name: Name('What the data is called.'),
    description: Type.Optional(Type.String()),
    labels: Type.Array(Label, { minItems: 1 }),
    time: Type.Optional(ColumnName('When the impression was served: milliseconds since 1970 or a timestamp.')),
    user: Type.Optional(ColumnName('Whose impression it was: groups rows for GAUC and for the halves of calibration.')),
    request: Type.Optional(ColumnName('Which rows were ranked together.')),
    position: Type.Optional(ColumnName('The slot it was shown in, 1 the best.')),
    weight: Type.Optional(ColumnName('How much a row counts in training and metrics.')),
    keys: Type.Optional(Type.Array(ColumnName('Copied beside the predictions by `limelight predict`.'))),
    slices: Type.Optional(Type.Array(Type.String({ description: 'A field of kind id to report metrics by.' }))),
    fields: Type.Array(Type.Union(Object.values(fieldKinds)), { minItems: 1 }),
  },
  {
    ...strict,
    title: 'Limelight schema',
    description: 'Which columns of a log are features, of what kind, and which are labels.',
  },
);

export type IdField = Static<typeof IdField>;
export type IdsField = Static<typeof IdsField>;
export type NumberField = Static<typeof NumberField>;
export type VectorField = Static<typeof VectorField>;
export type CrossField = Static<typeof CrossField>;
export type Field = IdField | IdsField | NumberField | VectorField | CrossField;
export type Label = Static<typeof Label>;
export type Schema = Omit<Static<typeof SchemaFile>, 'fields' | '$schema'> & { readonly fields: readonly Field[] };
