import Type, { type Static } from 'typebox';
import { isEmbedded, isSequence } from '../schema/fields.ts';
import { crossOptions, defaultHidden, mlpOptions, sequenceOptions } from './architecture.ts';
import type { StepList } from './stepList.ts';
import { Activation } from './steps.ts';

/** Options of SENet's gates. */
export const gateOptions = {
  reduction: Type.Optional(
    Type.Number({ minimum: 1, description: 'Fields per hidden unit of the gates; 3 where absent.' }),
  ),
  gateActivation: Type.Optional(
    Type.Union(Activation.anyOf, { description: 'Of the gates; doubleSigmoid, 2σ(x), where absent.' }),
  ),
};

export const senetOptions = {
  ...mlpOptions,
  ...crossOptions,
  ...sequenceOptions,
  ...gateOptions,
  innerUnits: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 8192,
      description: 'Width the inner products of all field pairs are reduced to; 0, none, where absent.',
    }),
  ),
};
const Options = Type.Object(senetOptions);

/**
 * SENet-weighted embeddings and a multi-layer perceptron, over the fields of a list:
 *
 *   x = concat_f(gate_f · e_f), attended sequences, numbers      hidden = mlp(x, low-rank inner products)      top = hidden, cross(x)
 */
export function senetTower(
  list: StepList,
  options: Static<typeof Options>,
): { x: string[]; hidden: string[]; top: string[] } {
  const { hidden = defaultHidden, dropout = 0, crossLayers = 0, crossRank = 64, innerUnits = 0 } = options;
  const embeddings = list.embedAll('embeddings');
  const parts = [...list.readSequences('embeddings', options), ...list.inputs()];
  const pairs: string[] = [];
  if (embeddings !== undefined) {
    const gated = gate(list, embeddings, options, '');
    parts.unshift(gated);
    if (innerUnits > 0) {
      const products = list.push({ op: 'inner', inputs: [gated], output: 'pairs' });
      pairs.push(list.dense([products], innerUnits, 'pairs.reduced', 'linear', false));
    }
  }
  const top = list.mlp([...parts, ...pairs], hidden, dropout, 'hidden');
  if (crossLayers === 0) return { x: parts, hidden: top, top };
  const x0 = list.push({ op: 'concat', inputs: parts, output: 'x' });
  return { x: parts, hidden: top, top: [...top, list.crossLayers(x0, crossLayers, crossRank, 'cross')] };
}

/**
 * The fields of a list's embeddings, each scaled by its learned importance.
 *
 * @param prefix tells this part's values apart from another's
 */
export function gate(
  list: StepList,
  embeddings: string,
  { reduction = 3, gateActivation = 'doubleSigmoid' }: Pick<Static<typeof Options>, 'reduction' | 'gateActivation'>,
  prefix: string,
): string {
  const fieldCount = list.fields.filter((field) => isEmbedded(field) && !isSequence(field)).length;
  const units = Math.max(1, Math.round(fieldCount / reduction));
  const gates = list.push({
    op: 'senet',
    inputs: [embeddings],
    units,
    activation: gateActivation,
    output: `${prefix}gates`,
  });
  return list.push({ op: 'gate', inputs: [embeddings, gates], output: `${prefix}gated` });
}
