import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { messageOf, UserError } from '../core/errors.ts';
import type { AdState, BanditStateHead } from '../creative/state.ts';
import { replaceFile } from '../model/bundleFiles.ts';

const adsBegin = '"ads":[';
const adsEnd = ']}';
/** A line has as many ads as fit, one at least: what is made at once, with a server waiting. */
const lineLength = 2 ** 16;

/** A state as JSON with its ads over many lines, each made when it is asked for, since all of it may be longer than a text can be, 512 MiB. */
async function* stateLines(head: BanditStateHead, ads: Iterable<AdState> | AsyncIterable<AdState>) {
  yield `${JSON.stringify(head).slice(0, -1)},${adsBegin}\n`;
  let line = '';
  for await (const ad of ads) {
    const text = JSON.stringify(ad);
    if (line !== '' && line.length + text.length > lineLength) {
      yield `${line},\n`;
      line = '';
    }
    line = line === '' ? text : `${line},${text}`;
  }
  if (line !== '') yield `${line}\n`;
  yield `${adsEnd}\n`;
}

/** Writes a state in place of the file: whatever happens, the old one is there, or the new one, whole. @throws what writing throws */
export function writeStateFile(
  file: string,
  head: BanditStateHead,
  ads: Iterable<AdState> | AsyncIterable<AdState>,
): Promise<void> {
  return replaceFile(file, (temporary) => writeFile(temporary, stateLines(head, ads), { flush: true }));
}

/** A state as it is read, not yet checked. */
export interface StateRead {
  /** The JSON value, but for its ads where they are in lines of their own. */
  readonly head: unknown;
  /** These, many at a time. */
  readonly ads?: AsyncIterable<readonly unknown[]>;
}

/**
 * Reads a state: its ads line by line where `writeStateFile` wrote it, else all at once.
 *
 * @param source how messages name it
 * @throws UserError where it is no JSON or is cut off, also while ads are read; what reading the file throws
 */
export async function openStateFile(file: string, source: string): Promise<StateRead> {
  const lines = linesOf(file);
  const first = (await lines.next()).value ?? '';
  if (first.endsWith(adsBegin)) return { head: parse(`${first}${adsEnd}`, source), ads: adsOf(lines, source) };
  let text = first;
  for await (const line of lines) text += `\n${line}`;
  return { head: parse(text, source) };
}

async function* adsOf(lines: AsyncIterable<string>, source: string): AsyncGenerator<readonly unknown[]> {
  let last = '';
  for await (const line of lines) {
    last = line;
    if (line !== adsEnd) yield parse(`[${line.replace(/,$/, '')}]`, source) as unknown[];
  }
  if (last !== adsEnd) throw new UserError(`${source}: is cut off; take a copy of an earlier time`);
}

/** The JSON value of a file, whole. @throws as `openStateFile` */
export async function readStateFile(file: string, source: string): Promise<unknown> {
  const { head, ads } = await openStateFile(file, source);
  if (ads === undefined) return head;
  const all: unknown[] = [];
  for await (const some of ads) all.push(...some);
  return { ...(head as object), ads: all };
}

function parse(text: string, source: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UserError(`${source}: not valid JSON (${messageOf(error)}); take a copy of an earlier time`);
  }
}

/** A file's lines but for an empty one at its end. `\n` alone ends one: a JSON text may have what else looks like an end. */
async function* linesOf(file: string): AsyncGenerator<string, undefined> {
  let rest = '';
  for await (const chunk of createReadStream(file, { encoding: 'utf8', highWaterMark: 1 << 20 })) {
    const lines = `${rest}${chunk}`.split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}
