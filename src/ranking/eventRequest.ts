import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { latestMs } from './requestTime.ts';

const strict = { additionalProperties: false };
const TimeShape = Type.Number({ minimum: 0, maximum: latestMs });
const EventShape = Type.Object(
  {
    type: Type.String(),
    eventMs: TimeShape,
    arrivedMs: Type.Optional(TimeShape),
    user: Type.Optional(Type.Object({})),
    context: Type.Optional(Type.Object({})),
    ad: Type.Optional(Type.Union([Type.String(), Type.Number(), Type.Object({})])),
    values: Type.Optional(Type.Record(Type.String(), Type.Union([Type.Number(), Type.Boolean()]))),
    creativeId: Type.Optional(Type.Union([Type.String(), Type.Number()])),
    position: Type.Optional(Type.Integer({ minimum: 1 })),
    pCtr: Type.Optional(Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 1 })),
    propensity: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1 })),
  },
  strict,
);
export const EventsShape = Type.Object({ events: Type.Array(EventShape, { minItems: 1 }) }, strict);
export const isEvents = Compile(EventsShape);
/** One impression, or what came of one: `docs/http-api.md` describes it. */
export interface EventRequest extends Omit<Static<typeof EventShape>, 'ad'> {
  /** `impression`, the name of a label that is now 1, or `outcome` for `values` alone. */
  type: string;
  /** When the impression was, of outcomes as well. */
  eventMs: number;
  /** When it came; `eventMs` where absent. A server that goes by its own clock does not take it. */
  arrivedMs?: number;
  user?: Record<string, unknown>;
  context?: Record<string, unknown>;
  /** The ad as a candidate is given: its id alone, or its fields. */
  ad?: string | number | Record<string, unknown>;
  /** Labels (0 and 1) and numbers by name. */
  values?: Record<string, number | boolean>;
  /** Of the slot that it was answered with: the creative, where it was shown, what the model had of it and how likely it was chosen. */
  creativeId?: string | number;
  position?: number;
  pCtr?: number;
  propensity?: number;
}
