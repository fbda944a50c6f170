import { mix32 } from '../../src/core/hash.ts';
import { createRandom } from '../../src/core/random.ts';
import type { Fitted } from '../../src/schema/fitted.ts';
import type { Schema } from '../../src/schema/schema.ts';
import { hashedVocabulary } from '../../src/schema/vocabulary.ts';

/** The training step that is timed: SENet over 32 fields × 16, 512-256-128, click and conversion heads, batch 1024. */
export const fieldCount = 32;
export const embeddingSize = 16;
export const batchSize = 1024;
export const hidden = [512, 256, 128];
/** Ids a field; drawn as u^3, so that some are frequent and most are rare. */
export const vocabulary = 20_000;

export const schema: Schema = {
  name: 'bench',
  labels: [
    { name: 'click', column: 'click' },
    { name: 'conversion', column: 'conversion', after: 'click' },
  ],
  fields: Array.from({ length: fieldCount }, (_, f) => ({
    name: `f${f}`,
    kind: 'id' as const,
    scope: f < 20 ? ('request' as const) : ('ad' as const),
    size: embeddingSize,
    buckets: vocabulary - 2,
  })),
};

export function fittedOf(): Fitted {
  const vocabularies = new Map(
    schema.fields.map(({ name }) => [name, hashedVocabulary(vocabulary - 2, new Float64Array(vocabulary).fill(1))]),
  );
  return { vocabularies, numbers: new Map(), vectors: new Map(), columnTypes: new Map() };
}

/**
 * Rows as int32: 32 ids, then click and conversion; the same file is read by every contestant. Clicks follow a sum of
 * id effects and of products of neighbouring fields' effects, so that there is something to learn.
 */
export function makeRows(rows: number, seed: number): Int32Array {
  const random = createRandom(seed);
  const out = new Int32Array(rows * (fieldCount + 2));
  const effect = (field: number, id: number) => (mix32(id * 64 + field) / 2147483648) * 0.9;
  for (let row = 0, at = 0; row < rows; row++) {
    let z = -1;
    let before = 0;
    for (let f = 0; f < fieldCount; f++) {
      const u = random.next();
      const id = 2 + Math.floor(u * u * u * (vocabulary - 2));
      out[at++] = id;
      const e = effect(f, id);
      z += 0.25 * e + 0.5 * e * before;
      before = e;
    }
    const click = random.next() < 1 / (1 + Math.exp(-z)) ? 1 : 0;
    out[at++] = click;
    out[at++] = click === 1 && random.next() < 0.2 ? 1 : 0;
  }
  return out;
}
