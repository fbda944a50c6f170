import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import util from 'node:util';
import { messageOf, UserError } from '../../../core/errors.ts';
import { type BackendName, backendUnavailable, type LoadedBackend, parseBackendName } from './backend.ts';
import type { Tf } from './kernels.ts';

export type { LoadedBackend } from './backend.ts';

export interface LoadOptions {
  /**
   * Folders in whose `node_modules` (or above) tfjs-node is looked for. Where absent: $LIMELIGHT_TFJS_NODE if set, the
   * working folder, our own package.
   */
  searchFrom?: readonly string[];
  /**
   * For training: on a CPU with matrix tiles (AMX) `tensorflow` multiplies in bfloat16 and adds up in float32, a tenth
   * faster and good to three digits. ONEDNN_DEFAULT_FPMATH_MODE, where the user has set it, decides instead.
   */
  bfloat16?: boolean;
}

const own = createRequire(import.meta.url);
const PEERS = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'];

/**
 * Loads TensorFlow.js and makes a backend ready. `auto` takes tfjs-node-gpu, then tfjs-node, where the user has
 * installed one that works, else wasm, else plain JavaScript.
 *
 * @throws UserError of kind `unsupported` if a backend asked for by name does not load
 */
export async function loadBackend(name: string, options: LoadOptions = {}): Promise<LoadedBackend> {
  const wanted = parseBackendName(name);
  const folders = options.searchFrom ?? defaultFolders();
  const failures: string[] = [];
  for (const backend of wanted === 'auto' ? (['tensorflow', 'wasm', 'cpu'] as const) : [wanted]) {
    try {
      const loaded =
        backend === 'tensorflow'
          ? await loadTensorflow(folders, options.bfloat16 === true)
          : await loadBundled(backend);
      const asked = wanted === 'auto' ? 'the fastest that loads' : 'asked for';
      const reason = [asked, ...failures, ...(loaded.skipped ?? [])].join('; ');
      return { tf: loaded.tf, backend, device: loaded.device, reason };
    } catch (error) {
      if (wanted !== 'auto') throw backendUnavailable(backend, messageOf(error));
      failures.push(`${backend}: ${messageOf(error)}`);
    }
  }
  throw new UserError(`no TensorFlow.js backend loads (${failures.join('; ')}); reinstall limelight`, 'unsupported');
}

function defaultFolders(): string[] {
  const named = process.env.LIMELIGHT_TFJS_NODE;
  return [...(named ? [named] : []), process.cwd(), path.dirname(fileURLToPath(import.meta.url))];
}

interface Candidate {
  tf: Tf;
  device: string;
  skipped?: string[];
}

/** wasm and cpu come with limelight. */
async function loadBundled(backend: 'wasm' | 'cpu'): Promise<Candidate> {
  const entry = own.resolve(`@tensorflow/tfjs-backend-${backend}`);
  const tf = coreOf(entry);
  if (backend === 'cpu') {
    quietly(() => own(entry));
    await activate(tf, 'cpu');
    return { tf, device: 'JavaScript, 1 thread' };
  }
  const wasm = quietly(() => own(entry)) as typeof import('@tensorflow/tfjs-backend-wasm');
  // After it has started, new paths are refused, and the first were ours.
  if (tf.findBackend('wasm') == null) wasm.setWasmPaths(`${path.dirname(entry)}${path.sep}`);
  await withoutExitHandlers(() => activate(tf, 'wasm'));
  const simd = await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT');
  return { tf, device: `wasm${simd ? ' SIMD' : ''}, 1 thread` };
}

/** tfjs-node is the user's to install: each place and package is tried until one works. */
async function loadTensorflow(folders: readonly string[], bfloat16: boolean): Promise<Candidate> {
  const skipped: string[] = [];
  for (const peer of PEERS) {
    const tried = new Set<string>();
    for (const folder of folders) {
      const entry = resolveFrom(folder, peer);
      if (entry === null || tried.has(entry)) continue;
      tried.add(entry);
      try {
        return { ...(await loadPeer(peer, entry, bfloat16)), skipped };
      } catch (error) {
        skipped.push(`${peer} is broken (${messageOf(error).split('\n')[0].trim()})`);
      }
    }
  }
  throw new Error(skipped.length > 0 ? skipped.join('; ') : 'neither tfjs-node-gpu nor tfjs-node is installed');
}

