import { bidTypes, CPC, CPE, CPM } from '../core/bids.ts';
import { assert, listOf, UserError } from '../core/errors.ts';
import { calibrate, calibrateInto } from '../evaluation/calibration.ts';
import type { Manifest } from '../model/bundle.ts';
import { roomFor } from '../schema/gatherRows.ts';
import type { Scores } from '../scoring/scorer.ts';
import { type Candidates, describeCandidate } from './candidates.ts';

/** The tasks that bids are valued by: the names that labels have in the schema. */
export const valuedTasks = ['click', 'conversion', 'engagement'] as const;
export type ValuedTask = (typeof valuedTasks)[number];

/** Calibrated probabilities, of the tasks that a model has: pCvr where it has clicks too. */
export interface ShownProbabilities {
  readonly pCtr?: number;
  readonly pCvr?: number;
  readonly pEngagement?: number;
}

/**
 * Calibrated probabilities that a request's candidates are valued by, in buffers that are reused.
 *
 *   pCtr = c(p(click))   pCvr = min(1, c(p(conversion)) / pCtr)   pEngagement = c(p(engagement))
 *
 * p(conversion) is that of a click and a conversion, over all impressions (pCTCVR). Without a click task pCtr is 1, and pCvr so
 * the conversion's own probability per impression.
 */
export class CandidateProbabilities {
  pCtr = new Float64Array(0);
  pCvr = new Float64Array(0);
  pEngagement = new Float64Array(0);
  readonly tasks: ReadonlySet<string>;
  /** The task that creatives of an ad are compared by: clicks, or the model's first where it has none of these. */
  readonly comparedBy: string;
  /** [creatives] */
  private clicks = new Float64Array(0);
  private others = new Float64Array(0);
  private rows = new Int32Array(0);
  private readonly manifest: Manifest;
  /** 1 for the bid types, by code, that need a task the model lacks. */
  private readonly lacking: Uint8Array;

  constructor(manifest: Manifest, tasks: readonly { readonly name: string }[]) {
    this.manifest = manifest;
    this.tasks = new Set(tasks.map(({ name }) => name));
    this.comparedBy = this.tasks.has('click') ? 'click' : tasks[0].name;
    this.lacking = Uint8Array.from(bidTypes, (_, type) => {
      const needed = taskOf(type);
      return needed === undefined || this.tasks.has(needed) ? 0 : 1;
    });
  }

  /** @throws UserError if a candidate's bid type needs a task that the model lacks */
  check({ types, count, adIds }: Candidates): void {
    const { tasks, lacking } = this;
    for (let i = 0; i < count; i++) {
      if (lacking[types[i]] === 0) continue;
      const needed = taskOf(types[i]);
      const { name, version } = this.manifest;
      throw new UserError(
        `${describeCandidate(i, adIds[i])}: its bid type needs a model with task '${needed}', and bundle '${name}' version ${version} has ${listOf([...tasks])}; train with a label '${needed}', or bid otherwise`,
        'unsupported',
      );
    }
  }

  /** @param rows the row of each candidate's scores, [count]; its own where absent */
  update(scores: Scores, count: number, rows?: Int32Array): void {
    this.grow(count);
    const { pCtr, pCvr } = this;
    if (this.tasks.has('click')) this.calibrateTask('click', scores, count, pCtr, rows);
    else pCtr.fill(1, 0, count);
    if (this.tasks.has('conversion')) {
      this.calibrateTask('conversion', scores, count, pCvr, rows);
      for (let i = 0; i < count; i++) pCvr[i] = pCtr[i] > 0 ? Math.min(1, pCvr[i] / pCtr[i]) : 0;
    }
    if (this.tasks.has('engagement')) this.calibrateTask('engagement', scores, count, this.pEngagement, rows);
  }

