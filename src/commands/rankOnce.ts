import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { messageOf, UserError } from '../core/errors.ts';
import type { RankAnswer, RankedSlot } from '../ranking/answer.ts';
import { parseJson } from '../schema/parseSchema.ts';
import { textTable } from './output.ts';

/** A request from a file, or from standard input. */
export async function readRequest(file: string): Promise<unknown> {
  const source = file === '-' ? 'standard input' : file;
  try {
    return parseJson(file === '-' ? await text(process.stdin) : await readFile(file, 'utf8'), `request '${source}'`);
  } catch (error) {
    if (error instanceof UserError) throw error;
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new UserError(
      missing
        ? `no request at '${file}'; name a file that holds one as JSON`
        : `cannot read request '${source}': ${messageOf(error)}; name a file that holds one as JSON`,
      missing ? 'missing' : 'input',
    );
  }
}

const columns: readonly { title: string; of: (slot: RankedSlot) => string | undefined }[] = [
  { title: 'slot', of: ({ slot, position }) => String(position ?? slot) },
  { title: 'ad', of: ({ adId }) => String(adId) },
  { title: 'creative', of: ({ creativeId }) => (creativeId === undefined ? undefined : String(creativeId)) },
  { title: 'campaign', of: ({ campaignId }) => (campaignId === undefined ? undefined : String(campaignId)) },
  { title: 'bid type', of: ({ bidType }) => bidType },
  { title: 'bid', of: ({ bidMicros }) => money(bidMicros) },
  { title: 'pCTR', of: ({ pCtr }) => percent(pCtr) },
  { title: 'pCVR', of: ({ pCvr }) => percent(pCvr) },
  { title: 'pEngagement', of: ({ pEngagement }) => percent(pEngagement) },
  { title: 'eCPM', of: ({ eCpmMicros }) => money(eCpmMicros) },
  { title: 'price', of: ({ priceMicros }) => money(priceMicros) },
];

const percent = (p: number | undefined) => (p === undefined ? undefined : `${(100 * p).toFixed(2)} %`);

/** Micros as the currency's unit, without dropping what is not zero. */
const money = (micros: number) => (micros / 1e6).toFixed(6).replace(/0{1,4}$/, '');

/** The answer as a table, one row a slot; columns that no slot has are left out. */
export function renderAnswer({ model, slots, candidateCount, eligibleCount }: RankAnswer): string {
  const used = columns.filter(({ of }) => slots.some((slot) => of(slot) !== undefined));
  const table = textTable(
    used.map(({ title }) => title),
    slots.map((slot) => used.map(({ of }) => of(slot) ?? '–')),
  );
  const summary = `${model.name} ${model.version}: ${slots.length} of ${candidateCount} candidates, ${eligibleCount} eligible; money in the account's currency, price per charge event (per mille where it is an impression)`;
  return slots.length === 0 ? `${summary}\n` : `${table}\n\n${summary}\n`;
}
