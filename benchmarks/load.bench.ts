import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { messageOf } from '../src/core/errors.ts';
import { sidecarFolder } from '../src/model/bundleSidecar.ts';
import { engines } from '../src/scoring/engines.ts';
import type { LoadMeasurement } from './load/worker.ts';
import { median, type Topic, type TopicResult } from './topic.ts';

/** Time from a bundle's files to the first answer, and the memory that another process with the same bundle takes. */
export const load: Topic = {
  name: 'load',
  summary: 'a bundle of a gigabyte: its first and second load to the first answer, and the memory of a second process',
  async run({ small, rounds, engines: wanted, log }) {
    const root = mkdtempSync(join(tmpdir(), 'limelight-bench-load-'));
    try {
      const bundles = {
        big: await make(root, 'big', small ? 5_000 : 16_000_000),
        empty: await make(root, 'empty', 10),
      };
      log(`made a bundle of ${mebibytes(bundles.big.folder)} MiB`);
      const rows: TopicResult['rows'][number][] = [];
      const notes: string[] = [];
      for (const { name } of engines) {
        if (wanted !== undefined && !wanted.includes(name)) continue;
        try {
          rows.push(...(await measureEngine(name, bundles, small ? 1 : 5 * rounds)));
        } catch (error) {
          notes.push(`${name} was left out: ${messageOf(error)}`);
        }
        log(`measured ${name}`);
      }
      return {
        setting: `a bundle of ${mebibytes(bundles.big.folder)} MiB in the page cache, one listed vocabulary of ${bundles.big.ads.toLocaleString('en')} ads × 16; each load in a fresh process, to the answer for 500 candidates from raw values`,
        rows,
        notes: [
          ...notes,
          'the first load checks every byte; the second finds that remembered beside the bundle',
          'memory is of a process that answers while another holds the same bundle: what they do not share, and of that what was written to; ' +
            '"of code" is the latter of a process with an empty bundle, most of it the compiler that runs benchmarks from their sources',
        ],
      };
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  },
};

interface MadeBundle {
  readonly folder: string;
  readonly ads: number;
}

async function measureEngine(engine: string, { big, empty }: Record<'big' | 'empty', MadeBundle>, times: number) {
  rmSync(await sidecarFolder(big.folder), { recursive: true, force: true });
  const first = await loadOnce(big, engine);
  const other = await hold(big, engine);
  const later: LoadMeasurement[] = [];
  for (let i = 0; i < times; i++) later.push(await loadOnce(big, engine));
  await other.release();
  const code = await loadOnce(empty, engine);
  const rowOf = (name: string, measured: readonly LoadMeasurement[]) => {
    const ms = (of: (m: LoadMeasurement) => number) => Number(median(measured.map(of)).toFixed(1));
    return {
      engine: first.engine,
      load: name,
      'read ms': ms((m) => m.readMs),
      'scorer ms': ms((m) => m.scorerMs),
      'answer ms': ms((m) => m.answerMs),
      'all ms': ms((m) => m.readMs + m.scorerMs + m.answerMs),
    };
  };
  const mib = (measured: readonly LoadMeasurement[], of: (m: LoadMeasurement) => number) =>
    Math.round(median(measured.map(of)));
  const memory = {
    'not shared MiB': mib(later, (m) => m.privateMiB),
    'written MiB': mib(later, (m) => m.dirtyMiB),
    'of code MiB': mib([code], (m) => m.dirtyMiB),
  };
  const none = Object.fromEntries(Object.keys(memory).map((name) => [name, null]));
  return [
    { ...rowOf('first', [first]), ...none },
    { ...rowOf(`second, ${first.mapped ? 'mapped' : 'copied: the native addon is not built'}`, later), ...memory },
  ];
}

async function make(root: string, name: string, ads: number): Promise<MadeBundle> {
  const folder = join(root, name);
  const worker = start(['make', folder, String(ads)]);
  await worker.ended;
  return { folder, ads };
}

/** A process that loads a bundle, answers, and holds it until it is released. */
async function hold({ folder, ads }: MadeBundle, engine: string) {
  const worker = start(['load', folder, String(ads), engine]);
  const line = await Promise.race([worker.firstLine, worker.ended.then(() => undefined)]);
  if (line === undefined) throw new Error('the process that loads said nothing');
  return { measured: JSON.parse(line) as LoadMeasurement, release: worker.release };
}

async function loadOnce(bundle: MadeBundle, engine: string): Promise<LoadMeasurement> {
  const { measured, release } = await hold(bundle, engine);
  await release();
  return measured;
}

function start(args: readonly string[]) {
  const worker = fileURLToPath(new URL('load/worker.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', worker, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (text) => {
    errors += text;
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(errors.trim() || `it ended with ${code}`))));
  });
  const lines = createInterface({ input: child.stdout });
  const firstLine = new Promise<string>((resolve) => lines.once('line', resolve));
  const release = () => {
    child.stdin.end();
    return ended;
  };
  return { ended, firstLine, release };
}

function mebibytes(folder: string): number {
  return Math.round(readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0) / 2 ** 20);
}
