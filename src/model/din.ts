import Type from 'typebox';
import { architecture, defaultHidden, mlpOptions, sequenceOptions } from './architecture.ts';
import { StepList } from './stepList.ts';

/**
 * Deep interest network: embeddings, what each sequence holds for this ad, and numbers into a perceptron.
 *
 * @see Zhou et al. 2018, "Deep Interest Network for Click-Through Rate Prediction", its activation unit as `attend` has it
 */
export const din = architecture({
  name: 'din',
  summary: 'target attention over sequences beside embeddings → MLP',
  Options: Type.Object({ ...mlpOptions, ...sequenceOptions }, { additionalProperties: false }),
  build(schema, { hidden = defaultHidden, dropout = 0, ...options }) {
    const list = new StepList('din', schema);
    const embeddings = list.embedAll('embeddings');
    const parts = [...list.readSequences('embeddings', options), ...list.inputs()];
    const top = list.mlp(embeddings === undefined ? parts : [embeddings, ...parts], hidden, dropout, 'hidden');
    return list.finish((label) => list.dense(top, 1, `${label}.logit`));
  },
});
