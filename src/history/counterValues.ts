import { standardised, type VectorScale } from '../schema/numbers.ts';
import { COEC, COUNT, type CounterOps, IDLE, LAST, RATE, RUN, SAME, SINCE, SUM_OF } from './counterPlan.ts';

/** Priors are themselves smoothed towards the rate of all events, as if by so many. */
const priorStrength = 5;

/** The longest that `sinceLast` and `idle` tell apart, and what they are of a key without events. */
const longestMs = 30 * 86_400_000;

/** (n, Σy) towards a prior; the prior itself where nothing counts. */
export function smoothed(n: number, y: number, strength: number, prior: number): number {
  const weight = n + strength;
  return weight > 0 ? (y + strength * prior) / weight : prior;
}

/**
 * A prior from the views: of all events (Σy + ½)/(n + 1) for a label and Σy/(n + 1) for a number; of a key, its own smoothed towards
 * that. Priors it rests on must have been computed.
 */
export function computePrior(ops: CounterOps, prior: number, views: Float64Array, priors: Float64Array): void {
  const n = views[ops.priorN[prior]];
  const y = views[ops.priorY[prior]];
  const base = ops.priorBase[prior];
  if (base >= 0) priors[prior] = smoothed(n, y, priorStrength, priors[base]);
  else priors[prior] = (y + (ops.priorIsLabel[prior] !== 0 ? 0.5 : 0)) / (n + 1);
}

const logs = Float64Array.from({ length: 1024 }, (_, n) => Math.log1p(n));

/** log1p(x), looked up for the whole numbers that most counts are. */
const logOf = (x: number) => (x >= 0 && x < logs.length && Math.floor(x) === x ? logs[x] : Math.log1p(x));

const logSeconds = (ms: number) => Math.log1p((ms > 0 ? (ms < longestMs ? ms : longestMs) : 0) / 1000);

/** A value as models take it, or raw where there is no scale. Values are float32 before they are standardised, as columns are. */
export function encodedValue(value: number, column: number, scale: VectorScale | undefined): number {
  if (scale === undefined) return value;
  return standardised(Math.fround(value), scale.means[column], scale.scales[column], scale.clip);
}

/**
 * One value of a counter from the views.
 *
 * @param nowMs when its family is read
 * @param words halves of the request's keys, and whether it has them: for `same`
 */
export function counterValue(
  ops: CounterOps,
  op: number,
  views: Float64Array,
  priors: Float64Array,
  nowMs: number,
  words: Int32Array,
  valid: Uint8Array,
): number {
  const a = ops.a[op];
  const b = ops.b[op];
  const isOver = ops.alive[op] >= 0 && views[ops.alive[op]] === 0;
  switch (ops.kinds[op]) {
    case COUNT:
    case RUN:
      return logOf(views[a]);
    case SINCE:
      return logSeconds(isOver ? Number.POSITIVE_INFINITY : nowMs - views[a]);
    case RATE:
      return smoothed(views[a], views[b], ops.strengths[op], priors[ops.priors[op]]);
    case COEC:
      return smoothed(views[b], views[a], ops.strengths[op], 1);
    case SUM_OF:
      return Math.sign(views[a]) * Math.log1p(Math.abs(views[a]));
    case LAST:
      return isOver ? 0 : views[a];
    case SAME:
      return !isOver && valid[b] !== 0 && words[2 * b] === views[a] && words[2 * b + 1] === views[a + 1] ? 1 : 0;
    case IDLE:
      return logSeconds(isOver ? Number.POSITIVE_INFINITY : nowMs - views[a] - views[b]);
    default:
      return Number.NaN;
  }
}
