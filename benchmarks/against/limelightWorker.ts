import { loadBundle } from '../../src/index.ts';
import { createScorer } from '../../src/scoring/engines.ts';
import type { Scorer } from '../../src/scoring/scorer.ts';
import { contestantsOf } from '../serving/contestants.ts';
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
for (const { name, choice, keepsAds } of contestantsOf({})) {
  if (choice.engine !== 'native' && choice.backend !== 'wasm') continue;
  if (!keepsAds) rows[name] = async () => rowOf((await createScorer(bundle, choice)).scorer);
  else {
    rows[`${name}, cold`] = async () => rowOf((await createScorer(bundle, { ...choice, adCacheMb: 0 })).scorer);
    rows[`${name}, warm`] = async () => {
      const { scorer } = await createScorer(bundle, { ...choice, adCacheMb: warmMb });
      for (const input of readRequests(task.everyAd, task)) scorer.score(input);
      return rowOf(scorer);
    };
  }
}
await serveRows(task, `limelight on Node ${process.version}`, rows);

function rowOf(scorer: Scorer): PeerRow {
  return {
    ready: (input) => () => {
      const scores = scorer.score(input);
      return task.tasks.map((name) => scores.get(name) as Float32Array);
    },
  };
}
