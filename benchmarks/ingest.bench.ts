import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { makeLog } from './ingest/log.ts';
import { median, type Topic } from './topic.ts';

const run = promisify(execFile);

interface Measurement {
  readonly rows: number;
  readonly readSeconds: number;
  readonly fitSeconds: number;
  readonly encodeSeconds: number;
  readonly peakMemoryMiB: number;
}

/** Rows per second of reading Parquet, of reading it to learn vocabularies, and of reading and encoding it. */
export const ingest: Topic = {
  name: 'ingest',
  summary: 'rows per second of reading and encoding a log of 30 columns',
  async run({ small, rounds, log }) {
    const folder = mkdtempSync(join(tmpdir(), 'limelight-bench-'));
    try {
      const rows = small ? 5_000 : 1_000_000;
      await makeLog(join(folder, 'log.parquet'), rows);
      const measured: Measurement[] = [];
      for (let round = 0; round < (small ? 1 : rounds); round++) {
        const worker = fileURLToPath(new URL('ingest/worker.ts', import.meta.url));
        const { stdout } = await run(process.execPath, ['--import', 'tsx', worker, folder]);
        measured.push(JSON.parse(stdout));
        log(`read and encoded ${rows} rows in ${measured[round].encodeSeconds.toFixed(2)} s`);
      }
      const perSecond = (of: (m: Measurement) => number) => Math.round(median(measured.map((m) => rows / of(m))));
      const peak = Math.round(median(measured.map((m) => m.peakMemoryMiB)));
      return {
        setting: `${rows.toLocaleString('en')} rows × 30 columns (12 int64 ids, 10 texts, 6 numbers, 2 labels), snappy, one process`,
        rows: [
          { work: 'read', 'rows/s': perSecond((m) => m.readSeconds), 'peak MiB': null },
          { work: 'read and learn vocabularies', 'rows/s': perSecond((m) => m.fitSeconds), 'peak MiB': null },
          { work: 'read and encode', 'rows/s': perSecond((m) => m.encodeSeconds), 'peak MiB': peak },
        ],
        notes: ['peak memory is of the whole process, over all three'],
      };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
