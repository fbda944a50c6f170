import { randomUUID } from 'node:crypto';
import pino from 'pino';
import { listen, untilStopped } from './listen.ts';
import { type LoadOptions, loadRanker } from './loadRanker.ts';
import { createMetrics } from './metrics.ts';
import { buildServer } from './server.ts';
import { warmUp } from './warmUp.ts';

export interface RunOptions extends LoadOptions {
  readonly host: string;
  readonly port: number;
  readonly bodyLimitBytes: number;
  /** pino's. */
  readonly logLevel: string;
}

/** Loads a model, serves it, and ends when a signal has stopped the server. Logs go to standard error. */
export async function runServer(options: RunOptions): Promise<void> {
  const { host, port, bodyLimitBytes, logLevel } = options;
  const logger = pino({ level: logLevel, base: { pid: process.pid } }, pino.destination(2));
  const loaded = await loadRanker(options);
  warmUp(loaded.ranker, () => performance.now());
  const modelHost = { current: loaded };
  const app = buildServer({
    host: modelHost,
    nowUs: () => performance.now() * 1000,
    newId: randomUUID,
    bodyLimitBytes,
    logger,
    metrics: createMetrics(modelHost, { process: true }),
  });
  const url = await listen(app, { host, port });
  const stopped = untilStopped(app, process);
  const { bundle, scorer, catalog } = loaded.ranker;
  const { name, version } = bundle.manifest;
  const ads = catalog === undefined ? '' : ` with ${catalog.adCount} ads`;
  process.stdout.write(
    `limelight: ${name} version ${version}${ads} on ${url}; engine ${scorer.engine}, ${loaded.reason}\n`,
  );
  const answered = await stopped;
  scorer.dispose();
  logger.info({ answered }, answered ? 'stopped' : 'stopped before all requests were answered');
  // A second signal leaves connections half open, which would keep the process alive.
  if (!answered) process.exit(1);
}
