/**
 * Reads Arrow arrays where they lie in WebAssembly memory, through the Arrow C data interface.
 * Struct layouts are those of a 32-bit machine.
 *
 * @see https://arrow.apache.org/docs/format/CDataInterface.html
 */

/** One field of an Arrow schema. `format` is the interface's type code, such as `l` for int64. */
export interface ArrowField {
  readonly name: string;
  readonly format: string;
  readonly children: readonly ArrowField[];
}

/** One Arrow array: lengths in rows, buffers as addresses. */
export interface ArrowArray {
  readonly memory: ArrayBuffer;
  readonly length: number;
  /** -1 where it is not known. */
  readonly nullCount: number;
  readonly offset: number;
  readonly buffers: readonly number[];
  readonly children: readonly ArrowArray[];
}

function pointers(view: DataView, at: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => view.getUint32(at + 4 * i, true));
}

function cString(memory: ArrayBuffer, at: number): string {
  if (at === 0) return '';
  const bytes = new Uint8Array(memory, at);
  return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
}

/** The field whose `ArrowSchema` struct is at `at`. */
export function readField(memory: ArrayBuffer, at: number): ArrowField {
  const view = new DataView(memory);
  return {
    format: cString(memory, view.getUint32(at, true)),
    name: cString(memory, view.getUint32(at + 4, true)),
    children: pointers(view, view.getUint32(at + 32, true), Number(view.getBigInt64(at + 24, true))).map((child) =>
      readField(memory, child),
    ),
  };
}

/** The array whose `ArrowArray` struct is at `at`. Valid until the library is called again. */
export function readArray(memory: ArrayBuffer, at: number): ArrowArray {
  const view = new DataView(memory);
  const long = (offset: number) => Number(view.getBigInt64(at + offset, true));
  return {
    memory,
    length: long(0),
    nullCount: long(8),
    offset: long(16),
    buffers: pointers(view, view.getUint32(at + 40, true), long(24)),
    children: pointers(view, view.getUint32(at + 44, true), long(32)).map((child) => readArray(memory, child)),
  };
}
