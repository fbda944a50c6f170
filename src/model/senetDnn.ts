import Type from 'typebox';
import { isEmbedded, isSequence } from '../schema/fields.ts';
import { architecture, crossOptions, defaultHidden, mlpOptions, sequenceOptions } from './architecture.ts';
import { StepList } from './stepList.ts';
import { Activation } from './steps.ts';

/**
 * SENet-weighted embeddings and a multi-layer perceptron, with one logit a label:
 *
 *   x = concat_f(gate_f · e_f), attended sequences, numbers      h = mlp(x)      logit = w · [h, cross(x), low-rank inner products] + b
 *
 * @see Huang et al. 2019, "FiBiNET"; Zhang et al. 2023, "FiBiNet++" (inner products); Wang et al. 2021, "DCN V2" (cross)
 */
export const senetDnn = architecture({
  name: 'senet-dnn',
  summary: 'SENet-weighted embeddings → MLP; optional low-rank cross layers and inner products',
  Options: Type.Object(
    {
      ...mlpOptions,
      ...crossOptions,
      ...sequenceOptions,
      reduction: Type.Optional(
        Type.Number({ minimum: 1, description: 'Fields per hidden unit of the gates; 3 where absent.' }),
      ),
      gateActivation: Type.Optional(
        Type.Union(Activation.anyOf, { description: 'Of the gates; doubleSigmoid, 2σ(x), where absent.' }),
      ),
      innerUnits: Type.Optional(
        Type.Integer({
          minimum: 0,
          maximum: 8192,
          description: 'Width the inner products of all field pairs are reduced to; 0, none, where absent.',
        }),
      ),
    },
    { additionalProperties: false },
  ),
  build(schema, options) {
    const {
      hidden = defaultHidden,
      dropout = 0,
      crossLayers = 0,
      crossRank = 64,
      reduction = 3,
      innerUnits = 0,
    } = options;
    const list = new StepList('senet-dnn', schema);
    const embeddings = list.embedAll('embeddings');
    const parts = [...list.readSequences('embeddings', options), ...list.inputs()];
    const pairs: string[] = [];
    if (embeddings !== undefined) {
      const fieldCount = schema.fields.filter((field) => isEmbedded(field) && !isSequence(field)).length;
      const units = Math.max(1, Math.round(fieldCount / reduction));
      const activation = options.gateActivation ?? 'doubleSigmoid';
      const gates = list.push({ op: 'senet', inputs: [embeddings], units, activation, output: 'gates' });
      const gated = list.push({ op: 'gate', inputs: [embeddings, gates], output: 'gated' });
      parts.unshift(gated);
      if (innerUnits > 0) {
        const products = list.push({ op: 'inner', inputs: [gated], output: 'pairs' });
        pairs.push(list.dense([products], innerUnits, 'pairs.reduced', 'linear', false));
      }
    }
    const x = [...parts, ...pairs];
    const top = list.mlp(x, hidden, dropout, 'hidden');
    if (crossLayers > 0) {
      const x0 = list.push({ op: 'concat', inputs: parts, output: 'x' });
      top.push(list.crossLayers(x0, crossLayers, crossRank, 'cross'));
    }
    return list.finish((label) => list.dense(top, 1, `${label}.logit`));
  },
});
