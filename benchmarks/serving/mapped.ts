import { decodeSafetensors, encodeSafetensors } from '../../src/model/safetensors.ts';
import type { Weights } from '../../training/parameters.ts';

/** Of its type, which comes with the DOM's, what is used. */
declare const WebAssembly: {
  Memory: new (limits: { initial: number; maximum: number; shared: true }) => { readonly buffer: SharedArrayBuffer };
};

/**
 * Weights where a server has them, which maps a bundle's file into memory: on pages of their own, each tensor at the start of a cache
 * line. Arrays of JavaScript lie 16 bytes beside one, so that a row of 64 bytes would be two lines to read.
 */
export function asMapped(weights: Weights): Weights {
  const file = encodeSafetensors(weights);
  const pages = Math.ceil(file.length / 2 ** 16);
  const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const mapped = new Uint8Array(buffer, 0, file.length);
  mapped.set(file);
  return decodeSafetensors(mapped, 'weights') as Weights;
}
