import { readBundle, resolveBundleFolder } from '../model/bundleFiles.ts';
import { createScorer, type EngineChoice } from '../scoring/engines.ts';

/** A bundle and an engine to score it with. */
export async function loadModel(folder: string, choice: EngineChoice) {
  const bundle = await readBundle(await resolveBundleFolder(folder));
  return { bundle, ...(await createScorer(bundle, { engine: choice.engine, backend: choice.backend })) };
}
