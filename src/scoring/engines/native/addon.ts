/** What `native/addon` exports. `load.ts` finds it; nothing else calls it but this engine. */
export interface NativeAddon {
  /** The instruction sets this build has and this machine runs, the fastest first. */
  kernelNames(): string[];
  /** Maps a file privately: pages are read when touched and shared with other processes until written to. */
  mapFile(path: string): ArrayBuffer;
  /** Rates of one core by measuring: multiply-adds a nanosecond in registers and of the matrix kernels, bytes a nanosecond. */
  measurePeak(kernels: string, format: NumberFormat): number;
  measureProduct(kernels: string, format: NumberFormat, rows: number, k: number, n: number): number;
  measureRead(bytes: number, recordBytes: number): number;
}

export type NumberFormat = 'f32' | 'bf16' | 'split' | 'u8';
