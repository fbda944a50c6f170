import { loadBundle } from '../../src/index.ts';
import { createScorer } from '../../src/scoring/engines.ts';
import type { Scorer } from '../../src/scoring/scorer.ts';
import { contestantsOf, loadContestant } from '../serving/contestants.ts';
import { type PeerRow, readRequests, readTask, serveRows } from './serveRows.ts';

/*
 * Limelight's own engines as contestants: the native one in every precision, with and without what it keeps of ads, and
 * TensorFlow.js on wasm.
 *
 *   limelightWorker.ts TASK_FILE
 */

/** Room for every ad. */
const warmMb = 1024;

const task = readTask(process.argv[2]);
const bundle = await loadBundle(task.bundle);
const rows: Record<string, () => Promise<PeerRow>> = {};
const missing: string[] = [];
for (const contestant of contestantsOf({})) {
  const { choice, keepsAds } = contestant;
  if (choice.engine !== 'native' && choice.backend !== 'wasm') continue;
  const loaded = await loadContestant(bundle, contestant, 0);
  if ('missing' in loaded) {
    missing.push(loaded.missing);
    continue;
  }
  const { scorer } = loaded;
  rows[`${scorer.engine}${keepsAds ? ', cold' : ''}`] = async () => rowOf(scorer);
  if (keepsAds) {
    rows[`${scorer.engine}, warm`] = async () => {
      const { scorer: warm } = await createScorer(bundle, { ...choice, adCacheMb: warmMb });
      for (const input of readRequests(task.everyAd, task)) warm.score(input);
      return rowOf(warm);
    };
  }
}
await serveRows(task, 'limelight', rows, missing);

function rowOf(scorer: Scorer): PeerRow {
  return {
    ready: (input) => () => {
      const scores = scorer.score(input);
      return task.tasks.map((name) => scores.get(name) as Float32Array);
    },
  };
}
