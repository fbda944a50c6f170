import { describe, expect, it } from 'vitest';
import { createRandom } from '../core/random.ts';
import { tableWeight } from '../model/bundle.ts';
import { checkModel } from '../model/checkModel.ts';
import type { EncodedLists } from '../schema/encoded.ts';
import type { Field, HistoryField } from '../schema/schema.ts';
import { randomBundle } from './conformance/randomBundle.ts';
import { gatherSequence, planSequence } from './gatherSequence.ts';
import { createInputCheck } from './input.ts';

const fields: readonly (Field | HistoryField)[] = [
  { name: 'userId', kind: 'id', scope: 'request', size: 2 },
  { name: 'ad', kind: 'id', scope: 'ad', size: 2 },
  { name: 'image', kind: 'id', scope: 'creative', size: 2 },
  { name: 'seen', kind: 'sequence', by: 'userId', length: 3, items: ['ad', 'image'], gapSize: 0 },
];
const step = {
  op: 'embedSequence',
  inputs: ['seen.ad', 'seen.image'],
  tables: ['ad', 'image'],
  length: 3,
  output: 's',
} as const;
const { typed, weights } = randomBundle({
  random: createRandom(1),
  fields,
  model: ({ labels }) => ({
    architecture: 'test',
    tables: ['ad', 'image'].map((name) => ({ name, vocabulary: name, size: 2 })),
    steps: [
      { ...step, inputs: [...step.inputs], tables: [...step.tables] },
      { op: 'sum', inputs: ['s'], bias: true, output: 'logit' },
    ],
    tasks: labels.map(({ name }) => ({ name, logits: ['logit'] })),
    losses: [],
  }),
});
const lists = (...rows: number[][]): EncodedLists => {
  const offsets = Int32Array.from([0, ...rows.map((_, i) => rows.slice(0, i + 1).flat().length)]);
  return { kind: 'ids', pooling: 'none', offsets, ids: Int32Array.from(rows.flat()) };
};
const given = (seen: EncodedLists, images: EncodedLists) =>
  new Map([
    ['seen.ad', seen],
    ['seen.image', images],
  ]);

describe('gatherSequence', () => {
  const row = (table: string, id: number) => [...weights.get(tableWeight(table))!.values.subarray(2 * id, 2 * id + 2)];

  it('lays each event’s embeddings and a 1 side by side, zeros where there is none, whatever was there before', () => {
    const plan = planSequence(step as never, typed, weights);
    expect([plan.size, plan.width]).toEqual([5, 15]);
    const out = new Float32Array(45).fill(9);
    gatherSequence(plan, given(lists([3, 1], [], [0, 2, 2]), lists([2, 4], [], [1, 0, 5])), 3, out);
    const event = (ad: number, image: number) => [...row('ad', ad), ...row('image', image), 1];
    const none = [0, 0, 0, 0, 0];
    const expected = [event(3, 2), event(1, 4), none, none, none, none, event(0, 1), event(2, 0), event(2, 5)];
    expect([...out]).toEqual(expected.flat());
  });

  it('reads lists that begin anywhere in their ids', () => {
    const plan = planSequence(step as never, typed, weights);
    const [one, other] = [new Float32Array(15), new Float32Array(15)];
    const images = lists([2, 4]);
    gatherSequence(plan, given(lists([3, 1]), images), 1, one);
    const shifted = { ...images, ids: Int32Array.of(7, ...images.ids), offsets: images.offsets.map((at) => at + 1) };
    gatherSequence(plan, given(lists([3, 1]), shifted), 1, other);
    expect(other).toEqual(one);
  });
});

describe('the check of an input', () => {
  const check = createInputCheck(checkModel(typed.model, typed.schema), () => 9);

  it.each([
    [lists([1, 2], [3]), lists([1, 2], [3, 4]), /'seen.ad' and 'seen.image' have 1 and 2 events in row 1/],
    [lists([1, 2], [3]), lists([1, 2]), /'seen.ad' and 'seen.image' have 2 and 1 rows/],
    [lists([], [1, 2, 3, 4]), lists([], [1, 2, 3, 4]), /'seen.ad' has 4 events in row 1, the model takes 3 at most/],
    [lists([1], [9]), lists([1], [1]), /'seen.ad' has id 9 at 1/],
    [lists([1], [2]), { kind: 'id', ids: Int32Array.of(1, 2) } as never, /'seen.image' has one id a row/],
  ])('refuses lists of one sequence that do not go together (case %#)', (seen, images, message) => {
    expect(() => check({ rowCount: 2, fields: given(seen, images) })).toThrow(message);
  });
});
