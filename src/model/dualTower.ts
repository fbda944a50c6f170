import Type from 'typebox';
import { UserError } from '../core/errors.ts';
import type { Schema } from '../schema/schema.ts';
import { architecture, mlpOptions, Units } from './architecture.ts';
import { gate, senetOptions, senetTower } from './senetTower.ts';
import { StepList } from './stepList.ts';

/** What the tasks of the ad, whichever creative it shows, are called beside those of its creatives: `click.ad`. */
export const adSuffix = '.ad';

const defaultRight = [64, 32];

/**
 * The ad's chance of a click, whichever creative it shows, then what this creative makes of it:
 *
 *   left, of request and ad:    h, top = senetTower(x)                       logit_ad = w · top + b
 *   right, of the creative:     v = [gate_f · e_f, numbers]                  u = U·[h, x] ∘ V·v
 *                               r = mlp(h, v, u, crosses and matches of the user and the creative, sequences attended by it)
 *                               logit = logit_ad + w · r + b
 *
 * The left tower knows nothing of creatives, so that an engine runs it once an ad. Of the right tower v, its gates and its part of every
 * layer are the creative's alone, which an engine keeps; what is left to do for each creative of a candidate is small. Both logits are
 * learned together, the ad's against the same labels.
 *
 * @see Lin et al. 2022, "Joint Optimization of Ad Ranking and Creative Selection" (CACS); Huang et al. 2019, "FiBiNET" (gates)
 */
export const dualTower = architecture({
  name: 'dual-tower',
  summary: 'a tower of the ad, run once an ad, and a small one of the creative on top; logits of both',
  Options: Type.Object(
    {
      ...senetOptions,
      right: Type.Optional(
        Type.Object(
          {
            hidden: Type.Optional(
              Type.Array(Units('Units of a hidden layer.'), {
                description: `${defaultRight.join(', ')} where absent.`,
              }),
            ),
            dropout: mlpOptions.dropout,
            productUnits: Type.Optional(
              Type.Integer({
                minimum: 0,
                maximum: 1024,
                description: 'Width in which the user and the creative are multiplied; 16 where absent, 0 for none.',
              }),
            ),
          },
          { additionalProperties: false, description: 'Of the tower that runs once a creative.' },
        ),
      ),
      adWeight: Type.Optional(
        Type.Number({
          exclusiveMinimum: 0,
          description: 'Share of the ad’s loss beside the creative’s; 0.5 where absent.',
        }),
      ),
    },
    { additionalProperties: false },
  ),
  build(schema, options) {
    const list = new StepList('dual-tower', schema);
    const left = list.within(['request', 'ad', 'candidate']);
    const right = list.within(['creative', 'variant']);
    const { adWeight = 0.5, pooling = 'attend' } = options;
    const pooled = (view: StepList) => view.pool(view.sequences('sequence'), pooling === 'last' ? 'last' : 'mean');
    const { hidden: rightHidden = defaultRight, dropout = 0, productUnits = 16 } = options.right ?? {};
    if (right.fields.length === 0) fail(schema, "of scope 'creative'", ', or use senet-dnn');
    if (left.fields.length === 0) fail(schema, "of scopes 'request' and 'ad' beside the creative’s", '');

    const { x, hidden, top } = senetTower(left, options);
    const adLogits = new Map(schema.labels.map(({ name }) => [name, list.dense(top, 1, `${name}${adSuffix}.logit`)]));

    const creative = list.within(['creative']);
    const alike = pooling === 'attend' ? creative.alikeSequences() : [];
    const ofCreative = [...creative.inputs(), ...pooled(creative)];
    const embeddings = creative.embedAll('right');
    if (embeddings !== undefined) ofCreative.unshift(gate(creative, embeddings, options, 'right.'));
    const variant = list.within(['variant']);
    const crosses = variant.embedAll('crosses');
    const parts = [...hidden, ...ofCreative, ...variant.inputs(), ...pooled(variant)];
    if (crosses !== undefined) parts.push(crosses);
    const query = creative.query('right');
    if (query !== undefined) parts.push(...creative.attend(alike, query, options, 'ofCreative'));
    if (productUnits > 0 && ofCreative.length > 0) {
      const user = list.dense([...hidden, ...x], productUnits, 'product.user', 'linear', false);
      const offer = list.dense(ofCreative, productUnits, 'product.creative', 'linear', false);
      parts.push(list.push({ op: 'multiply', inputs: [user, offer], output: 'product' }));
    }
    const r = list.mlp(parts, rightHidden, dropout, 'right');
    const logit = (label: string) => {
      const change = list.dense(r, 1, `${label}.creative`);
      return list.push({ op: 'add', inputs: [adLogits.get(label) as string, change], output: `${label}.logit` });
    };
    const adLogit = (label: string) => adLogits.get(label) as string;
    return list.finish(logit, [{ suffix: adSuffix, share: adWeight, logit: adLogit }]);
  },
});

function fail({ name }: Schema, needed: string, instead: string): never {
  throw new UserError(`dual-tower needs fields ${needed}, and schema '${name}' has none; add some${instead}`);
}
