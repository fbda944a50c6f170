import { standardised, type VectorScale } from '../schema/numbers.ts';
import { COEC, COUNT, type CounterOps, IDLE, LAST, RATE, RUN, SAME, SINCE, SUM_OF } from './counterPlan.ts';
import type { ViewRows } from './viewRows.ts';

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
 * A prior of the first rows from their views: of all events (Σy + ½)/(n + 1) for a label and Σy/(n + 1) for a number; of a key, its own
 * smoothed towards that. Priors it rests on must have been computed.
 */
export function computePrior(ops: CounterOps, prior: number, rows: ViewRows, count: number): void {
  const { views, priors, viewSteps, priorSteps } = rows;
  const n = ops.priorN[prior];
  const y = ops.priorY[prior];
  const base = ops.priorBase[prior];
  const start = ops.priorIsLabel[prior] !== 0 ? 0.5 : 0;
  for (let row = 0; row < count; row++) {
    const at = Math.imul(row, viewSteps[ops.priorFamilies[prior]]);
    const to = prior + Math.imul(row, priorSteps[prior]);
    if (base < 0) priors[to] = (views[at + y] + start) / (views[at + n] + 1);
    else {
      const from = base + Math.imul(row, priorSteps[base]);
      priors[to] = smoothed(views[at + n], views[at + y], priorStrength, priors[from]);
    }
  }
}

const logs = Float64Array.from({ length: 1024 }, (_, n) => Math.log1p(n));

/** log1p(x), looked up for the whole numbers that most counts are. */
const logOf = (x: number) => (x >= 0 && x < logs.length && Math.floor(x) === x ? logs[x] : Math.log1p(x));

const logSeconds = (ms: number) => Math.log1p((ms > 0 ? (ms < longestMs ? ms : longestMs) : 0) / 1000);

const logLongest = logSeconds(longestMs);

/**
 * Writes one value of a counter, from a row's views, to `to[place]`: float32, as columns are. It is not returned, as V8 makes an object of
 * every float64 that a function which is not inlined returns.
 */
export function writeValue(
  ops: CounterOps,
  op: number,
  rows: ViewRows,
  row: number,
  to: Float32Array,
  place: number,
): void {
  const { views } = rows;
  const at = Math.imul(row, rows.viewSteps[ops.families[op]]);
  const a = views[at + ops.a[op]];
  const kind = ops.kinds[op];
  if (kind === COUNT || kind === RUN) to[place] = logOf(a);
  else if (kind === RATE) {
    const prior = ops.priors[op] + Math.imul(row, rows.priorSteps[ops.priors[op]]);
    to[place] = smoothed(a, views[at + ops.b[op]], ops.strengths[op], rows.priors[prior]);
  } else if (kind === COEC) to[place] = smoothed(views[at + ops.b[op]], a, ops.strengths[op], 1);
  else if (kind === SUM_OF) to[place] = Math.sign(a) * Math.log1p(Math.abs(a));
  else writeLast(ops, op, rows, at, to, place);
}

/** Of values of the last impression: whose row of views begins at `at`. */
function writeLast(ops: CounterOps, op: number, rows: ViewRows, at: number, to: Float32Array, place: number): void {
  const { views, times, words, valid } = rows;
  const a = at + ops.a[op];
  const b = ops.b[op];
  const isOver = ops.alive[op] >= 0 && views[at + ops.alive[op]] === 0;
  const nowMs = times[ops.families[op]];
  switch (ops.kinds[op]) {
    case SINCE:
      to[place] = isOver ? logLongest : logSeconds(nowMs - views[a]);
      break;
    case LAST:
      to[place] = isOver ? 0 : views[a];
      break;
    case SAME: {
      const isSame = valid[b] !== 0 && words[2 * b] === views[a] && words[2 * b + 1] === views[a + 1];
      to[place] = isSame && !isOver ? 1 : 0;
      break;
    }
    case IDLE:
      to[place] = isOver ? logLongest : logSeconds(nowMs - views[a] - views[at + b]);
      break;
    default:
      to[place] = Number.NaN;
  }
}

/** The same of the first rows, as models take it, or raw where there is no scale: row `row`'s goes to `places[row] + offset`. */
export function writeValues(
  ops: CounterOps,
  op: number,
  rows: ViewRows,
  count: number,
  scale: VectorScale | undefined,
  to: Float32Array,
  places: Int32Array,
  offset: number,
): void {
  for (let row = 0; row < count; row++) writeValue(ops, op, rows, row, to, places[row] + offset);
  if (scale === undefined) return;
  const mean = scale.means[ops.columns[op]];
  const factor = scale.scales[ops.columns[op]];
  // Values are float32 before they are standardised, as columns are.
  for (let row = 0; row < count; row++) {
    const at = places[row] + offset;
    to[at] = standardised(to[at], mean, factor, scale.clip);
  }
}
