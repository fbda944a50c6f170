import Type from 'typebox';
import { architecture, defaultHidden, mlpOptions } from './architecture.ts';
import { embeddingSizeOption } from './fm.ts';
import { StepList } from './stepList.ts';

/** DeepFM: a factorisation machine and a perceptron over the same embeddings, the latter over sequences’ means too. Guo et al. 2017. */
export const deepFm = architecture({
  name: 'deep-fm',
  summary: 'factorisation machine beside an MLP over shared embeddings',
  Options: Type.Object({ ...mlpOptions, ...embeddingSizeOption }, { additionalProperties: false }),
  build(schema, { hidden = defaultHidden, dropout = 0, embeddingSize = 16 }) {
    const list = new StepList('deep-fm', schema);
    const numbers = list.inputs();
    const embeddings = list.embedAll('embeddings', embeddingSize);
    const pairs = embeddings === undefined ? [] : [list.push({ op: 'fm', inputs: [embeddings], output: 'fm' })];
    const others = [...list.pool(list.sequences('sequence', embeddingSize), 'mean'), ...numbers];
    const x = embeddings === undefined ? others : [embeddings, ...others];
    const top = list.mlp(x, hidden, dropout, 'hidden');
    return list.finish((label) => {
      const deep = list.dense(top, 1, `${label}.deep`, 'linear', false);
      return list.push({
        op: 'sum',
        inputs: [...list.linear(numbers, label), ...pairs, deep],
        bias: true,
        output: `${label}.logit`,
      });
    });
  },
});
