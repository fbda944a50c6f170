import { createRandom } from '../core/random.ts';
import type { Ranker } from '../ranking/ranker.ts';

/**
 * Ranks the bundle's golden requests over and over, of ads of the catalog and of others, so that the first client's request meets
 * compiled code.
 *
 * @param nowMs a clock; warming up ends after `mostMs` at the latest
 * @returns how many requests were ranked
 */
export function warmUp(ranker: Ranker, nowMs: () => number, mostMs = 500): number {
  const requests = [warmUpRequest(ranker, 200), ...(ranker.catalog === undefined ? [] : [catalogRequest(ranker, 200)])];
  const random = createRandom(1);
  const end = nowMs() + mostMs;
  let ranked = 0;
  do {
    ranker.rank(requests[ranked % requests.length], undefined, random);
    ranked++;
  } while (ranked < 50 && nowMs() < end);
  return ranked;
}

/** A request of so many candidates whose fields are those of the golden rows, in turn. */
export function warmUpRequest(ranker: Ranker, candidateCount: number) {
  const { plan } = ranker;
  // Ids are whole numbers or texts: decimal text is either.
  const isFloat = plan.candidate.some(({ names, type }) => names.includes('adId') && type === 'number');
  const adId = Array.from({ length: candidateCount }, (_, i) => (isFloat ? i : String(i)));
  return requestOf(ranker, plan.candidate, adId);
}

/** The same of the catalog's ads, as they are there. */
export function catalogRequest(ranker: Ranker, candidateCount: number) {
  const { plan, catalog } = ranker;
  const asked = plan.candidate.filter(({ field: { scope } }) => scope === 'candidate' || scope === 'variant');
  const rows = Array.from({ length: candidateCount }, (_, i) => i % (catalog?.adCount ?? 1));
  return requestOf(
    ranker,
    asked,
    rows.map((row) => catalog?.valueOf('adId', row)),
  );
}

function requestOf({ bundle, plan }: Ranker, asked: Ranker['plan']['candidate'], adId: readonly unknown[]) {
  const { columns, rowCount } = bundle.golden;
  const user: Record<string, unknown> = {};
  for (const { field } of plan.request) user[field.name] = columns[field.column ?? field.name]?.[0] ?? null;
  const candidates: Record<string, unknown> = {};
  for (const { field } of asked) {
    const values = columns[field.column ?? field.name];
    candidates[field.name] = adId.map((_, i) => values?.[i % rowCount] ?? null);
  }
  return { user, slots: 3, candidates: { ...candidates, adId, bidType: 'cpm', bidMicros: 1_000_000 } };
}
