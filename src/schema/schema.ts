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
  identity: Type.Optional(
    Count('Values are whole numbers from 0 up to but not including this one: each its own row, without a vocabulary.'),
  ),
};

export const IdField = Type.Object({ ...common, kind: Type.Literal('id'), ...embedded }, strict);

export const IdsField = Type.Object(
  {
    ...common,
    kind: Type.Literal('ids'),
    ...embedded,
    pooling: Type.Optional(
      Type.Union([Type.Literal('mean'), Type.Literal('sum'), Type.Literal('none')], {
        description: 'mean where absent; none: a sequence, latest first, that models attend to.',
      }),
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
    standardise: Type.Optional(
      Type.Boolean({ description: 'Whether each of its numbers is standardised on the training rows, then clipped.' }),
    ),
    clip: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, description: 'Limit in standard deviations; 4 where absent.' }),
    ),
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

export const MatchField = Type.Object(
  {
    name: common.name,
    kind: Type.Literal('match'),
    of: Type.Array(Type.String(), {
      minItems: 2,
      maxItems: 2,
      description:
        'Two fields of kind id or ids that share a table, a sequence’s too (`clicked.topic`): ln(1 + pairs of equal known ids), a dense input.',
    }),
  },
  strict,
);

export const durationPattern = '^[1-9][0-9]{0,5}(ms|s|m|h|d)$';

/** A length of time as people write it; `durationMs` reads it. */
const Duration = (description: string) => Type.String({ pattern: durationPattern, description });

const KeyNames = (description: string, maxItems: number) =>
  Type.Array(Type.String({ minLength: 1 }), { maxItems, description });

/** Over which of a key's events a counter's value is: all, those of the session, the last so many, or all with weights 2^(−age/halfLife). */
export const Window = Type.Union([
  Type.Literal('lifetime'),
  Type.Literal('session'),
  Type.Object({ window: Duration('Events no older than this; in steps of a sixteenth of it.') }, strict),
  Type.Object({ halfLife: Duration('An event this old counts half.') }, strict),
]);

const Strength = Type.Number({
  minimum: 0,
  description: 'How many events the prior counts as; 5 where absent.',
});
const Prior = Type.Object(
  {
    by: KeyNames('Fields of kind id whose rate it is; none: the rate of all events.', 2),
    over: Type.Optional(Window),
  },
  { ...strict, description: 'The rate a key without events has; the rate of all events where absent.' },
);

export const CounterValue = Type.Union([
  /** ln(1 + Σ w): how many impressions. */
  Type.Literal('count'),
  /** ln(1 + s) seconds since the key’s last impression, 30 days at most. */
  Type.Literal('sinceLast'),
  /** (Σ w·y + strength·prior) / (Σ w + strength), y the label. */
  Type.Object({ rate: Type.String(), strength: Type.Optional(Strength), prior: Type.Optional(Prior) }, strict),
  /** The same of a number, over events that have it. */
  Type.Object({ mean: Type.String(), strength: Type.Optional(Strength), prior: Type.Optional(Prior) }, strict),
  /** sign(x)·ln(1 + |x|), x = Σ w·number. */
  Type.Object({ sum: Type.String() }, strict),
  /** (Σ w·y + strength) / (Σ w·expected + strength): clicks over those expected at the placement and position, see `history.expected`. */
  Type.Object({ coec: Type.String(), strength: Type.Optional(Strength) }, strict),
  /** ln(1 + s) seconds since the key’s last impression with this label, 30 days at most. */
  Type.Object({ sinceLast: Type.String() }, strict),
  /** The last impression’s label or number, 0 where it is not known yet. */
  Type.Object({ last: Type.String() }, strict),
  /** ln(1 + n) impressions since the last one with this label. */
  Type.Object({ run: Type.String() }, strict),
  /** 1 where the last impression had the same value of this field as the request, else 0. */
  Type.Object({ same: Type.String() }, strict),
  /** ln(1 + s) seconds since the last impression less its number, in ms: what lay between the end of one and now. */
  Type.Object({ idle: Type.String() }, strict),
]);

