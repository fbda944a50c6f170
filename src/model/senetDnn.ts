import Type from 'typebox';
import { architecture } from './architecture.ts';
import { senetOptions, senetTower } from './senetTower.ts';
import { StepList } from './stepList.ts';

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
  Options: Type.Object(senetOptions, { additionalProperties: false }),
  build(schema, options) {
    const list = new StepList('senet-dnn', schema);
    const { top } = senetTower(list, options);
    return list.finish((label) => list.dense(top, 1, `${label}.logit`));
  },
});
