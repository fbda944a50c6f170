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
