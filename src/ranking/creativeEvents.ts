import type { Creatives } from '../catalog/creatives.ts';
import { UserError } from '../core/errors.ts';
import type { ArmCounts } from '../creative/creative.ts';
import { shown } from '../schema/parseSchema.ts';
import type { Schema } from '../schema/schema.ts';
import type { EventRequest } from './eventRequest.ts';
import type { Segments } from './segments.ts';

/** Numbers of `values` that creatives are judged by, whatever the schema has. */
export const creativeValues = ['viewMs', 'revenueMicros'] as const;

/** Reads which creative an event is of, and what it tells of it. */
export class CreativeEvents {
  readonly creatives: Creatives;
  /** What events may call a click. */
  private readonly clickNames: readonly string[];
  private readonly position: string | undefined;
  private readonly segments: Segments | undefined;

  /** @param segments of the bandit that learns from them, where it tells users apart */
  constructor(creatives: Creatives, { labels, position }: Schema, segments?: Segments) {
    this.creatives = creatives;
    this.clickNames = labels.flatMap(({ name, column }) => (name === 'click' ? [name, column] : []));
    this.position = position;
    this.segments = segments;
  }

  /**
   * @param name of the creative; null where the event does not say, which leaves no doubt of an ad that has but one
   * @param ad   the ad's row of the catalog, -1 if it lacks it; undefined where the event names none
   * @returns the creative's row, -1 where it is not known which it was
   * @throws UserError for a creative that is not the ad's, or unknown of a known ad
   */
  rowOf(name: unknown, ad: number | undefined, where: string): number {
    const { creatives } = this;
    const { offsets, rows } = creatives;
    const isKnown = ad !== undefined && ad >= 0;
    if (name === null) return isKnown && offsets[ad + 1] - offsets[ad] === 1 ? rows[offsets[ad]] : -1;
    const row = this.find(name, where);
    if (row >= 0 && ad !== undefined && creatives.ads[row] !== ad)
      throw new UserError(`${where}: creative ${shown(name)} is another ad's; name the one that was shown`);
    if (row < 0 && isKnown)
      throw new UserError(
        `${where}: creative ${shown(name)} is unknown; name one of the catalog's, or leave it out if it was the request's own`,
      );
    return row;
  }

  private find(name: unknown, where: string): number {
    try {
      return this.creatives.rowOf(name);
    } catch (error) {
      throw error instanceof UserError ? new UserError(`${where}: ${error.message}`) : error;
    }
  }

  /**
   * What an event adds to its creative's record.
   *
   * @param context what the event says of the request: its user's segment, and its position where the event itself does not
   * @throws UserError for a number that a record does not take, and where it does not say what tells users apart
   */
  countsOf(event: EventRequest, row: number, context: Record<string, unknown>, where: string): ArmCounts {
    const { type, eventMs, pCtr, values = {} } = event;
    const [viewMs, revenueMicros] = creativeValues.map((name) => {
      const value = Number(values[name] ?? 0);
      if (!(value >= 0 && value <= Number.MAX_SAFE_INTEGER))
        throw new UserError(`${where}: ${name} is ${value}; expected a number from 0 to 2^53`);
      return value;
    });
    const said = this.position === undefined ? undefined : context[this.position];
    const position = event.position ?? (Number.isSafeInteger(said) && (said as number) >= 1 ? (said as number) : 1);
    const isImpression = type === 'impression';
    const isClick = type === 'click' || this.clickNames.some((name) => Number(values[name] ?? 0) === 1);
    return {
      arm: this.creatives.places[row],
      timeMs: eventMs,
      position,
      impressions: Number(isImpression),
      clicks: Number(isClick),
      revenueMicros,
      ...(values.viewMs !== undefined && { viewMs, views: 1 }),
      ...(this.segments && { context: this.segments.contextOfEvent(context, where) }),
      ...(isImpression && pCtr !== undefined && { logits: Math.log(pCtr / (1 - pCtr)) }),
    };
  }
}
