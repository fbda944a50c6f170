import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clearSidecar, identityOf, readSidecar, sidecarFile, writeSidecar } from './bundleSidecar.ts';

let root: string;
let counter = 0;

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'limelight-sidecar-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function bundleFolder(): Promise<string> {
  const folder = path.join(root, String(counter++));
  await mkdir(folder);
  return folder;
}

const text = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes);

describe('what is kept beside a bundle', () => {
  it('comes back as it was written, the last one of a name, and leaves nothing else in its hidden folder', async () => {
    const folder = await bundleFolder();
    expect(await readSidecar(folder, 'a.bin')).toBeUndefined();
    expect(await writeSidecar(folder, 'a.bin', Buffer.from('one'))).toBe(true);
    expect(await writeSidecar(folder, 'a.bin', Buffer.from('two'))).toBe(true);
    expect(text(await readSidecar(folder, 'a.bin'))).toBe('two');
    const kept = path.join(root, `.${path.basename(folder)}.cache`);
    expect(await readdir(kept)).toEqual(['a.bin']);
    expect(await sidecarFile(folder, 'a.bin')).toBe(path.join(kept, 'a.bin'));
    await clearSidecar(folder);
    expect(await readSidecar(folder, 'a.bin')).toBeUndefined();
    await clearSidecar(folder);
  });

  it('is whole however many write it at a time', async () => {
    const folder = await bundleFolder();
    const contents = Array.from({ length: 20 }, (_, i) => Buffer.alloc(100_000, i));
    expect(await Promise.all(contents.map((bytes) => writeSidecar(folder, 'a', bytes)))).not.toContain(false);
    const read = (await readSidecar(folder, 'a')) as Uint8Array;
    expect(contents.some((bytes) => bytes.equals(read))).toBe(true);
    expect(await readdir(path.dirname(await sidecarFile(folder, 'a')))).toEqual(['a']);
  });

  it('is mapped by the function given', async () => {
    const folder = await bundleFolder();
    await writeSidecar(folder, 'a', Buffer.from('abc'));
    const mapped: string[] = [];
    const mapFile = (file: string) => {
      mapped.push(file);
      return new Uint8Array(5);
    };
    expect(await readSidecar(folder, 'a', mapFile)).toEqual(new Uint8Array(5));
    expect(mapped).toEqual([await sidecarFile(folder, 'a')]);
    const fails = () => {
      throw new Error('no');
    };
    expect(await readSidecar(folder, 'a', fails)).toBeUndefined();
  });

  it('is not kept, without an error, where its folder cannot be written', async () => {
    const folder = await bundleFolder();
    await writeFile(path.join(root, `.${path.basename(folder)}.cache`), 'a file in its place');
    expect(await writeSidecar(folder, 'a', Buffer.from('one'))).toBe(false);
    expect(await readSidecar(folder, 'a')).toBeUndefined();
    const other = await bundleFolder();
    await mkdir(await sidecarFile(other, 'a'), { recursive: true });
    expect(await writeSidecar(other, 'a', Buffer.from('one'))).toBe(false);
    expect(await readdir(path.dirname(await sidecarFile(other, 'a')))).toEqual(['a']);
  });

  it('is the same for a link to the bundle', async () => {
    const folder = await bundleFolder();
    const link = path.join(root, 'current');
    await symlink(folder, link);
    await writeSidecar(link, 'a', Buffer.from('one'));
    expect(text(await readSidecar(folder, 'a'))).toBe('one');
  });
});

describe('a file’s identity', () => {
  it('changes with its size, its content even where its time is put back, and with another file in its place', async () => {
    const file = path.join(await bundleFolder(), 'f');
    await writeFile(file, 'abc');
    const old = new Date(1_600_000_000_000);
    await utimes(file, old, old);
    const first = await identityOf(file);
    expect(await identityOf(file)).toEqual(first);
    const seen = new Set([first.text]);
    const expectNew = async () => {
      const { text: now } = await identityOf(file);
      expect(seen.has(now)).toBe(false);
      seen.add(now);
    };
    // More than a tick of the file system's clock.
    const tick = () => new Promise((resolve) => setTimeout(resolve, 30));
    await tick();
    await writeFile(file, 'abd');
    await utimes(file, old, old);
    await expectNew();
    await writeFile(file, 'abcd');
    await expectNew();
    await writeFile(`${file}2`, await readFile(file));
    await rename(`${file}2`, file);
    await expectNew();
    await tick();
    await chmod(file, 0o600);
    await expectNew();
    await rm(file);
    await expectNew();
    expect((await identityOf(file)).text).toBe('absent');
  });
});
