import { createScorer, type EngineChoice, loadBundle } from '../index.ts';

/** A bundle and an engine to score it with. */
export async function loadModel(folder: string, { engine, backend, precision, adCacheMb }: EngineChoice) {
  const bundle = await loadBundle(folder);
  return { bundle, ...(await createScorer(bundle, { engine, backend, precision, adCacheMb })) };
}
