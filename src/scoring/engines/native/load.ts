import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, homedir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf, UserError } from '../../../core/errors.ts';
import type { MapFile } from '../../../model/bundleSidecar.ts';
import type { MachineRates } from '../../planner/planSteps.ts';
import type { NumberPrecision } from '../../precision.ts';
import type { NativeAddon } from './addon.ts';
import { formatsOf } from './scorer.ts';

/** The addon, and the instruction set it runs on. */
export interface LoadedAddon {
  readonly addon: NativeAddon;
  /** The fastest this machine has, or the one LIMELIGHT_ISA names. */
  readonly kernels: string;
  /** Changes when the addon is built anew. */
  readonly build: string;
}

const relativePath = 'native/build/limelight.node';

/** Where the addon is: what LIMELIGHT_NATIVE names, else in the package this file belongs to. */
function findAddon(): string | undefined {
  if (process.env.LIMELIGHT_NATIVE) return path.resolve(process.env.LIMELIGHT_NATIVE);
  for (let folder = path.dirname(fileURLToPath(import.meta.url)); ; folder = path.dirname(folder)) {
    const file = path.join(folder, relativePath);
    if (statSync(file, { throwIfNoEntry: false }) !== undefined) return file;
    if (path.dirname(folder) === folder) return undefined;
  }
}

let loaded: { readonly addon: NativeAddon; readonly build: string } | undefined;

/**
 * Loads the addon that `npm install` has built.
 *
 * @throws UserError of kind `unsupported` if it was not built, does not load, or LIMELIGHT_ISA names what it lacks
 */
export function loadAddon(isa = process.env.LIMELIGHT_ISA): LoadedAddon {
  loaded ??= requireAddon();
  const { addon, build } = loaded;
  const names = addon.kernelNames();
  if (isa !== undefined && isa !== '' && !names.includes(isa)) {
    throw new UserError(
      `engine native: LIMELIGHT_ISA is '${isa}', but this machine and build have ${names.join(', ')}; name one of these`,
      'unsupported',
    );
  }
  return { addon, kernels: isa || names[0], build };
}

/** Maps a file into memory, where the addon loads: for bundles, whatever engine scores them. */
export function nativeMapFile(): MapFile | undefined {
  try {
    loaded ??= requireAddon();
  } catch {
    return undefined;
  }
  const { addon } = loaded;
  return (file) => mapUncounted(addon, file) ?? new Uint8Array(addon.mapFile(file));
}

/** Of its type, which comes with the DOM's, what is used. */
declare const WebAssembly: {
  Memory: new (limits: { initial: number; maximum: number; shared: true }) => { readonly buffer: SharedArrayBuffer };
};
const wasmPageBytes = 2 ** 16;
const wasmPagesMax = 2 ** 16;

/**
 * Maps a file over the pages of a shared WebAssembly memory, the one kind whose bytes V8 does not count. It counts those of an
 * external buffer as memory that collecting garbage could free: a gigabyte makes it start at once, again and again, and
 * costs a load 20 ms and more in vain.
 *
 * @returns undefined where that cannot be: of a file above 4 GiB or of no bytes, say
 */
function mapUncounted(addon: NativeAddon, file: string): Uint8Array | undefined {
  try {
    const { size } = statSync(file);
    const pages = Math.ceil(size / wasmPageBytes);
    if (pages === 0 || pages > wasmPagesMax) return undefined;
    const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    const bytes = new Uint8Array(buffer, 0, size);
    addon.mapFileOver(file, bytes);
    return bytes;
  } catch {
    return undefined;
  }
}

function requireAddon(): { addon: NativeAddon; build: string } {
  const file = findAddon();
  if (file === undefined) {
    throw new UserError(
      `engine native is not built; install a C++ compiler and run 'npm run build:native'`,
      'unsupported',
    );
  }
  try {
    const { size, mtimeMs } = statSync(file);
    return { addon: createRequire(import.meta.url)(file) as NativeAddon, build: `${size} ${mtimeMs}` };
  } catch (error) {
    throw new UserError(`engine native does not load: ${messageOf(error)}; run 'npm run build:native'`, 'unsupported');
  }
}

/**
 * How fast this machine is, measured once and kept in the user's cache folder; measured again where that cannot be
 * written.
 */
export function machineRates({ addon, kernels }: LoadedAddon, precision: NumberPrecision): MachineRates {
  const name = `rates-${kernels}-${precision}-${(cpus()[0]?.model ?? 'cpu').replaceAll(/[^\w.-]+/g, '-')}.json`;
  const folder = path.join(process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache'), 'limelight');
  const file = path.join(folder, name);
  try {
    const kept = JSON.parse(readFileSync(file, 'utf8')) as MachineRates;
    if (rateNames.every((rate) => Number.isFinite(kept[rate]) && kept[rate] > 0)) return kept;
  } catch {
    // Not measured yet, or damaged.
  }
  const rates = measureRates(addon, kernels, precision);
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, `${JSON.stringify(rates)}\n`);
  } catch {
    // Measured again next time.
  }
  return rates;
}

const rateNames = [
  'matrixMultiplyAddsPerNs',
  'vectorMultiplyAddsPerNs',
  'cacheBytesPerNs',
  'memoryBytesPerNs',
] as const satisfies readonly (keyof MachineRates)[];

/** About 60 ms. */
function measureRates(addon: NativeAddon, kernels: string, precision: NumberPrecision): MachineRates {
  const seconds = 0.015;
  const format = formatsOf(addon, kernels, precision)?.quantised ?? 'f32';
  const cacheBytesPerNs = addon.measureRead(2 ** 20, 4096, seconds);
  return {
    matrixMultiplyAddsPerNs: addon.measureProduct(kernels, format, 512, 256, 512, seconds),
    // The weights of a single row's products stream from the second cache.
    vectorMultiplyAddsPerNs: cacheBytesPerNs / 4,
    cacheBytesPerNs,
    memoryBytesPerNs: addon.measureRead(2 ** 28, 1024, seconds),
  };
}
