import { UserError } from '../core/errors.ts';
import { bucketOf, hashBytes, type KeyHalves } from '../core/hash.ts';
import type { BanditSettings } from '../creative/settings.ts';
import type { FieldPlan } from './fieldPlan.ts';

const text = new TextEncoder();

/**
 * The segment of a request's user as a contextual policy takes it: the value of one field, hashed into `contextSize` segments, of which
 * that one's share is 1. No value is a segment as well.
 */
export class Segments {
  private readonly field: string;
  private readonly size: number;
  private readonly key: KeyHalves = { lo: 0, hi: 0 };

  /** @returns none of a policy that takes no contexts. @throws UserError if it does not say by which field, or requests do not know that */
  static of({ policy, segment, contextSize }: BanditSettings, { requestNames }: FieldPlan): Segments | undefined {
    if (contextSize === 0) return undefined;
    if (segment !== undefined && requestNames.has(segment)) return new Segments(segment, contextSize);
    throw new UserError(
      `bandit settings: policy '${policy}' tells users apart by segment ${segment === undefined ? 'of no field' : `'${segment}', which is no field of requests`}; set "segment" to one of ${[...requestNames].join(', ')}`,
    );
  }

  private constructor(field: string, size: number) {
    this.field = field;
    this.size = size;
  }

  /** @param given what a request or an event says of its user and context */
  contextOf(...given: readonly Record<string, unknown>[]): Float64Array {
    const value = given.find((values) => Object.hasOwn(values, this.field))?.[this.field] ?? null;
    const bytes = text.encode(String(value));
    hashBytes(bytes, 0, bytes.length, this.key);
    const context = new Float64Array(this.size);
    context[bucketOf(this.key.lo, this.key.hi, this.size)] = 1;
    return context;
  }
}
