import { bidTypes, CPC, CPE, CPM } from '../core/bids.ts';
import { assert, listOf, UserError } from '../core/errors.ts';
import { calibrateInto } from '../evaluation/calibration.ts';
import type { Manifest } from '../model/bundle.ts';
import type { Scores } from '../scoring/scorer.ts';
import { type Candidates, describeCandidate } from './candidates.ts';

/** The tasks that bids are valued by: the names that labels have in the schema. */
export const valuedTasks = ['click', 'conversion', 'engagement'] as const;
export type ValuedTask = (typeof valuedTasks)[number];

/**
 * Calibrated probabilities of a request's candidates, in buffers that are reused.
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
  private clicks = new Float64Array(0);
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
    if (this.pCtr.length < count) {
      const room = Math.ceil(count * 1.5);
      this.pCtr = new Float64Array(room);
      this.pCvr = new Float64Array(room);
      this.pEngagement = new Float64Array(room);
    }
    const { pCtr, pCvr } = this;
    if (this.tasks.has('click')) this.calibrateTask('click', scores, count, pCtr, rows);
    else pCtr.fill(1, 0, count);
    if (this.tasks.has('conversion')) {
      this.calibrateTask('conversion', scores, count, pCvr, rows);
      for (let i = 0; i < count; i++) pCvr[i] = pCtr[i] > 0 ? Math.min(1, pCvr[i] / pCtr[i]) : 0;
    }
    if (this.tasks.has('engagement')) this.calibrateTask('engagement', scores, count, this.pEngagement, rows);
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
