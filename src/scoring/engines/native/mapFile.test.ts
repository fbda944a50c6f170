import { constants } from 'node:buffer';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MapFile } from '../../../model/bundleSidecar.ts';
import type { NativeAddon } from './addon.ts';
import { loadAddon, nativeMapFile } from './load.ts';

const uncounted = nativeMapFile() as MapFile;
const addon = (nativeMapFile() === undefined ? undefined : loadAddon().addon) as NativeAddon;
let root: string;
const at = (name: string) => path.join(root, name);

beforeAll(() => {
  root = mkdtempSync(path.join(tmpdir(), 'limelight-map-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

// Without a compiler there is no addon to test.
describe.skipIf(addon === undefined).each<[string, MapFile]>([
  ['over a WebAssembly memory', uncounted],
  ['as an external buffer', (file) => new Uint8Array(addon.mapFile(file))],
])('a file mapped %s', (way, mapFile) => {
  it('holds the file’s bytes, whatever its name', () => {
    for (const size of [1, 4095, 4096, 4097, 65_535, 65_536, 65_537, 200_000]) {
      const bytes = Buffer.from(Uint8Array.from({ length: size }, (_, i) => (i * 31) >> 3));
      const file = at(`ünï ${size}`);
      writeFileSync(file, bytes);
      const mapped = mapFile(file);
      expect(bytes.equals(mapped)).toBe(true);
      expect(mapped.buffer instanceof SharedArrayBuffer).toBe(way === 'over a WebAssembly memory');
    }
  });

  it('is an empty buffer of an empty file', () => {
    writeFileSync(at('empty'), '');
    expect(mapFile(at('empty'))).toEqual(new Uint8Array(0));
  });

  it('can be written to, which neither the file nor another mapping sees', () => {
    writeFileSync(at('shared'), 'abc');
    const [one, other] = [mapFile(at('shared')), mapFile(at('shared'))];
    one[0] = 0;
    expect([one[0], other[0], readFileSync(at('shared'), 'utf8')]).toEqual([0, 97, 'abc']);
  });

  it('stays what it was when another file takes its name', () => {
    writeFileSync(at('old'), 'old');
    writeFileSync(at('new'), 'new');
    const mapped = mapFile(at('old'));
    renameSync(at('new'), at('old'));
    expect([mapped, mapFile(at('old'))].map((bytes) => Buffer.from(bytes).toString())).toEqual(['old', 'new']);
  });

  it('of more bytes than a buffer may have is an error; of up to 4 GiB it is not', () => {
    writeFileSync(at('large'), '');
    truncateSync(at('large'), 2 ** 32);
    expect(mapFile(at('large')).at(-1)).toBe(0);
    truncateSync(at('large'), 2 ** 32 + 8);
    if (constants.MAX_LENGTH > 2 ** 32) expect(mapFile(at('large')).byteLength).toBe(2 ** 32 + 8);
    else expect(() => mapFile(at('large'))).toThrow(/larger than/);
    rmSync(at('large'));
  });

  it('says which file cannot be mapped and why', () => {
    expect(() => mapFile(at('nowhere'))).toThrow(`cannot map '${at('nowhere')}': No such file or directory`);
    expect(() => mapFile(root)).toThrow(`cannot map '${root}': Is a directory`);
    try {
      mapFile(at('nowhere'));
    } catch (error) {
      expect(error).toMatchObject({ errno: -2, path: at('nowhere') });
    }
    rmSync(at('pipe'), { force: true });
    execFileSync('mkfifo', [at('pipe')]);
    expect(() => mapFile(at('pipe'))).toThrow(/cannot map '.*': /);
    const wrong = mapFile as (...path: unknown[]) => unknown;
    for (const args of [[], [3], [null], [{}], ['a\0b']]) expect(() => wrong(...args)).toThrow(TypeError);
  });
});

describe.skipIf(addon === undefined)('a file mapped over pages', () => {
  it('has to be as long as what is given up for it, which has to be whole pages', () => {
    writeFileSync(at('abc'), 'abc');
    const wrong = addon.mapFileOver as (...args: unknown[]) => void;
    for (const pages of [undefined, 3, new ArrayBuffer(3), new Uint8Array(0), new Uint8Array(8).subarray(1, 4)])
      expect(() => wrong(at('abc'), pages)).toThrow(TypeError);
    const { buffer } = uncounted(at('abc'));
    for (const bytes of [2, 4])
      expect(() => wrong(at('abc'), new Uint8Array(buffer, 0, bytes))).toThrow(`cannot map '${at('abc')}'`);
    expect(Buffer.from(uncounted(at('abc'))).toString()).toBe('abc');
  });
});
