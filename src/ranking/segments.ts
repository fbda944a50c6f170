import { UserError } from '../core/errors.ts';
import type { BanditSettings } from '../creative/settings.ts';
import { columnOf, isMade } from '../schema/fields.ts';
import type { Schema } from '../schema/schema.ts';
import type { FieldPlan } from './fieldPlan.ts';

/**
 * The segment of a request's user as a contextual policy takes it: the place of one field's value, as text, among those that the
 * settings list, of which that one's share is 1. Every other value, and none, is the last segment.
 */
export class Segments {
  /** What requests and events may call the field. */
  private readonly names: readonly string[];
  private readonly places: ReadonlyMap<unknown, number>;

  /** @returns none of a policy that takes no contexts. @throws UserError if it does not say by which field, or by one that cannot tell them */
  static of(
    { policy, segment, segments, contextSize }: BanditSettings,
    { requestNames }: Pick<FieldPlan, 'requestNames'>,
    { fields, time, request, position }: Pick<Schema, 'fields' | 'time' | 'request' | 'position'>,
  ): Segments | undefined {
    if (contextSize === 0) return undefined;
    // A list is never one of the values; what says when, where and of which request it was tells no users apart.
    const alike = fields.flatMap((field) => {
      if (isMade(field) || field.kind === 'ids' || field.kind === 'vector') return [];
      const names = [...new Set([field.name, columnOf(field)])];
      const isOfUser = names.every((name) => requestNames.has(name) && ![time, request, position].includes(name));
      return isOfUser ? [names] : [];
    });
    const names = alike.filter((names) => names.includes(segment as string)).flat();
    if (segment === undefined || segments === undefined || names.length === 0)
      throw new UserError(
        `bandit settings: policy '${policy}' tells users apart by segment ${segment === undefined ? 'of no field' : `'${segment}', which is no field of requests that can tell them`}; set "segment" to one of ${[...new Set(alike.flat())].join(', ')}, and "segments" to its values`,
      );
    return new Segments([...new Set([segment, ...names])], segments);
  }

  private constructor(names: readonly string[], segments: readonly string[]) {
    this.names = names;
    this.places = new Map(segments.map((value, place) => [value, place]));
  }

  /** @param given what a request says of its user, and of its context */
  contextOf(...given: readonly Record<string, unknown>[]): Float64Array {
    const said = given.flatMap((values) =>
      this.names.filter((name) => Object.hasOwn(values, name)).map((name) => values[name]),
    );
    const context = new Float64Array(this.places.size + 1);
    context[this.places.get(textOf(said[0])) ?? this.places.size] = 1;
    return context;
  }

  /** @throws UserError for an event that does not say what its request said, as it would count for the wrong segment */
  contextOfEvent(given: Record<string, unknown>, where: string): Float64Array {
    if (!this.names.some((name) => Object.hasOwn(given, name)))
      throw new UserError(
        `${where}: lacks '${this.names[0]}', by which the policy tells users apart; send it in user or context as the ranking request did, null where that had none`,
      );
    return this.contextOf(given);
  }
}

/** Requests may send a whole number as a Boolean, or as text. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'boolean') return String(Number(value));
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}
