import Type from 'typebox';
import { architecture, crossOptions, defaultHidden, mlpOptions } from './architecture.ts';
import { StepList } from './stepList.ts';

/** DCNv2, parallel form: cross layers and a perceptron over the same input, of sequences their means. Wang et al. 2021. */
export const dcnV2 = architecture({
  name: 'dcn-v2',
  summary: 'low-rank cross layers beside an MLP',
  Options: Type.Object({ ...mlpOptions, ...crossOptions }, { additionalProperties: false }),
  build(schema, { hidden = defaultHidden, dropout = 0, crossLayers = 2, crossRank = 64 }) {
    const list = new StepList('dcn-v2', schema);
    const embeddings = list.embedAll('embeddings');
    const numbers = [...list.pool(list.sequences('sequence'), 'mean'), ...list.inputs()];
    const x0 = list.push({
      op: 'concat',
      inputs: embeddings === undefined ? numbers : [embeddings, ...numbers],
      output: 'x',
    });
    const top = [...list.mlp([x0], hidden, dropout, 'hidden'), list.crossLayers(x0, crossLayers, crossRank, 'cross')];
    return list.finish((label) => list.dense(top, 1, `${label}.logit`));
  },
});
