import { createRandom } from '../core/random.ts';
import type { Ranker } from '../ranking/ranker.ts';

/**
 * Ranks the bundle's golden requests over and over, so that the first client's request meets compiled code.
 *
 * @param nowMs a clock; warming up ends after `mostMs` at the latest
 * @returns how many requests were ranked
 */
export function warmUp(ranker: Ranker, nowMs: () => number, mostMs = 500): number {
  const request = warmUpRequest(ranker, 200);
  const random = createRandom(1);
  const end = nowMs() + mostMs;
  let ranked = 0;
  do {
    ranker.rank(request, undefined, random);
    ranked++;
  } while (ranked < 50 && nowMs() < end);
  return ranked;
}

/** A request of so many candidates whose fields are those of the golden rows, in turn. */
export function warmUpRequest({ bundle, plan }: Ranker, candidateCount: number) {
  const { columns, rowCount } = bundle.golden;
  const user: Record<string, unknown> = {};
  for (const { field } of plan.request) user[field.name] = columns[field.column ?? field.name]?.[0] ?? null;
  const candidates: Record<string, unknown> = {};
  for (const { field } of plan.candidate) {
    const values = columns[field.column ?? field.name];
    candidates[field.name] = Array.from({ length: candidateCount }, (_, i) => values?.[i % rowCount] ?? null);
  }
  // Ids are whole numbers or texts: decimal text is either.
  const isFloat = plan.candidate.some(({ names, type }) => names.includes('adId') && type === 'number');
  candidates.adId = Array.from({ length: candidateCount }, (_, i) => (isFloat ? i : String(i)));
  return { user, slots: 3, candidates: { ...candidates, bidType: 'cpm', bidMicros: 1_000_000 } };
}
