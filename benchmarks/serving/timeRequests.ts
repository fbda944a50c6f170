import type { Ranker } from '../../src/ranking/ranker.ts';
import type { Scorer } from '../../src/scoring/scorer.ts';
import { Latency } from './latency.ts';
import type { RequestStream } from './requests.ts';

/** Of whole requests, and of their scoring alone. */
export interface RequestTimes {
  readonly rank: Latency;
  readonly score: Latency;
}

/** Whole requests and the scoring of others in turn, so that both meet the same machine; after a warm-up. */
export function timeRequests(
  ranker: Ranker,
  stream: RequestStream,
  candidates: number,
  { rank, score }: RequestTimes,
  seconds: number,
): void {
  const { scorer } = ranker;
  const warmUp = new Latency();
  const turn = (whole: Latency, part: Latency) => {
    const { json } = stream.next(candidates);
    const rankS = whole.time(() => ranker.rank(json));
    const { input } = stream.next(candidates);
    return rankS + part.time(() => scorer.score(input));
  };
  for (let spent = 0, i = 0; spent < seconds / 4 || i < 1; i++) spent += turn(warmUp, warmUp);
  for (let spent = 0, i = 0; spent < seconds || i < 2; i++) spent += turn(rank, score);
}

/** Fills what an engine keeps of ads. */
export function seeEveryAd(scorer: Scorer, stream: RequestStream): void {
  for (const input of stream.everyAd(1000)) scorer.score(input);
}
