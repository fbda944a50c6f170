import { createHash } from 'node:crypto';
import type { Bundle } from '../../../model/bundle.ts';
import { readSidecar, sidecarFile, writeSidecar } from '../../../model/bundleSidecar.ts';
import type { EngineChoice } from '../../engines.ts';
import { knowsCreatives } from '../../plan.ts';
import { choosePrecision, type NumberPrecision } from '../../precision.ts';
import type { Scorer } from '../../scorer.ts';
import type { ProgramSpec } from './addon.ts';
import { type LoadedAddon, loadAddon, machineRates } from './load.ts';
import { createNativeScorer, formatsOf, lowerFor, type NativeOptions } from './scorer.ts';

const defaultAdCacheMb = 256;

/** The ad cache shall hold this many at least: what is kept of fewer is made anew too often to gain by it. */
const leastAds = 50_000;

/** What is loaded, and why in this precision. */
interface LoadedNative {
  readonly scorer: Scorer;
  readonly detail: string;
}

/**
 * Loads a bundle into the native engine. What takes time is kept beside the bundle and found there by the next load: the
 * weights as this machine's kernels want them, and which precision is within the bundle's limits.
 *
 * @throws UserError if the addon does not load, or for a precision that this machine or the bundle does not allow
 */
export async function loadNativeScorer(bundle: Bundle, choice: EngineChoice): Promise<LoadedNative> {
  const loaded = loadAddon();
  const { kernels } = loaded;
  const { precision = 'auto', adCacheMb = defaultAdCacheMb } = choice;
  const cacheBytes = adCacheMb * 2 ** 20;
  const load = (chosen: NumberPrecision) => loadAs(bundle, loaded, chosen, cacheBytes);
  if (precision !== 'auto') return { scorer: (await load(precision))(), detail: `${kernels}, ${precision}: asked for` };
  const name = `native-precision-${kernels}-${identityOf(bundle, loaded)}.json`;
  const kept = await readChoice(bundle, name);
  if (kept !== undefined) return { scorer: (await load(kept.precision))(), detail: `${kernels}, ${kept.reason}` };
  const choices = [];
  for (const each of fasterFirst(loaded, bundle)) choices.push({ precision: each, load: await load(each) });
  const {
    scorer,
    precision: chosen,
    reason,
  } = choosePrecision(bundle.sample, bundle.manifest.precision?.limits, choices);
  if (bundle.folder !== undefined)
    await writeSidecar(bundle.folder, name, Buffer.from(JSON.stringify({ precision: chosen, reason })));
  return { scorer, detail: `${kernels}, ${reason}` };
}

/** Prepares a precision; the result loads it. */
async function loadAs(
  bundle: Bundle,
  loaded: LoadedAddon,
  precision: NumberPrecision,
  cacheBytes: number,
): Promise<() => Scorer> {
  const { addon, kernels } = loaded;
  const options: NativeOptions = {
    kernels,
    precision,
    rates: machineRates(loaded, precision),
    cacheBytes,
    recordBytesMax: cacheBytes / leastAds,
  };
  const prepare = async (of: 'candidates' | 'creatives') => {
    const lowered = lowerFor(bundle, addon, options, of);
    return { lowered, packed: await packedWeights(bundle, loaded, lowered.spec) };
  };
  const service = await prepare('candidates');
  const ofCreatives = knowsCreatives(bundle.typed) ? await prepare('creatives') : undefined;
  return () => createNativeScorer(bundle, addon, options, { ...service, ofCreatives });
}

/** A program's packed weights: mapped from beside the bundle, or packed now and left there. */
async function packedWeights(bundle: Bundle, loaded: LoadedAddon, spec: ProgramSpec): Promise<ArrayBuffer> {
  const { addon, kernels } = loaded;
  const { folder } = bundle;
  if (folder === undefined) return addon.pack(kernels, spec);
  const shape = JSON.stringify({ ...spec, weights: spec.weights.map(({ length }) => length), cacheBytes: 0 });
  const name = `native-${kernels}-${identityOf(bundle, loaded, shape)}.bin`;
  const file = await sidecarFile(folder, name);
  const map = async () => {
    try {
      const mapped = addon.mapFile(file);
      if (mapped.byteLength !== addon.packedBytes(kernels, spec)) return undefined;
      // A few megabytes, and a damaged one would answer wrongly without a word.
      const sum = await readSidecar(folder, `${name}.sha256`);
      return sum !== undefined && Buffer.from(sum).toString() === sha256(mapped) ? mapped : undefined;
    } catch {
      return undefined;
    }
  };
  const mapped = await map();
  if (mapped !== undefined) return mapped;
  const packed = addon.pack(kernels, spec);
  const bytes = new Uint8Array(packed);
  const kept =
    (await writeSidecar(folder, `${name}.sha256`, Buffer.from(sha256(packed)))) &&
    (await writeSidecar(folder, name, bytes));
  return kept ? ((await map()) ?? packed) : packed;
}

const sha256 = (bytes: ArrayBuffer) => createHash('sha256').update(new Uint8Array(bytes)).digest('hex');

/** Changes with the bundle's files, the addon's build and whatever else is given. */
function identityOf({ checksum = '' }: Bundle, { build }: LoadedAddon, more = ''): string {
  return createHash('sha256').update(`${checksum}\n${build}\n${more}`).digest('hex').slice(0, 24);
}

/** The precisions whose products are faster here than those in fp32, the fastest first; then fp32. */
function fasterFirst(loaded: LoadedAddon, { manifest }: Bundle): NumberPrecision[] {
  const rateOf = (precision: NumberPrecision) => machineRates(loaded, precision).matrixMultiplyAddsPerNs;
  const least = 1.1 * rateOf('fp32');
  const lower = (['int8', 'bf16'] as const)
    .filter((precision) => precision !== 'int8' || manifest.precision !== undefined)
    .filter(
      (precision) => formatsOf(loaded.addon, loaded.kernels, precision) !== undefined && rateOf(precision) > least,
    );
  return [...lower.sort((a, b) => rateOf(b) - rateOf(a)), 'fp32'];
}

async function readChoice(
  { folder }: Bundle,
  name: string,
): Promise<{ precision: NumberPrecision; reason: string } | undefined> {
  const kept = folder === undefined ? undefined : await readSidecar(folder, name);
  if (kept === undefined) return undefined;
  try {
    const { precision, reason } = JSON.parse(new TextDecoder().decode(kept));
    const isKnown = precision === 'fp32' || precision === 'bf16' || precision === 'int8';
    return isKnown && typeof reason === 'string' ? { precision, reason } : undefined;
  } catch {
    return undefined;
  }
}
