import type { FastifyInstance } from 'fastify';
import { messageOf, UserError } from '../core/errors.ts';

/** How long requests under way may take to end after a signal to stop. */
const graceMs = 10_000;

export interface ListenOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
}

/**
 * @returns the address in use, as a URL
 * @throws UserError if the port is taken or the host is not this machine's
 */
export async function listen(app: FastifyInstance, { host, port }: ListenOptions): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (error) {
    switch ((error as NodeJS.ErrnoException).code) {
      case 'EADDRINUSE':
        throw new UserError(
          `port ${port} of ${host} is in use; stop the process that has it, or choose another (--port)`,
          'conflict',
        );
      case 'EACCES':
        throw new UserError(`port ${port} needs more rights than this process has; choose one above 1023 (--port)`);
      case 'EADDRNOTAVAIL':
      case 'ENOTFOUND':
        throw new UserError(`host '${host}' is no address of this machine; use 127.0.0.1 or 0.0.0.0 (--host)`);
      default:
        throw new UserError(`cannot listen on ${host}:${port}: ${messageOf(error)}`);
    }
  }
}

/** The part of `process` that stopping needs. */
export interface Signals {
  on(signal: 'SIGTERM' | 'SIGINT', listener: () => void): unknown;
  off(signal: 'SIGTERM' | 'SIGINT', listener: () => void): unknown;
}

/**
 * Ends when a signal has stopped the server: it takes no more connections, answers what is under way, then closes. A second
 * signal, or ten seconds, ends it at once.
 *
 * @returns whether all that was under way was answered
 */
export function untilStopped(app: FastifyInstance, signals: Signals, timer: typeof setTimeout = setTimeout) {
  return new Promise<boolean>((resolve, reject) => {
    let stopping = false;
    let deadline: NodeJS.Timeout | undefined;
    const end = (answered: boolean) => {
      clearTimeout(deadline);
      signals.off('SIGTERM', stop);
      signals.off('SIGINT', stop);
      resolve(answered);
    };
    const stop = () => {
      if (stopping) {
        app.server.closeAllConnections();
        return end(false);
      }
      stopping = true;
      deadline = timer(() => {
        app.server.closeAllConnections();
        end(false);
      }, graceMs);
      app.close().then(() => end(true), reject);
    };
    signals.on('SIGTERM', stop);
    signals.on('SIGINT', stop);
  });
}
