import { join } from 'node:path';
import { createTfjsLearner } from '../src/scoring/engines/tfjs/learner.ts';
import type { loadBackend } from '../src/scoring/engines/tfjs/load.ts';
import { silentReporter } from './reporter.ts';
import { dayOf } from './tinyLog.ts';
import type { TrainInputs } from './train.ts';

/** What trainings on a tiny log have in common: the last two days validate. For tests. */
export const tinyInputs = (
  folder: string,
  name: string,
  log: string,
  backend: Awaited<ReturnType<typeof loadBackend>>,
): Omit<TrainInputs, 'schema' | 'config'> => ({
  train: log,
  valid: { fromMs: dayOf(8) },
  out: join(folder, name),
  seed: 1,
  loadLearner: async () => (typed, options) => createTfjsLearner(typed, backend, options),
  reporter: silentReporter,
  nowMs: () => 1_700_000_000_000,
  createdBy: 'test',
});
