import { stat } from 'node:fs/promises';
import path from 'node:path';
import { UserError } from '../core/errors.ts';
import { hashBytes } from '../core/hash.ts';
import { mergeBanditStates } from '../creative/mergeStates.ts';
import { type AdState, type BanditState, type BanditStateHead, readStateHead } from '../creative/state.ts';
import { reading } from '../server/heldCreatives.ts';
import { openStateFile, writeStateFile } from '../server/stateFile.ts';

/** A bandit's state whose ads are read, and checked, as they are asked for: there may be more than fit in memory. */
export interface OpenState {
  readonly head: BanditStateHead;
  /** Many at a time. */
  readonly ads: AsyncIterable<readonly AdState[]>;
}

/** @throws UserError if it is missing, damaged or of another version, also while ads are read */
export async function openState(file: string): Promise<OpenState> {
  const source = `state '${file}'`;
  const read = await reading(() => openStateFile(file, source), source);
  const { head, readAds } = readStateHead(read.head, source);
  return { head, ads: adsOf(read.ads ?? [(head as BanditState).ads], readAds) };
}

async function* adsOf(
  given: AsyncIterable<unknown> | Iterable<unknown>,
  readAds: (ads: unknown) => readonly AdState[],
): AsyncGenerator<readonly AdState[]> {
  for await (const ads of given) yield readAds(ads);
}

/** Of files, held at a time. */
const partBytes = 2 ** 28;

/**
 * Writes the sum of states, as `mergeBanditStates` has it. What does not fit in memory is read several times, each time another part of
 * the ads.
 *
 * @throws UserError for a state that cannot be read, states that do not add up, and a file that is named twice
 */
export async function mergeStateFiles(
  files: readonly string[],
  out: string,
  maxBytes = partBytes,
): Promise<MergedState> {
  const twice = files.find((file, i) => files.slice(0, i).some((other) => path.resolve(other) === path.resolve(file)));
  if (twice !== undefined)
    throw new UserError(`state '${twice}': is named twice, and would count twice; name each replica's once`);
  const heads: BanditStateHead[] = [];
  let bytes = 0;
  for (const file of files) {
    const { head } = await openState(file);
    if (heads.length > 0 && head.windowMs !== heads[0].windowMs)
      throw new UserError(
        `state '${file}': has windows of ${head.windowMs} ms, '${files[0]}' of ${heads[0].windowMs}, which do not add up; give all replicas the same windowMs`,
      );
    heads.push(head);
    bytes += (await stat(file)).size;
  }
  const empty = heads.map((head): BanditState => ({ ...head, ads: [] }));
  const { ads: _, ...head } = empty.reduce(mergeBanditStates);
  const counted = { ads: 0, creatives: 0, impressions: 0 };
  const parts = Math.ceil(bytes / maxBytes);
  await writeStateFile(out, head, counting(mergedAds(files, parts), counted));
  return counted;
}

export interface MergedState {
  readonly ads: number;
  readonly creatives: number;
  readonly impressions: number;
}

/** Of a part at a time: each ad's states as text, which takes a fraction of their memory, and then their sum. */
async function* mergedAds(files: readonly string[], parts: number): AsyncGenerator<AdState> {
  for (let part = 0; part < parts; part++) {
    const heads: BanditStateHead[] = [];
    const texts = new Map<string, string[]>();
    for (const file of files) {
      const { head, ads } = await openState(file);
      for await (const some of ads)
        for (const ad of some) {
          if (partOf(ad.ad, parts) !== part) continue;
          let ofAd = texts.get(ad.ad);
          if (ofAd === undefined) texts.set(ad.ad, (ofAd = []));
          ofAd[heads.length] = JSON.stringify(ad);
        }
      heads.push(head);
    }
    for (const ad of [...texts.keys()].sort()) {
      const ofAd = texts.get(ad) as string[];
      const states = heads.map((head, i): BanditState => ({ ...head, ads: ofAd[i] ? [JSON.parse(ofAd[i])] : [] }));
      yield* states.reduce(mergeBanditStates).ads;
    }
  }
}

/** Which part an ad is of: the same in every file. */
function partOf(ad: string, parts: number): number {
  const bytes = Buffer.from(ad);
  const hash = { lo: 0, hi: 0 };
  hashBytes(bytes, 0, bytes.length, hash);
  return (hash.lo >>> 0) % parts;
}

async function* counting(
  ads: AsyncIterable<AdState>,
  counted: { -readonly [name in keyof MergedState]: number },
): AsyncGenerator<AdState> {
  for await (const ad of ads) {
    counted.ads++;
    counted.creatives += ad.creatives.length;
    for (const { totals } of ad.creatives) counted.impressions += totals[0];
    yield ad;
  }
}
