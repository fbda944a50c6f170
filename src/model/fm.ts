import Type from 'typebox';
import { architecture, Units } from './architecture.ts';
import { StepList } from './stepList.ts';

export const embeddingSizeOption = {
  embeddingSize: Type.Optional(Units('Numbers an embedding, the same for all fields; 16 where absent.')),
};

/** Factorisation machine: logit = linear + ½·Σ_d ((Σ_f e_fd)² − Σ_f e_fd²). Rendle 2010. */
export const fm = architecture({
  name: 'fm',
  summary: 'factorisation machine: linear weights and all pairs’ inner products',
  Options: Type.Object(embeddingSizeOption, { additionalProperties: false }),
  build(schema, { embeddingSize = 16 }) {
    const list = new StepList('fm', schema);
    const numbers = list.inputs();
    return list.finish((label) => {
      const parts = list.linear(numbers, label);
      const embeddings = list.embedAll(`${label}.embeddings`, embeddingSize, `.${label}`);
      if (embeddings !== undefined) parts.push(list.push({ op: 'fm', inputs: [embeddings], output: `${label}.fm` }));
      return list.push({ op: 'sum', inputs: parts, bias: true, output: `${label}.logit` });
    });
  },
});
