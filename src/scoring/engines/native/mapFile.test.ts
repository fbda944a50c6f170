import { constants } from 'node:buffer';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nativeMapFile } from './load.ts';

const mapFile = nativeMapFile() as (file: string) => ArrayBuffer;
let root: string;
const at = (name: string) => path.join(root, name);

beforeAll(() => {
  root = mkdtempSync(path.join(tmpdir(), 'limelight-map-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

// Without a compiler there is no addon to test.
describe.skipIf(mapFile === undefined)('a mapped file', () => {
  it('holds the file’s bytes, whatever its name', () => {
    for (const size of [1, 4095, 4096, 4097, 100_000]) {
      const bytes = Buffer.from(Uint8Array.from({ length: size }, (_, i) => (i * 31) >> 3));
      const file = at(`ünï ${size}`);
      writeFileSync(file, bytes);
      expect(bytes.equals(new Uint8Array(mapFile(file)))).toBe(true);
    }
  });

  it('is an empty buffer of an empty file', () => {
    writeFileSync(at('empty'), '');
    expect(mapFile(at('empty'))).toEqual(new ArrayBuffer(0));
  });

  it('can be written to, which neither the file nor another mapping sees', () => {
    writeFileSync(at('shared'), 'abc');
    const [one, other] = [new Uint8Array(mapFile(at('shared'))), new Uint8Array(mapFile(at('shared')))];
    one[0] = 0;
    expect([one[0], other[0], readFileSync(at('shared'), 'utf8')]).toEqual([0, 97, 'abc']);
  });

  it('stays what it was when another file takes its name', () => {
    writeFileSync(at('old'), 'old');
    writeFileSync(at('new'), 'new');
    const mapped = Buffer.from(mapFile(at('old')));
    renameSync(at('new'), at('old'));
    expect([mapped.toString(), Buffer.from(mapFile(at('old'))).toString()]).toEqual(['old', 'new']);
  });

  it('of more bytes than a buffer may have is an error; of up to 4 GiB it is not', () => {
    writeFileSync(at('large'), '');
    truncateSync(at('large'), 2 ** 32);
    expect(new Float32Array(mapFile(at('large'))).at(-1)).toBe(0);
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
    execFileSync('mkfifo', [at('pipe')]);
    expect(() => mapFile(at('pipe'))).toThrow(/cannot map '.*': /);
    const wrong = mapFile as (...path: unknown[]) => ArrayBuffer;
    for (const args of [[], [3], [null], [{}], ['a\0b']]) expect(() => wrong(...args)).toThrow(TypeError);
  });
});
