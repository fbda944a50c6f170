import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { median, type Topic } from './topic.ts';
import { batchSize, makeRows } from './training/task.ts';

const run = promisify(execFile);
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

interface Measurement {
  device: string;
  examplesPerSecond: number;
  peakMemoryMiB: number;
  logLoss: number;
}

interface Contestant {
  readonly name: string;
  measure(file: string, warmUpSteps: number): Promise<Measurement>;
}

const ours = (backend: string): Contestant => ({
  name: `limelight, ${backend}`,
  measure: async (file, warmUp) =>
    JSON.parse(
      (await run(process.execPath, ['--import', 'tsx', here('training/worker.ts'), backend, file, String(warmUp)]))
        .stdout,
    ),
});

const torch = (precision: string): Contestant => ({
  name: `PyTorch eager, ${precision}`,
  measure: async (file, warmUp) => {
    const python = process.env.LIMELIGHT_PYTHON ?? 'python3';
    return JSON.parse((await run(python, [here('peers/training_torch.py'), file, String(warmUp), precision])).stdout);
  },
});

/** Examples per second and peak memory of a whole training step: gather, forward, backward, both optimizers. */
export const training: Topic = {
  name: 'training',
  summary: 'examples per second of a training step, by backend, beside PyTorch',
  async run({ small, rounds, log }) {
    const folder = mkdtempSync(join(tmpdir(), 'limelight-bench-'));
    try {
      const file = join(folder, 'rows');
      const steps = small ? 3 : 60;
      const warmUpSteps = small ? 1 : 10;
      const rows = makeRows(steps * batchSize, 1);
      writeFileSync(file, new Uint8Array(rows.buffer));
      const notes: string[] = [];
      const contestants = small ? [ours('wasm')] : [ours('wasm'), ours('tensorflow'), torch('fp32'), torch('bf16')];
      const results = new Map<string, Measurement[]>();
      for (let round = 0; round < (small ? 1 : rounds); round++) {
        for (const contestant of contestants) {
          if (round > 0 && !results.has(contestant.name)) continue;
          try {
            const measured = await contestant.measure(file, warmUpSteps);
            results.set(contestant.name, [...(results.get(contestant.name) ?? []), measured]);
            log(`${contestant.name}: ${Math.round(measured.examplesPerSecond)} examples/s`);
          } catch (error) {
            const { stderr = '', message } = error as { stderr?: string; message: string };
            const why = (stderr || message)
              .trim()
              .split('\n')
              .filter((line) => /error|cannot|does not|no module/i.test(line))
              .pop();
            notes.push(`${contestant.name} was left out: ${why ?? message.split('\n')[0]}`);
          }
        }
      }
      return {
        setting: `32 fields × 16, SENet, 512-256-128, two heads, batch ${batchSize}, ${steps} steps; log loss of clicks over the last fifth of them`,
        rows: [...results].map(([contestant, measured]) => ({
          contestant,
          device: measured[0].device,
          'examples/s': Math.round(median(measured.map((m) => m.examplesPerSecond))),
          'peak MiB': Math.round(median(measured.map((m) => m.peakMemoryMiB))),
          'log loss': Number(median(measured.map((m) => m.logLoss)).toFixed(4)),
        })),
        notes,
      };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
