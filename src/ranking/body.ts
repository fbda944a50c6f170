import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { UserError } from '../core/errors.ts';
import { problemsOf, shown } from '../schema/parseSchema.ts';

/** What a client asks: `docs/http-api.md` describes it. */
export interface RankRequest {
  requestId?: string | number;
  /** Fields of scope `request`, here or in `context`. */
  user?: Record<string, unknown>;
  context?: Record<string, unknown>;
  /** How many slots to fill, or one object a slot, best first. */
  slots: number | { position?: number }[];
  /** Rows, bare ad ids of the catalog, or one array a field. */
  candidates: readonly unknown[] | Record<string, unknown>;
  /** The least eCPM to win a slot; 0 where absent. */
  reserveEcpmMicros?: number;
  /** Whether to answer each factor of each slot. */
  explain?: boolean;
  /** The user's past impressions and what came of them, in place of those that the server holds; see `EventRequest`. */
  history?: readonly unknown[];
}

/** A request whose outer shape is right. */
export interface RankBody {
  readonly requestId?: string | number;
  readonly user: Record<string, unknown>;
  readonly context: Record<string, unknown>;
  readonly slotCount: number;
  /** The slots' positions, where the request named them. */
  readonly positions?: readonly number[];
  readonly candidates: readonly unknown[] | Record<string, unknown>;
  readonly reserveEcpmMicros: number;
  readonly explain: boolean;
  readonly history?: readonly unknown[];
}

const BodyShape = Type.Object(
  {
    requestId: Type.Optional(Type.Union([Type.String({ maxLength: 256 }), Type.Number()])),
    user: Type.Optional(Type.Object({})),
    context: Type.Optional(Type.Object({})),
    slots: Type.Unknown(),
    candidates: Type.Unknown(),
    reserveEcpmMicros: Type.Optional(Type.Integer({ minimum: 0 })),
    explain: Type.Optional(Type.Boolean()),
    history: Type.Optional(Type.Array(Type.Unknown())),
  },
  { additionalProperties: false },
);
const body = Compile(BodyShape);

/** @throws UserError that names every mistake in the outer shape */
export function readBody(json: unknown): RankBody {
  if (!body.Check(json)) {
    if (typeof json !== 'object' || json === null || Array.isArray(json))
      throw new UserError(`request: expected a JSON object with slots and candidates, got ${shown(json)}`);
    const problems = problemsOf(BodyShape, json, (path) =>
      path === '' ? 'the body' : path.slice(1).replaceAll('/', '.'),
    );
    throw new UserError(
      `request: ${[...new Set(problems)].join('; ')}; a request has ${Object.keys(BodyShape.properties).join(', ')}`,
    );
  }
  const { requestId, user = {}, context = {}, candidates, reserveEcpmMicros = 0, explain = false, history } = json;
  if (typeof candidates !== 'object' || candidates === null) {
    throw new UserError(
      `request: candidates is ${shown(candidates)}; expected an array of rows or ad ids, or an object with one array a field`,
    );
  }
  return {
    requestId,
    user: user as Record<string, unknown>,
    context: context as Record<string, unknown>,
    ...readSlots(json.slots),
    candidates: candidates as RankBody['candidates'],
    reserveEcpmMicros,
    explain,
    history,
  };
}

const isWhole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 1;

function readSlots(slots: unknown): { slotCount: number; positions?: number[] } {
  if (isWhole(slots)) return { slotCount: slots };
  if (!Array.isArray(slots) || slots.length === 0) {
    throw new UserError(
      `request: slots is ${shown(slots)}; expected how many slots to fill, from 1 up, or an array of objects such as {"position": 1}`,
    );
  }
  const positions = slots.map((slot: { position?: unknown } | null, i) => {
    const position = slot?.position ?? i + 1;
    if (typeof slot !== 'object' || slot === null || !isWhole(position))
      throw new UserError(`request: slots[${i}] is ${shown(slot)}; expected an object such as {"position": ${i + 1}}`);
    return position;
  });
  if (new Set(positions).size < positions.length)
    throw new UserError(`request: slots name a position twice (${positions.join(', ')}); name each once`);
  return { slotCount: slots.length, positions };
}
