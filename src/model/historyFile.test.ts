import { describe, expect, it } from 'vitest';
import { UserError } from '../core/errors.ts';
import { decodeHistoryFile, encodeHistoryFile } from './historyFile.ts';
import { encodeSafetensors, type Tensor } from './safetensors.ts';

const tensors = new Map<string, Tensor>([
  ['users', { shape: [3, 2], values: Float64Array.of(1, 2.5, -3, Number.NaN, 0, 1e300) }],
  ['keys', { shape: [5], values: Int32Array.of(1, -2, 3, -4, 5) }],
]);

describe('a state of history as a file', () => {
  it('reads back what was written', () => {
    expect(decodeHistoryFile(encodeHistoryFile(tensors), 'state')).toEqual(tensors);
  });

  it('refuses a file in which any one byte was changed, or that was cut short anywhere', () => {
    const bytes = encodeHistoryFile(tensors);
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.slice();
      changed[at] ^= 1 << (at % 8);
      expect(() => decodeHistoryFile(changed, 'state'), `byte ${at}`).toThrow(UserError);
      expect(() => decodeHistoryFile(bytes.slice(0, at), 'state'), `cut to ${at}`).toThrow(UserError);
    }
  });

  it('refuses tensors without a checksum', () => {
    expect(() => decodeHistoryFile(encodeSafetensors(tensors), 'weights')).toThrow(
      'weights: expected a state of history',
    );
  });
});
