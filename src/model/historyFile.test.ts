import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '../core/errors.ts';
import { readHistoryFile, writeHistoryFile } from './bundleFiles.ts';
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

describe('writing a state of history', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'history-file-test-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('makes the file and its folder, or takes the place of an older one, and leaves nothing else', async () => {
    const file = path.join(folder, 'new', 'state');
    await writeHistoryFile(file, tensors);
    const fewer = new Map([...tensors].slice(1));
    await writeHistoryFile(file, fewer);
    expect(await readHistoryFile(file)).toEqual(fewer);
    expect(await readdir(path.dirname(file))).toEqual(['state']);
  });

  it('says why it cannot be, and leaves nothing behind', async () => {
    const place = path.join(folder, 'taken');
    await mkdir(path.join(place, 'state'), { recursive: true });
    await writeFile(path.join(place, 'state', 'x'), '');
    await expect(writeHistoryFile(path.join(place, 'state'), tensors)).rejects.toThrow(
      /cannot write history '.*state': /,
    );
    await expect(writeHistoryFile(path.join(place, 'state', 'x', 'y'), tensors)).rejects.toThrow(UserError);
    expect(await readdir(place)).toEqual(['state']);
  });
});