async function loadPeer(peer: string, entry: string, bfloat16: boolean): Promise<Candidate> {
  restoreUtil();
  prepareEnv(bfloat16);
  const load = createRequire(entry);
  quietly(() => load(entry));
  // The addon has registered itself in the copy of tfjs-core that it depends on, which need not be ours.
  const tf = coreOf(load.resolve('@tensorflow/tfjs'));
  if (!tf.version_core.startsWith('4.')) throw new Error(`it brings tfjs-core ${tf.version_core}, 4.x is needed`);
  await activate(tf, 'tensorflow');
  const { binding, isUsingGpuDevice } = tf.backend() as unknown as {
    binding: { TF_Version: string };
    isUsingGpuDevice: boolean;
  };
  const place = isUsingGpuDevice ? ['CUDA', ...gpuName()] : ['CPU', ...(usesBfloat16() ? ['bfloat16 products'] : [])];
  return { tf, device: [`TensorFlow ${binding.TF_Version}`, ...place, peer.split('/')[1]].join(', ') };
}

/** The tfjs-core that a module gets when it asks for it. */
function coreOf(entry: string): Tf {
  const tf = createRequire(entry)('@tensorflow/tfjs-core') as Tf;
  // Production mode: no banner in Node, no warnings of kernels registered twice, no checks made for browsers.
  tf.env().set('PROD', true);
  return tf;
}

async function activate(tf: Tf, backend: BackendName): Promise<void> {
  if (!(await tf.setBackend(backend))) throw new Error(`TensorFlow.js refuses backend '${backend}'`);
  await tf.ready();
}

function resolveFrom(folder: string, peer: string): string | null {
  try {
    return createRequire(path.join(path.resolve(folder), 'package.json')).resolve(peer);
  } catch {
    return null;
  }
}

/** tfjs-node 4.22 calls two functions that Node 22 warns of and Node 23 removed. */
function restoreUtil(): void {
  const legacy = util as unknown as Record<string, unknown>;
  legacy.isNullOrUndefined = (value: unknown) => value === null || value === undefined;
  legacy.isArray = Array.isArray;
}

/**
 * Sets what the C library reads once, when it loads, where the user has not: no start-up chatter, the same result each
 * run, and no more of the GPU's memory than is in use.
 */
function prepareEnv(bfloat16: boolean): void {
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
  process.env.TF_DETERMINISTIC_OPS ??= '1';
  process.env.TF_FORCE_GPU_ALLOW_GROWTH ??= 'true';
  if (bfloat16 && cpuHasAmx()) process.env.ONEDNN_DEFAULT_FPMATH_MODE ??= 'BF16';
}

function usesBfloat16(): boolean {
  return process.env.ONEDNN_DEFAULT_FPMATH_MODE?.toUpperCase() === 'BF16';
}

function cpuHasAmx(): boolean {
  try {
    return /^flags\s*:.*\bamx_bf16\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'));
  } catch {
    return false; // not Linux
  }
}

/** The first GPU's name, if NVIDIA's tool is at hand. */
function gpuName(): string[] {
  try {
    const output = execFileSync('nvidia-smi', ['--query-gpu=name', '--format=csv,noheader'], {
      timeout: 10_000,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return output.toString().trim().split('\n').slice(0, 1);
  } catch {
    return [];
  }
}

/** Runs a synchronous load without its console output; its errors still throw. */
function quietly<T>(load: () => T): T {
  const { log, info, warn, error } = console;
  const mute = () => {};
  Object.assign(console, { log: mute, info: mute, warn: mute, error: mute });
  try {
    return load();
  } finally {
    Object.assign(console, { log, info, warn, error });
  }
}

/**
 * The wasm module puts handlers on the process that answer any uncaught error by throwing it again from a
 * file of one line, which prints all 60 kB of it. They are taken off again.
 */
async function withoutExitHandlers(load: () => Promise<void>): Promise<void> {
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  const before = events.map((event) => new Set<unknown>(process.listeners(event as 'uncaughtException')));
  await load();
  events.forEach((event, i) => {
    for (const listener of process.listeners(event as 'uncaughtException')) {
      if (!before[i].has(listener)) process.removeListener(event, listener);
    }
  });
}
