import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it, vi } from 'vitest';
import { createRandom } from '../core/random.ts';
import { randomBundle } from '../scoring/conformance/randomBundle.ts';
import { writeBundle } from './bundleFiles.ts';

/** What the disk still takes, in bytes; the write that passes it fails as the system's does. */
const disk = vi.hoisted(() => ({ free: Number.POSITIVE_INFINITY }));

vi.mock('node:fs/promises', async (original) => {
  const fs = await original<typeof import('node:fs/promises')>();
  return {
    ...fs,
    async open(...args: Parameters<typeof fs.open>) {
      const handle = await fs.open(...args);
      const append = handle.appendFile.bind(handle);
      handle.appendFile = async (data) => {
        disk.free -= (data as Uint8Array).length;
        if (disk.free < 0) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
        return append(data);
      };
      return handle;
    },
  };
});

it('says that the disk is full, and removes what it had written', async () => {
  const root = await mkdtemp(path.join(tmpdir(), 'limelight-full-'));
  const folder = path.join(root, 'model', '1');
  for (const free of [0, 100, 6000, 10_000]) {
    disk.free = free;
    await expect(writeBundle(folder, randomBundle({ random: createRandom(1) }))).rejects.toThrow(
      /cannot write bundle '.*': the disk is full; free some space/,
    );
    expect(await readdir(path.join(root, 'model'))).toEqual([]);
  }
  await rm(root, { recursive: true });
});
