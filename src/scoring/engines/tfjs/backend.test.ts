import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { UserError } from '../../../core/errors.ts';
import { loadBackend } from './load.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'limelight-backend-'));
});

afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

/** A package in the folder's node_modules whose entry is the given code. */
function install(name: string, code: string): void {
  const at = path.join(folder, 'node_modules', name);
  mkdirSync(at, { recursive: true });
  writeFileSync(path.join(at, 'package.json'), JSON.stringify({ name, version: '0.0.0', main: 'index.js' }));
  writeFileSync(path.join(at, 'index.js'), code);
}

/** A tfjs-node whose addon is a stand-in, with the umbrella package through which it reaches tfjs-core. */
function installWorking(name: string, version: string): void {
  const core = path.dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-core/package.json'));
  mkdirSync(path.join(folder, 'node_modules', '@tensorflow'), { recursive: true });
  symlinkSync(core, path.join(folder, 'node_modules/@tensorflow/tfjs-core'));
  install('@tensorflow/tfjs', '');
  install(
    name,
    `const tf = require('@tensorflow/tfjs-core');
    console.log('a banner');
    class Addon extends tf.KernelBackend {
      binding = { TF_Version: '${version}' };
      isUsingGpuDevice = false;
      dispose() {}
    }
    if ('tensorflow' in tf.engine().registryFactory) tf.removeBackend('tensorflow');
    tf.registerBackend('tensorflow', () => new Addon());`,
  );
}

describe('loadBackend', () => {
  it('takes wasm where no tfjs-node is installed, and says so', async () => {
    const loaded = await loadBackend('auto', { searchFrom: [folder] });
    expect(loaded.backend).toBe('wasm');
    expect(loaded.device).toBe('wasm SIMD, 1 thread');
    expect(loaded.reason).toContain('neither tfjs-node-gpu nor tfjs-node is installed');
    expect(loaded.tf.getBackend()).toBe('wasm');
  });

  it('takes tfjs-node where it works, with the tfjs-core that it registered itself in', async () => {
    installWorking('@tensorflow/tfjs-node', '9.9.9');
    const loaded = await loadBackend('auto', { searchFrom: [folder] });
    expect(loaded.backend).toBe('tensorflow');
    expect(loaded.device).toMatch(/^TensorFlow 9\.9\.9, CPU.*tfjs-node$/);
    expect(loaded.tf.getBackend()).toBe('tensorflow');
    expect(loaded.tf).toBe((await loadBackend('cpu')).tf);
  });

  it('prefers tfjs-node-gpu', async () => {
    install('@tensorflow/tfjs-node', "throw new Error('not to be loaded')");
    installWorking('@tensorflow/tfjs-node-gpu', '9.9.8');
    const loaded = await loadBackend('auto', { searchFrom: [folder] });
    expect(loaded.device).toMatch(/^TensorFlow 9\.9\.8, .*tfjs-node-gpu$/);
  });

  it('passes over a broken tfjs-node-gpu to a tfjs-node that works, and tells what is wrong', async () => {
    install('@tensorflow/tfjs-node-gpu', "throw new Error('libcudart.so.11.0: cannot open\\nmore lines')");
    installWorking('@tensorflow/tfjs-node', '9.9.7');
    const loaded = await loadBackend('auto', { searchFrom: [folder] });
    expect(loaded.device).toMatch(/^TensorFlow 9\.9\.7/);
    expect(loaded.reason).toContain('@tensorflow/tfjs-node-gpu is broken (libcudart.so.11.0: cannot open)');
  });

  it('falls to wasm past a broken tfjs-node', async () => {
    install('@tensorflow/tfjs-node', "throw new Error('no addon')");
    const loaded = await loadBackend('auto', { searchFrom: [folder] });
    expect(loaded.backend).toBe('wasm');
    expect(loaded.reason).toContain('@tensorflow/tfjs-node is broken (no addon)');
  });

  it('refuses a backend asked for by name that does not load, with what to do', async () => {
    install('@tensorflow/tfjs-node', "throw new Error('no addon')");
    const error = await loadBackend('tensorflow', { searchFrom: [folder] }).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).kind).toBe('unsupported');
    expect((error as UserError).message).toMatch(/no addon.*build-tfjs-node\.sh/);
  });

  it('refuses an unknown name', async () => {
    await expect(loadBackend('cuda')).rejects.toThrow(
      "backend 'cuda' is unknown; use one of auto, tensorflow, wasm, cpu",
    );
  });

  it('keeps quiet and leaves no handlers on the process', async () => {
    const spies = (['log', 'info', 'warn', 'error'] as const).map((name) => vi.spyOn(console, name));
    const before = process.listenerCount('uncaughtException') + process.listenerCount('unhandledRejection');
    installWorking('@tensorflow/tfjs-node', '9.9.6');
    for (const name of ['tensorflow', 'wasm', 'cpu']) {
      const { tf } = await loadBackend(name, { searchFrom: [folder] });
      if (name !== 'tensorflow') tf.tidy(() => tf.add(1, 2).dataSync());
    }
    for (const spy of spies) expect(spy).not.toHaveBeenCalled();
    expect(process.listenerCount('uncaughtException') + process.listenerCount('unhandledRejection')).toBe(before);
  });
});
