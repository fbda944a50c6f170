import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import pino, { type Logger } from 'pino';
import { messageOf, UserError } from '../core/errors.ts';
import { saveWithSchema } from '../history/stateSchema.ts';
import { writeHistoryFile } from '../model/bundleFiles.ts';
import { type HeldCreatives, saveBandit } from './heldCreatives.ts';
import type { HeldHistory } from './heldHistory.ts';
import { listen, untilStopped } from './listen.ts';
import { type LoadedRanker, type LoadOptions, loadRanker } from './loadRanker.ts';
import { createMetrics } from './metrics.ts';
import { repeat } from './repeat.ts';
import { buildServer } from './server.ts';
import { warmUp } from './warmUp.ts';

export interface RunOptions extends LoadOptions {
  readonly host: string;
  readonly port: number;
  readonly bodyLimitBytes: number;
  /** pino's. */
  readonly logLevel: string;
  /** Whether time comes with requests and events. */
  readonly replay?: boolean;
  /** How often `creativeState` is written while the server runs; 0 for at its end alone. */
  readonly creativeStateSeconds?: number;
}

const defaultCreativeStateSeconds = 300;

/** Loads a model, serves it, and ends when a signal has stopped the server. Logs go to standard error. */
export async function runServer(options: RunOptions): Promise<void> {
  const { host, port, bodyLimitBytes, logLevel, replay } = options;
  const logger = pino({ level: logLevel, base: { pid: process.pid } }, pino.destination(2));
  if (options.creativeStateSeconds !== undefined && options.creativeState === undefined)
    throw new UserError('--creative-state-seconds: there is no file to write so often; add --creative-state');
  // A file that is not there yet is written when the server ends.
  const history = options.history !== undefined && existsSync(options.history) ? options.history : undefined;
  const loaded = await loadRanker({ ...options, history });
  warmUp(loaded.ranker, () => performance.now());
  await beginHistory(loaded, options);
  await beginCreatives(loaded, options);
  const modelHost = { current: loaded };
  const app = buildServer({
    host: modelHost,
    nowUs: () => performance.now() * 1000,
    replay,
    newId: randomUUID,
    bodyLimitBytes,
    logger,
    metrics: createMetrics(modelHost, { replay, process: true }),
  });
  const url = await listen(app, { host, port });
  const stopped = untilStopped(app, process);
  const { bundle, scorer, catalog, creatives } = loaded.ranker;
  const { name, version } = bundle.manifest;
  const shown = creatives === undefined ? '' : ` and ${creatives.namedCount} creatives`;
  const ads = catalog === undefined ? '' : ` with ${catalog.adCount} ads${shown}`;
  process.stdout.write(
    `limelight: ${name} version ${version}${ads} on ${url}; engine ${scorer.engine}, ${loaded.reason}${describeHistory(loaded.history)}${describeCreatives(loaded.creatives)}\n`,
  );
  const endKeeping = keepCreatives(loaded, options, logger);
  const answered = await stopped;
  scorer.dispose();
  await endKeeping();
  await saveHeld(loaded, options, logger);
  logger.info({ answered }, answered ? 'stopped' : 'stopped before all requests were answered');
  // A second signal leaves connections half open, which would keep the process alive.
  if (!answered) process.exit(1);
}

/**
 * Writes the record of creatives every so often, that a crash may lose little. A failure is logged, and tried again.
 *
 * @returns ends it, and waits for a write that is under way
 */
function keepCreatives(
  { creatives: held }: LoadedRanker,
  { creativeState, creativeStateSeconds = defaultCreativeStateSeconds }: RunOptions,
  logger: Logger,
): () => Promise<void> {
  if (held === undefined || creativeState === undefined || creativeStateSeconds === 0) return async () => {};
  const write = async () => {
    const beginMs = performance.now();
    try {
      await saveBandit(creativeState, held.bandit);
      logger.info({ creativeState, ms: Math.round(performance.now() - beginMs) }, 'state of creatives written');
    } catch (error) {
      logger.error({ err: error, creativeState }, 'state of creatives not written');
    }
  };
  return repeat(write, creativeStateSeconds);
}

/**
 * Writes down what a server was told; a file that cannot be written keeps no other from it.
 *
 * @throws UserError that names each that could not
 */
export async function saveHeld(
  { history: held, creatives, ranker }: LoadedRanker,
  { history, creativeState }: Pick<RunOptions, 'history' | 'creativeState'>,
  logger: Pick<Logger, 'info'>,
): Promise<void> {
  const saveHistory = async () => {
    if (held === undefined || history === undefined) return;
    await writeHistoryFile(history, saveWithSchema(held.history, ranker.bundle.typed.schema));
    logger.info({ history }, 'history written');
  };
  const saveCreatives = async () => {
    if (creatives === undefined || creativeState === undefined) return;
    await saveBandit(creativeState, creatives.bandit);
    logger.info({ creativeState }, 'state of creatives written');
  };
  const saved = await Promise.allSettled([saveHistory(), saveCreatives()]);
  const errors = saved.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
  if (errors.length === 0) return;
  if (errors.length === 1) throw errors[0];
  const areKnown = errors.every((error) => error instanceof UserError);
  throw areKnown ? new UserError(errors.map(messageOf).join('\n')) : new AggregateError(errors);
}

/** Finds out now, rather than when it ends, that the server's clock or its file is wrong. */
async function beginHistory(
  { history: held, ranker }: LoadedRanker,
  { history: file, replay }: RunOptions,
): Promise<void> {
  if (held === undefined) return;
  if (!replay) held.history.advance(Date.now());
  if (file !== undefined) await writeHistoryFile(file, saveWithSchema(held.history, ranker.bundle.typed.schema));
}

/** The same of the record of creatives, whose windows begin by the clock. */
async function beginCreatives({ creatives: held }: LoadedRanker, { creativeState, replay }: RunOptions): Promise<void> {
  if (held === undefined) return;
  if (!replay) held.settleByClock(Date.now());
  if (creativeState !== undefined) await saveBandit(creativeState, held.bandit);
}

function describeCreatives(held: HeldCreatives | undefined): string {
  return held === undefined ? '' : `; creatives by policy ${held.bandit.settings.policy}, ${held.origin}`;
}

function describeHistory(held: HeldHistory | undefined): string {
  if (held === undefined) return '';
  const { keys } = held.history.stats();
  return `; history ${held.origin}, ${keys} keys`;
}
