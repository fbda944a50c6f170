import { UserError } from '../core/errors.ts';
import { createHistory } from '../history/createHistory.ts';
import type { EventRows, History } from '../history/history.ts';
import { createHistoryPlan } from '../history/historyPlan.ts';
import { loadHistory } from '../history/state.ts';
import type { Bundle } from '../model/bundle.ts';
import { readHistoryFile } from '../model/bundleFiles.ts';

/** What a server holds of history. It outlives the models that read it. */
export class HeldHistory {
  readonly history: History;
  /** Where it began: for the log. */
  readonly origin: string;
  /** When the newest impression was, of those taken in here; what comes of one does not count. */
  newestImpressionMs = Number.NEGATIVE_INFINITY;

  constructor(history: History, origin: string) {
    this.history = history;
    this.origin = origin;
  }

  /**
   * Lets history see all it may by now.
   *
   * @param clockMs what the server's clock shows: one that was set back stands still until it has caught up
   * @returns the time to go by
   */
  advanceByClock(clockMs: number): number {
    return this.advance(Math.max(clockMs, this.history.watermarkMs));
  }

  /** The same at a time that a request says. @throws UserError if that lies before what history has seen, by more than `lateness` */
  advance(timeMs: number): number {
    this.history.advance(timeMs);
    return Math.max(timeMs, this.history.watermarkMs);
  }

  /** Takes events in, all of them or none. @throws UserError for one whose time cannot be */
  add(rows: EventRows): void {
    for (let row = 0; row < rows.rowCount; row++) this.history.check(rows, row);
    for (let row = 0; row < rows.rowCount; row++) {
      this.history.add(rows, row);
      if (rows.isOutcome?.[row] !== 1) this.newestImpressionMs = Math.max(this.newestImpressionMs, rows.eventMs[row]);
    }
  }
}

/**
 * The history that a model's server begins with: that of a file, where one is named; else the bundle's snapshot, which ends where its
 * training data does; else nothing.
 *
 * @throws UserError if the file is missing, damaged or of another schema
 */
export async function openHistory(bundle: Bundle, folder: string, file?: string): Promise<HeldHistory | undefined> {
  const plan = createHistoryPlan(bundle.typed.schema);
  if (plan === undefined) {
    if (file === undefined) return undefined;
    throw new UserError(
      `--history '${file}': model '${bundle.manifest.name}' has no sequences and no counters; leave it out, or serve one that has`,
    );
  }
  const read = async (source: string) => loadHistory(plan, await readHistoryFile(source), source);
  if (file !== undefined) return new HeldHistory(await read(file), `from ${file}`);
  try {
    return new HeldHistory(await read(folder), "the model's own");
  } catch (error) {
    if (!(error instanceof UserError && error.kind === 'missing')) throw error;
  }
  const history = createHistory(plan);
  history.advance(0);
  return new HeldHistory(history, 'empty');
}
