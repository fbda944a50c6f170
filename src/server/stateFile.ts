import { createReadStream } from 'node:fs';
import type { BanditState } from '../creative/state.ts';
import { parseJson } from '../schema/parseSchema.ts';

const adsPerLine = 100;
const adsBegin = '"ads":[';
const adsEnd = ']}';

/** A state as JSON with its ads over many lines, since all of it may be longer than a text can be, 512 MiB. */
export function* stateLines({ ads, ...rest }: BanditState): Generator<string> {
  yield `${JSON.stringify(rest).slice(0, -1)},${adsBegin}\n`;
  for (let i = 0; i < ads.length; i += adsPerLine) {
    const line = JSON.stringify(ads.slice(i, i + adsPerLine)).slice(1, -1);
    yield i + adsPerLine < ads.length ? `${line},\n` : `${line}\n`;
  }
  yield `${adsEnd}\n`;
}

/**
 * The JSON value of a file: line by line where `stateLines` wrote it, else as a whole.
 *
 * @param source how messages name it
 * @throws UserError where it is no JSON; what reading the file throws
 */
export async function readStateFile(file: string, source: string): Promise<unknown> {
  const lines = linesOf(file);
  let text = (await lines.next()).value ?? '';
  if (!text.endsWith(adsBegin)) {
    for await (const line of lines) text += `\n${line}`;
    return parseJson(text, source);
  }
  const begin = text;
  const ads: unknown[] = [];
  for await (const line of lines) {
    text = line;
    if (line !== adsEnd) ads.push(...(parseJson(`[${line.replace(/,$/, '')}]`, source) as unknown[]));
  }
  // Of a file that was cut off the end is no JSON either.
  return { ...(parseJson(`${begin}${text === adsEnd ? adsEnd : ''}`, source) as object), ads };
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
