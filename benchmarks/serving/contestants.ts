import { messageOf } from '../../src/core/errors.ts';
import type { Bundle } from '../../src/model/bundle.ts';
import { createScorer, type EngineChoice, engines, type LoadedScorer, precisions } from '../../src/scoring/engines.ts';
import type { TopicOptions } from '../topic.ts';

/** An engine in one of its precisions or on one of its backends. */
export interface Contestant {
  readonly name: string;
  readonly choice: EngineChoice;
  /** Whether it can keep what depends on an ad alone. */
  readonly keepsAds: boolean;
}

/** Every engine, precision and backend asked for. */
export function contestantsOf({
  engines: wanted,
  precisions: numbers,
}: Pick<TopicOptions, 'engines' | 'precisions'>): Contestant[] {
  return engines
    .filter(({ name }) => wanted === undefined || wanted.includes(name))
    .flatMap(({ name: engine, has }): Contestant[] => {
      const keepsAds = has.includes('adCacheMb');
      if (has.includes('precision')) {
        const own = precisions.filter((precision) =>
          numbers === undefined ? precision !== 'auto' : numbers.includes(precision),
        );
        return own.map((precision) => ({ name: `${engine} ${precision}`, choice: { engine, precision }, keepsAds }));
      }
      if (numbers?.includes('fp32') === false) return [];
      if (!has.includes('backend')) return [{ name: engine, choice: { engine }, keepsAds }];
      const backends = ['tensorflow', 'wasm'];
      return backends.map((backend) => ({ name: `${engine} ${backend}`, choice: { engine, backend }, keepsAds }));
    });
}

/** Loads a contestant, or says why it is left out. */
export async function loadContestant(
  bundle: Bundle,
  { name, choice, keepsAds }: Contestant,
  adCacheMb: number,
): Promise<LoadedScorer | { readonly missing: string }> {
  try {
    return await createScorer(bundle, keepsAds ? { ...choice, adCacheMb } : choice);
  } catch (error) {
    return { missing: `${name} was left out: ${messageOf(error)}` };
  }
}
