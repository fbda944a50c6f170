import { afterAll, describe, expect, it } from 'vitest';
import { createRandom } from '../src/core/random.ts';
import { halfOf } from '../src/evaluation/groups.ts';
import { takenFields } from '../src/model/takenFields.ts';
import { randomBundle, randomInput } from '../src/scoring/conformance/randomBundle.ts';
import { EncodedStore } from './dataset/encodedStore.ts';
import { drawSample } from './sample.ts';

const { typed, fitted } = randomBundle({ random: createRandom(1) });
const stores: EncodedStore[] = [];
afterAll(() => {
  for (const store of stores) store.dispose();
});

/** Rows in chunks of 5,000, of the users given, labelled by their half. */
function storeOf(rowCount: number, userOf?: (row: number) => number): EncodedStore {
  const store = new EncodedStore();
  stores.push(store);
  for (let from = 0; from < rowCount; from += 5000) {
    const rows = Math.min(5000, rowCount - from);
    const lo = Array.from({ length: rows }, (_, i) => userOf?.(from + i) ?? 0);
    store.append({
      ...randomInput({ typed, fitted }, rows, createRandom(from)),
      labels: new Map([['click', Float32Array.from(lo, (user) => halfOf(user, 0))]]),
      truths: new Map(),
      ...(userOf && { users: Int32Array.from(lo.flatMap((user) => [user, 0])) }),
    });
  }
  return store;
}

describe('drawSample', () => {
  it('draws rows of the users that calibration was not fitted to, with every field the model takes', () => {
    const sample = drawSample(
      storeOf(3000, (row) => row % 700),
      typed,
      createRandom(1),
    );
    const ofSecondHalf = Array.from({ length: 3000 }, (_, row) => halfOf(row % 700, 0)).filter((half) => half === 1);
    expect(sample?.input.rowCount).toBe(ofSecondHalf.length);
    expect(sample?.labels.get('click')?.every((label) => label === 1)).toBe(true);
    expect([...(sample?.input.fields.keys() ?? [])]).toEqual(takenFields(typed).map(({ name }) => name));
    // The data had no conversions.
    expect([...(sample?.labels.keys() ?? [])]).toEqual(['click']);
  });

  it('draws 16,384 of many rows, others for another seed, the same for the same', () => {
    const store = storeOf(20_000);
    const draw = (seed: number) => drawSample(store, typed, createRandom(seed));
    const first = draw(1);
    expect(first?.input.rowCount).toBe(16_384);
    expect(draw(1)).toEqual(first);
    expect(draw(2)?.input.fields.get('adId')).not.toEqual(first?.input.fields.get('adId'));
  });

  it('draws nothing where there is nothing', () => {
    const calibrated = [1, 2, 3, 4, 5, 6, 7, 8].find((user) => halfOf(user, 0) === 0) as number;
    expect(
      drawSample(
        storeOf(10, () => calibrated),
        typed,
        createRandom(1),
      ),
    ).toBeUndefined();
    expect(drawSample(storeOf(0), typed, createRandom(1))).toBeUndefined();
  });
});
