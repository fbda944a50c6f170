/**
 * What kind of mistake the caller made; the server maps it to a status code, the command line to an exit code.
 * `input`: a bad value; `missing`: something named does not exist; `conflict`: it exists already;
 * `tooLarge`: over a limit; `unsupported`: valid, but this build or bundle cannot do it.
 */
export type ErrorKind = 'input' | 'missing' | 'conflict' | 'tooLarge' | 'unsupported';

/**
 * A mistake of the user's: shown as its message alone, never with a stack trace.
 * The message says who, what was expected, what was got, and what to do next.
 */
export class UserError extends Error {
  readonly kind: ErrorKind;

  constructor(message: string, kind: ErrorKind = 'input') {
    super(message);
    this.name = 'UserError';
    this.kind = kind;
  }
}

/** Checks a promise our own code makes; a failure is our bug. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`internal error: ${message}`);
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** `a`, `a and b`, `a, b and c`; at most `most` of them, then "and N more". */
export function listOf(names: readonly string[], most = 8): string {
  const shown = names.length > most ? [...names.slice(0, most), `${names.length - most} more`] : names;
  if (shown.length <= 1) return shown.join('');
  return `${shown.slice(0, -1).join(', ')} and ${shown[shown.length - 1]}`;
}

/** `1 click`, `0 clicks`, `1,234 clicks`. */
export function counted(count: number, thing: string): string {
  return `${count.toLocaleString('en-US')} ${thing}${count === 1 ? '' : 's'}`;
}
