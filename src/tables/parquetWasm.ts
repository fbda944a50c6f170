import { createRequire } from 'node:module';
import { messageOf } from '../core/errors.ts';

export type ParquetWasm = typeof import('parquet-wasm');

const require = createRequire(import.meta.url);
let instance: ParquetWasm | undefined;

/** Past this size an instance that failed is dropped: WebAssembly memory grows but never shrinks. */
const MEMORY_BYTES_KEPT_MAX = 512 * 1024 * 1024;

/** What the library could not do; the message is its own, made readable. */
export class ParquetFailure extends Error {}

/**
 * Runs `work` with the parquet-wasm library, its calls synchronous.
 *
 * A panic inside WebAssembly (an `unreachable` trap, seen where a damaged page claims gigabytes) leaves the instance in
 * an unknown state, so the instance is dropped and the next call makes a new one. Only the synchronous calls can be
 * guarded so: a panic in `ParquetFile`, whose work runs in a microtask, ends the process.
 *
 * @throws ParquetFailure for what the library refuses; other errors of `work` pass through
 */
export function withParquet<T>(work: (parquet: ParquetWasm) => T): T {
  instance ??= load();
  try {
    return work(instance);
  } catch (error) {
    const trapped = isTrap(error);
    if (trapped || parquetMemory(instance).byteLength > MEMORY_BYTES_KEPT_MAX) instance = undefined;
    if (trapped) throw new ParquetFailure('its pages do not decode');
    // The library throws plain errors and strings; a subclass is ours or a bug.
    if (error instanceof Error && error.constructor !== Error) throw error;
    throw new ParquetFailure(readable(messageOf(error)));
  }
}

/** The library's memory as it is now: any call into it may replace this buffer. */
export function parquetMemory(parquet: ParquetWasm): ArrayBuffer {
  return (parquet.wasmMemory() as { buffer: ArrayBuffer }).buffer;
}

/** A fresh copy of the library: its Node build makes one instance each time the module is evaluated. */
function load(): ParquetWasm {
  const path = require.resolve('parquet-wasm');
  delete require.cache[path];
  return require(path) as ParquetWasm;
}

/** A WebAssembly trap or an exhausted stack; the class has no type without the DOM's types. */
function isTrap(error: unknown): boolean {
  return error instanceof Error && (error.constructor.name === 'RuntimeError' || error instanceof RangeError);
}

/** zstd's errors come without words. */
const WORDLESS = /strings stripped/;

/** The library nests prefixes ("Parquet argument error: External: …"); the last part says what is wrong. */
function readable(message: string): string {
  if (WORDLESS.test(message)) return 'its pages do not decode';
  if (message.includes("'min_delta' too large")) {
    return 'the deltas of an INT32 column exceed 32 bits, as DuckDB writes with PARQUET_VERSION V2; use V1 or INT64';
  }
  return message.replace(/^((parquet|arrow)( argument)?( error)?: |external: |eof: )+/i, '').trim() || message;
}
