import { clamp, logit, sigmoid } from '../core/numerics.ts';
import { checkLengths, type Labels, type Values } from './rows.ts';

/** How predictions of either class spread, in bins of equal width in logits: legible for rates of 0.1 % and of 50 %. */
export interface ScoreHistogram {
  /** Bounds of the bins as probabilities, ascending, one more than there are bins. */
  edges: number[];
  /** Rows of each bin by label. */
  positives: number[];
  negatives: number[];
}

/** Predictions beyond these are counted in the outermost bin. */
const LOGIT_MOST = 12;

/** Counts predictions in `bins` bins of equal width in logits, from the lowest to the highest. No rows: no bins. */
export function scoreHistogram(p: Values, labels: Labels, bins = 40): ScoreHistogram {
  checkLengths(p.length, { labels });
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < p.length; i++) {
    if (p[i] < low) low = p[i];
    if (p[i] > high) high = p[i];
  }
  if (!(low <= high)) return { edges: [], positives: [], negatives: [] };
  const from = clamp(logit(low), -LOGIT_MOST, LOGIT_MOST - 0.1);
  const to = Math.max(clamp(logit(high), -LOGIT_MOST, LOGIT_MOST), from + 0.1);
  const positives = new Array<number>(bins).fill(0);
  const negatives = new Array<number>(bins).fill(0);
  for (let i = 0; i < p.length; i++) {
    const bin = clamp(Math.floor(((logit(p[i]) - from) / (to - from)) * bins), 0, bins - 1);
    if (labels[i] > 0) positives[bin]++;
    else negatives[bin]++;
  }
  const edges = Array.from({ length: bins + 1 }, (_, i) => sigmoid(from + ((to - from) * i) / bins));
  return { edges, positives, negatives };
}
