import { readFileSync } from 'node:fs';
import { evaluateTask } from '../../src/evaluation/metrics.ts';
import type { Bundle } from '../../src/model/bundle.ts';
import { createReferenceScorer } from '../../src/scoring/engines/reference/scorer.ts';
import type { PeerProcess } from './peerProcess.ts';
import type { WrittenTask } from './task.ts';

/** What a row's answers are worth. */
export interface RowCheck {
  /** Largest difference in probability from the reference engine. */
  readonly difference: number;
  /** Of clicks. */
  readonly auc: number;
  readonly logLoss: number;
}

/** With larger differences a row is not printed. */
const tolerances = { fp32: 1e-4, bf16: 2e-2, int8: 2e-2 } as const;

/** Requests compared with the reference engine, which takes its time. */
const compared = 8;

/** The precision in a row's name. */
export function precisionOf(how: string): keyof typeof tolerances {
  return how.includes('int8') ? 'int8' : how.includes('bf16') ? 'bf16' : 'fp32';
}

/**
 * Makes the check each row passes before it is timed: it agrees with the reference engine.
 *
 * @returns a function that throws an Error for a row that does not, or does not answer
 */
export function createCheck(bundle: Bundle, { task, answered, clicks }: WrittenTask, file: string) {
  const { candidates, tasks } = task;
  const reference = createReferenceScorer(bundle);
  // [requests, tasks, candidates], as rows answer.
  const expected = answered.slice(0, compared).flatMap((input) => {
    const scores = reference.score(input);
    return tasks.map((name) => scores.get(name) as Float32Array);
  });
  return async (process: PeerProcess, how: string): Promise<RowCheck> => {
    await process.answer(how, 0, answered.length, file);
    const bytes = readFileSync(file);
    const answers = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
    const count = answered.length * tasks.length * candidates;
    if (answers.length !== count) throw new Error(`it gave ${answers.length} answers, expected ${count}`);
    let difference = 0;
    expected.forEach((p, i) => {
      for (let row = 0; row < candidates; row++) {
        const apart = Math.abs(answers[i * candidates + row] - p[row]);
        difference = Number.isNaN(apart) ? Number.POSITIVE_INFINITY : Math.max(difference, apart);
      }
    });
    const tolerance = tolerances[precisionOf(how)];
    if (difference > tolerance)
      throw new Error(
        `its answers are up to ${difference.toPrecision(2)} from the reference engine's, more than ${tolerance}`,
      );
    return { difference, ...qualityOf(answers, clicks, tasks.indexOf('click'), tasks.length, candidates) };
  };
}

function qualityOf(answers: Float32Array, clicks: Float32Array, click: number, tasks: number, candidates: number) {
  const probabilities = Float64Array.from(clicks, (_, i) => {
    const request = Math.floor(i / candidates);
    return answers[(request * tasks + click) * candidates + (i % candidates)];
  });
  const { auc, logLoss } = evaluateTask({ probabilities, labels: clicks });
  return { auc: auc ?? Number.NaN, logLoss: logLoss ?? Number.NaN };
}