export const CounterField = Type.Object(
  {
    name: common.name,
    kind: Type.Literal('counter'),
    by: KeyNames('Fields of kind id whose values together are the key: one or a pair; none: all events.', 2),
    over: Type.Optional(Type.Array(Window, { minItems: 1, description: 'lifetime alone where absent.' })),
    values: Type.Array(CounterValue, {
      minItems: 1,
      description: 'Each over each window, window by window: so many dense inputs.',
    }),
    clip: NumberField.properties.clip,
  },
  strict,
);

export const SequenceField = Type.Object(
  {
    name: common.name,
    kind: Type.Literal('sequence'),
    by: Type.String({ minLength: 1, description: 'The field of kind id whose events these are: the user, say.' }),
    length: Type.Integer({ minimum: 1, maximum: 1024, description: 'How many of the last events.' }),
    items: Type.Array(Type.String({ minLength: 1 }), {
      minItems: 1,
      description: 'Fields of kind id whose values the event carries; they share those fields’ tables.',
    }),
    where: Type.Optional(Type.String({ description: 'Only events with this label.' })),
    without: Type.Optional(Type.String({ description: 'Only events whose outcome is known and without this label.' })),
    actions: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        maxItems: 6,
        description: 'Labels whose combination is an id of its own, with an embedding.',
      }),
    ),
    gapSize: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 256,
        description: 'Numbers in the embedding of the time since the event; 8 where absent, 0 for none.',
      }),
    ),
    actionSize: Type.Optional(Count('Numbers in the embedding of its actions; 8 where absent.')),
  },
  strict,
);

export const HistorySettings = Type.Object(
  {
    numbers: Type.Optional(
      Type.Array(
        Type.Object(
          {
            name: Name('What counters call it.'),
            column: ColumnName('A column of numbers, known after the impression.'),
            delay: Type.Optional(Duration('How long after the impression it is known; at once where absent.')),
          },
          strict,
        ),
      ),
    ),
    session: Type.Optional(Duration('A gap this long ends a session; 30m where absent.')),
    tick: Type.Optional(
      Duration('Counters without a user’s key change no more often, so that servers can keep them; 10s where absent.'),
    ),
    lateness: Type.Optional(Duration('How much older than the newest an event may be; 1h where absent.')),
    timeToLive: Type.Optional(Duration('A key without events for so long is forgotten; kept where absent.')),
    expected: Type.Optional(
      Type.Object(
        {
          by: KeyNames('Fields of kind id that say where an impression was: placement, position.', 2),
          over: Type.Optional(Window),
        },
        {
          ...strict,
          description: 'Whose rate is the click expected of an impression, for coec; all events’ where absent.',
        },
      ),
    ),
    maxKeys: Type.Optional(
      Count('Keys kept of each kind; beyond, those longest without events go. A million where absent.'),
    ),
    maxPairs: Type.Optional(Count('Pairs kept of each key, as of a user with topics; 64 where absent.')),
  },
  { ...strict, description: 'What sequences and counters have in common.' },
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
    delay: Type.Optional(
      Duration('How long after the impression it is known: history does not see it earlier. At once where absent.'),
    ),
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
  match: MatchField,
  sequence: SequenceField,
  counter: CounterField,
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
    history: Type.Optional(HistorySettings),
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
export type MatchField = Static<typeof MatchField>;
export type SequenceField = Static<typeof SequenceField>;
export type CounterField = Static<typeof CounterField>;
export type CounterValue = Static<typeof CounterValue>;
export type Window = Static<typeof Window>;
export type HistorySettings = Static<typeof HistorySettings>;
/** What the encoder and models know. */
export type Field = ColumnField | MadeField;
/** Reads a column. */
export type ColumnField = IdField | IdsField | NumberField | VectorField;
/** Is made of other fields, and reads no column. */
export type MadeField = CrossField | MatchField;
/** What history computes: each stands for fields that read the columns it makes, see `derivedFields`. */
export type HistoryField = SequenceField | CounterField;
export type Label = Static<typeof Label>;
export type Schema = Omit<Static<typeof SchemaFile>, 'fields' | '$schema'> & {
  /** Those of the file, then those that history fields stand for. */
  readonly fields: readonly Field[];
  readonly historyFields?: readonly HistoryField[];
};
