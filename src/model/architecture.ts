import Type, { type Static, type TObject } from 'typebox';
import type { Schema } from '../schema/schema.ts';
import type { Model } from './steps.ts';

/** A way to make a model from a schema: `Options` checks the `model` part of a configuration file. */
export interface Architecture<Options extends TObject = TObject> {
  readonly name: string;
  readonly summary: string;
  readonly Options: Options;
  build(schema: Schema, options: Static<Options>): Model;
}

/** Keeps the options' type while the list of architectures forgets it. */
export function architecture<const Options extends TObject>(definition: Architecture<Options>): Architecture {
  return definition as unknown as Architecture;
}

export const Units = (description: string) => Type.Integer({ minimum: 1, maximum: 8192, description });

/** Options of the multi-layer perceptron that most architectures have. */
export const mlpOptions = {
  hidden: Type.Optional(Type.Array(Units('Units of a hidden layer.'), { description: '512, 256, 128 where absent.' })),
  dropout: Type.Optional(
    Type.Number({ minimum: 0, exclusiveMaximum: 1, description: 'After each hidden layer; 0 where absent.' }),
  ),
};

export const defaultHidden = [512, 256, 128];

export const crossOptions = {
  crossLayers: Type.Optional(Type.Integer({ minimum: 0, maximum: 8, description: 'DCNv2 cross layers.' })),
  crossRank: Type.Optional(
    Type.Union([Units('Rank of their matrices.'), Type.Null()], {
      description: '64 where absent; null for full matrices.',
    }),
  ),
};

/** How the architectures that attend read sequences. */
export const sequenceOptions = {
  attention: Type.Optional(
    Type.Object(
      {
        units: Type.Optional(Units('Width in which events and the ad are compared; 32 where absent.')),
        weights: Type.Optional(
          Type.Union([Type.Literal('softmax'), Type.Literal('sigmoid')], {
            description: 'softmax, where absent: weights add up to 1; sigmoid: each event by itself.',
          }),
        ),
      },
      { additionalProperties: false, description: 'Of each sequence’s events by how they fit the ad.' },
    ),
  ),
  pooling: Type.Optional(
    Type.Union([Type.Literal('attend'), Type.Literal('mean'), Type.Literal('last')], {
      description:
        'What a sequence becomes: its events weighed by how they fit the ad (where absent), their mean, or the latest.',
    }),
  ),
};

export interface SequenceOptions {
  readonly attention?: { readonly units?: number; readonly weights?: 'softmax' | 'sigmoid' };
  readonly pooling?: 'attend' | 'mean' | 'last';
}
