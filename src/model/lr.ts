import Type from 'typebox';
import { architecture } from './architecture.ts';
import { StepList } from './stepList.ts';

/** Logistic regression: logit = Σ_f w_f[id_f] + w · numbers + b, the weights of ids being embeddings of size 1. */
export const lr = architecture({
  name: 'lr',
  summary: 'logistic regression on one-hot ids and numbers',
  Options: Type.Object({}, { additionalProperties: false }),
  build(schema) {
    const list = new StepList('lr', schema);
    const numbers = list.inputs();
    return list.finish((label) =>
      list.push({ op: 'sum', inputs: list.linear(numbers, label), bias: true, output: `${label}.logit` }),
    );
  },
});
