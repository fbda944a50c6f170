import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** A contestant's program: one process that answers in one or several ways. */
export interface PeerProgram {
  readonly name: string;
  /** A file of this folder, run by Node, or of `../peers`, run by Python. */
  readonly file: string;
  /** The Python module it needs. */
  readonly module?: string;
}

export const programs: readonly PeerProgram[] = [
  { name: 'limelight', file: 'limelightWorker.ts' },
  { name: 'onnxruntime', file: 'onnxruntimeWorker.ts' },
  { name: 'openvino', file: '../peers/serving_openvino.py', module: 'openvino' },
  { name: 'pytorch', file: '../peers/serving_torch.py', module: 'torch' },
  { name: 'tensorflow', file: '../peers/serving_tensorflow.py', module: 'tensorflow' },
];

/** The last core, since the system's own work is mostly on the first. */
const core = cpus().length - 1;

/** Whether programs can be held to one core. */
export const isPinned = spawnSync('taskset', ['-c', String(core), 'true']).status === 0;

/** One thread, whatever a library takes for its default. */
const oneThread = Object.fromEntries(
  ['OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'TF_NUM_INTRAOP_THREADS'].map((name) => [name, '1']),
);

/** The first Python of a list that has a module; `LIMELIGHT_PYTHON` is such a list, separated by colons. */
export function pythonWith(module: string, pythons: readonly string[]): string | undefined {
  const probe = `import importlib.util, sys; sys.exit(importlib.util.find_spec('${module}') is None)`;
  return pythons.find((python) => spawnSync(python, ['-c', probe]).status === 0);
}

/** A contestant's process; it waits idle between orders. */
export class PeerProcess {
  readonly device: string;
  readonly rows: readonly string[];
  /** What it leaves out, and why. */
  readonly missing: readonly string[];
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;
  private readonly errors: string[];

  private constructor(child: ChildProcess, lines: AsyncIterator<string>, errors: string[], first: string) {
    this.child = child;
    this.lines = lines;
    this.errors = errors;
    const { device, rows, missing = [] } = JSON.parse(first);
    this.device = device;
    this.rows = rows;
    this.missing = missing;
  }

  /** @throws Error with the program's last words if it does not start */
  static async start({ file, module }: PeerProgram, taskFile: string, python?: string): Promise<PeerProcess> {
    const command =
      module === undefined ? [process.execPath, '--import', 'tsx', here(file)] : [python ?? 'python3', here(file)];
    const [program, ...args] = [...(isPinned ? ['taskset', '-c', String(core)] : []), ...command, taskFile];
    const child = spawn(program, args, { stdio: 'pipe', env: { ...process.env, ...oneThread } });
    const errors: string[] = [];
    child.stderr.setEncoding('utf8').on('data', (text) => {
      errors.push(text);
      errors.splice(0, errors.length - 50);
    });
    child.on('error', (error) => errors.push(error.message));
    child.stdin.on('error', () => {});
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    return new PeerProcess(child, lines, errors, await nextLine(lines, errors));
  }

  /**
   * Answers requests `from` to `to` of the task, and writes the answers to `out` where it is given.
   *
   * @returns what each request took, in nanoseconds
   */
  async answer(row: string, from: number, to: number, out?: string): Promise<number[]> {
    this.child.stdin?.write(`${JSON.stringify({ row, from, to, out })}\n`);
    const answer = JSON.parse(await nextLine(this.lines, this.errors));
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer.ns;
  }

  stop(): void {
    this.child.kill();
  }
}

async function nextLine(lines: AsyncIterator<string>, errors: readonly string[]): Promise<string> {
  const { done, value } = await lines.next();
  if (!done) return value;
  const words = errors.join('').trim().split('\n');
  throw new Error(words.filter((line) => /error|cannot|no module/i.test(line)).pop() ?? words.pop() ?? 'it ended');
}
