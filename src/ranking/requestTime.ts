import { UserError } from '../core/errors.ts';
import { shown } from '../schema/parseSchema.ts';
import type { Schema } from '../schema/schema.ts';

/** The end of the year 9999: a later time is in microseconds, or no time at all, and history would wait for it for ever. */
export const latestMs = Date.UTC(10_000, 0, 1) - 1;

/**
 * When a request that is replayed was: the schema's time column in its context (or user), ms since 1970.
 *
 * @param json a `RankRequest`, unchecked
 */
export function requestTimeMs(json: unknown, { time = 'time' }: Schema): number {
  const { context, user } = (json ?? {}) as { context?: Record<string, unknown>; user?: Record<string, unknown> };
  const ms = context?.[time] ?? user?.[time];
  if (typeof ms === 'number' && ms >= 0 && ms <= latestMs) return ms;
  throw new UserError(
    `request: context.${time} is ${shown(ms)}; expected when the request was, in ms since 1970, since time comes with requests here`,
  );
}
