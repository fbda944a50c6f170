import { describe, expect, it } from 'vitest';
import { createRandom } from '../../core/random.ts';
import { randomBundle } from '../conformance/randomBundle.ts';
import { costsByScope } from './costs.ts';
import { naiveCosts } from './naiveCosts.ts';

const options = { hidden: [10, 5], crossLayers: 1, crossRank: 3, innerUnits: 4 };
const { typed } = randomBundle({ random: createRandom(1), architecture: 'senet-dnn', options });
const costs = naiveCosts(typed);
const planned = (output: string) => costs.find((cost) => cost.output === output);

describe('naiveCosts', () => {
  it('keeps every step in order, with its type and scope', () => {
    expect(costs.map(({ step }) => step)).toEqual(typed.model.steps);
    expect(planned('embeddings.request')).toMatchObject({ scope: 'request', parameters: 0, multiplyAdds: 0 });
    expect(planned('embeddings.ad')).toMatchObject({ scope: 'ad', type: { kind: 'fields', sizes: [8, 8] } });
    expect(planned('gated')).toMatchObject({ scope: 'variant' });
  });

  it('counts multiply-adds and parameters as by hand', () => {
    // 8 fields of 8 numbers, 3 units between the gates' layers, 5 dense inputs.
    expect(planned('gates')).toMatchObject({ multiplyAdds: 64 + 8 * 3 + 3 * 8, parameters: 8 * 3 + 3 + 3 * 8 + 8 });
    expect(planned('gated')).toMatchObject({ multiplyAdds: 64, parameters: 0 });
    expect(planned('pairs')).toMatchObject({ multiplyAdds: 28 * 8 });
    expect(planned('pairs.reduced')).toMatchObject({ multiplyAdds: 28 * 4, parameters: 28 * 4 });
    expect(planned('hidden.0')).toMatchObject({ multiplyAdds: (64 + 5 + 4) * 10, parameters: (64 + 5 + 4) * 10 + 10 });
    expect(planned('cross.0')).toMatchObject({ multiplyAdds: 69 * 3 * 2 + 69, parameters: 69 * 3 * 2 + 69 });
    expect(planned('click.logit')).toMatchObject({ multiplyAdds: 5 + 69, parameters: 5 + 69 + 1 });
  });

  it('counts the bytes of tables and of each row’s own inputs', () => {
    expect(planned('embeddings.request')).toMatchObject({ bytes: 3 * 8 * 4 });
    expect(planned('gates')).toMatchObject({ bytes: (64 + 8 + 3) * 4 });
    expect(planned('cross.0')).toMatchObject({ bytes: (69 + 3 + 3 * 69) * 4 });
    // What the request knows is there once for all rows: 4 of the 5 dense inputs.
    expect(planned('hidden.0')).toMatchObject({ bytes: (64 + 1 + 4) * 4 });
  });

  it('adds up by scope', () => {
    const sums = costsByScope(costs);
    for (const what of ['multiplyAdds', 'bytes'] as const) {
      const total = costs.reduce((sum, cost) => sum + cost[what], 0);
      expect([...sums.values()].reduce((sum, cost) => sum + cost[what], 0)).toBe(total);
    }
    expect(sums.get('request')?.multiplyAdds).toBe(0);
    expect(sums.get('variant')?.multiplyAdds).toBeGreaterThan(0);
  });
});