  /**
   * Of ads whose creatives are drawn: of an impression of the ad, whichever creative it has, so that the draw decides nothing but that.
   *
   *   pCtr = Σ share·pCtr_v   pCvr = Σ share·pCtr_v·pCvr_v / pCtr   pEngagement = Σ share·pEngagement_v
   *
   * Conversions and engagements are computed of the candidates that bid for them, after `clicksOf` of the same scores.
   *
   * @param offsets where each candidate's creatives begin, [count + 1]
   * @param shares  how likely each creative is to be drawn
   */
  updateMeans(scores: Scores, candidates: Candidates, offsets: Int32Array, shares: Float64Array): void {
    const { count } = candidates;
    this.grow(count);
    const { pCtr, pCvr, pEngagement, tasks } = this;
    const clicks = tasks.has('click') ? this.clicks : undefined;
    if (clicks === undefined) pCtr.fill(1, 0, count);
    else
      for (let i = 0; i < count; i++) {
        let sum = 0;
        for (let v = offsets[i]; v < offsets[i + 1]; v++) sum += shares[v] * clicks[v];
        pCtr[i] = sum;
      }
    if (tasks.has('conversion')) {
      this.meanOf('conversion', scores, candidates, offsets, shares, pCvr, clicks);
      for (let i = 0; i < count; i++) pCvr[i] = pCtr[i] > 0 ? Math.min(1, pCvr[i] / pCtr[i]) : 0;
    }
    if (tasks.has('engagement')) this.meanOf('engagement', scores, candidates, offsets, shares, pEngagement);
  }

  /** @param most p that each creative's is not taken to be above */
  private meanOf(
    task: ValuedTask,
    scores: Scores,
    { types, count }: Candidates,
    offsets: Int32Array,
    shares: Float64Array,
    out: Float64Array,
    most?: Float64Array,
  ): void {
    if (this.rows.length < offsets[count]) {
      this.rows = new Int32Array(roomFor(offsets[count]));
      this.others = new Float64Array(roomFor(offsets[count]));
    }
    const { rows, others } = this;
    let wanted = 0;
    for (let i = 0; i < count; i++)
      if (taskOf(types[i]) === task) for (let v = offsets[i]; v < offsets[i + 1]; v++) rows[wanted++] = v;
    this.calibrateTask(task, scores, wanted, others, rows);
    let at = 0;
    for (let i = 0; i < count; i++) {
      let sum = 0;
      if (taskOf(types[i]) === task)
        for (let v = offsets[i]; v < offsets[i + 1]; v++, at++)
          sum += shares[v] * (most !== undefined && most[v] < others[at] ? most[v] : others[at]);
      out[i] = sum;
    }
  }

  /** Of one row of scores: what is answered of what is shown. */
  shownOf(scores: Scores, row: number): ShownProbabilities {
    const [click, conversion, engagement] = valuedTasks.map((task) => {
      const p = scores.get(task)?.[row];
      return p === undefined ? undefined : this.calibrated(task, p);
    });
    return {
      ...(click !== undefined && { pCtr: click }),
      ...(click !== undefined && conversion !== undefined && { pCvr: click > 0 ? Math.min(1, conversion / click) : 0 }),
      ...(engagement !== undefined && { pEngagement: engagement }),
    };
  }

  calibrated(task: string, p: number): number {
    if (!(p >= 0 && p <= 1)) assert(false, `the engine gave p(${task}) = ${p} of what is shown`);
    const curve = this.manifest.calibration[task];
    return curve === undefined ? p : calibrate(curve, p);
  }

  private grow(count: number): void {
    if (this.pCtr.length >= count) return;
    const room = roomFor(count);
    this.pCtr = new Float64Array(room);
    this.pCvr = new Float64Array(room);
    this.pEngagement = new Float64Array(room);
  }

  /** @returns calibrated p(click) of each creative, valid until the next call; none of a model that knows no clicks */
  clicksOf(scores: Scores, count: number): Float64Array | undefined {
    if (!this.tasks.has('click')) return undefined;
    if (this.clicks.length < count) this.clicks = new Float64Array(Math.ceil(count * 1.5));
    this.calibrateTask('click', scores, count, this.clicks);
    return this.clicks;
  }

  private calibrateTask(task: string, scores: Scores, count: number, out: Float64Array, rows?: Int32Array): void {
    const raw = scores.get(task);
    assert(raw !== undefined && (rows !== undefined || raw.length >= count), `the engine gave no scores of '${task}'`);
    for (let i = 0; i < count; i++) {
      const p = raw[rows === undefined ? i : rows[i]];
      // Written so that NaN fails: a model that computes it must not win slots by it. The message is made only then.
      if (!(p >= 0 && p <= 1)) assert(false, `the engine gave p(${task}) = ${p} for candidate ${i}`);
      out[i] = p;
    }
    const curve = this.manifest.calibration[task];
    if (curve !== undefined) calibrateInto(curve, out, count);
  }
}

function taskOf(type: number): ValuedTask | undefined {
  if (type === CPM) return undefined;
  return type === CPC ? 'click' : type === CPE ? 'engagement' : 'conversion';
}
