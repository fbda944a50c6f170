import { createRandom } from '../../src/core/random.ts';
import { evaluateTask } from '../../src/evaluation/metrics.ts';
import type { Scorer } from '../../src/scoring/scorer.ts';
import { RequestStream } from './requests.ts';
import type { ServedMarket } from './trained.ts';

/** How well an engine's uncalibrated answers predict clicks of requests that nobody trained on. */
export interface ServedQuality {
  readonly auc: number;
  readonly logLoss: number;
}

/** Every engine answers the same requests, asked as in service: the user's fields as one row. */
export function servedQuality(trained: ServedMarket, scorer: Scorer, requests = 400): ServedQuality {
  const candidates = 50;
  const stream = new RequestStream(trained, 1234);
  const random = createRandom(5678);
  const labels = new Float32Array(requests * candidates);
  const probabilities = new Float64Array(requests * candidates);
  for (let r = 0; r < requests; r++) {
    const { input, user, ads } = stream.next(candidates);
    ads.forEach((ad, i) => {
      labels[r * candidates + i] = trained.market.outcome(user, ad, random).click;
    });
    const scores = scorer.score(input).get('click');
    if (scores === undefined) throw new Error('no scores of clicks');
    probabilities.set(scores.subarray(0, candidates), r * candidates);
  }
  const { auc, logLoss } = evaluateTask({ probabilities, labels });
  return { auc: auc ?? Number.NaN, logLoss: logLoss ?? Number.NaN };
}
