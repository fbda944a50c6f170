import { type ErrorKind, UserError } from '../core/errors.ts';

/** What every refusal looks like. */
export interface ErrorBody {
  error: { kind: string; message: string; id?: string };
}

export interface Refusal {
  readonly status: number;
  readonly body: ErrorBody;
}

const statusOfKind: Record<ErrorKind, number> = {
  input: 422,
  missing: 404,
  conflict: 409,
  tooLarge: 413,
  unsupported: 422,
};

export function refusal(status: number, kind: string, message: string): Refusal {
  return { status, body: { error: { kind, message } } };
}

/** What a client is told of anything thrown; undefined for our own mistakes, of which it learns only an id. */
export function refusalOf(error: unknown, bodyLimitBytes: number): Refusal | undefined {
  if (error instanceof UserError) return refusal(statusOfKind[error.kind], error.kind, error.message);
  const { code, statusCode, message } = error as { code?: string; statusCode?: number; message?: string };
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return refusal(
        413,
        'tooLarge',
        `body: larger than the limit of ${bodyLimitBytes} bytes (${(bodyLimitBytes / 2 ** 20).toFixed(1)} MiB); send fewer candidates, use columns and a catalog, or raise the limit (--body-limit-mb)`,
      );
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return refusal(415, 'mediaType', `body: expected content-type application/json; set this header`);
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return refusal(400, 'malformed', 'body: expected a JSON object, got nothing; send the request as JSON');
  }
  // Whatever else fastify refuses is the client's: broken JSON, a content-length that is not the body's.
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return refusal(statusCode, 'malformed', `body: ${message}`);
  return undefined;
}

/** A body that is not JSON, or has keys that would change an object's prototype: the place and the next step. */
export function malformedJson(text: string, error: Error): Error & { statusCode: number } {
  let problem = `${error.message}; leave the keys __proto__ and constructor.prototype out`;
  try {
    JSON.parse(text);
  } catch (syntax) {
    problem = `not valid JSON (${(syntax as Error).message}); correct it`;
  }
  return Object.assign(new Error(problem), { statusCode: 400 });
}
