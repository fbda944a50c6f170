import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ScalingRow } from '../scaling.bench.ts';
import type { Contestant } from '../serving/contestants.ts';
import type { MarketSize } from '../serving/market.ts';
import type { TrainedMarket } from '../serving/trained.ts';
import type { TopicOptions } from '../topic.ts';
import type { ProcessResult, ProcessTask } from './worker.ts';

interface Given {
  readonly market: MarketSize;
  readonly processes: readonly number[];
  readonly seconds: number;
}

/** Several processes that each answer requests as fast as they can, with one bundle and catalog. */
export async function measureProcesses(
  { choice }: Contestant,
  { folder, catalogFile }: TrainedMarket,
  { market, processes, seconds }: Given,
  { small }: TopicOptions,
): Promise<ScalingRow[]> {
  const rows: ScalingRow[] = [];
  for (const count of processes) {
    const task: ProcessTask = {
      folder,
      catalogFile,
      market,
      choice,
      candidates: small ? 20 : 500,
      seconds: small ? 0.05 : 3 * seconds,
    };
    const workers = await Promise.all(Array.from({ length: count }, (_, i) => start({ ...task, seed: i })));
    const results = await Promise.all(workers.map((worker) => answerOf<ProcessResult>(worker, 'go')));
    const total = results.reduce((sum, { requestsPerSecond }) => sum + requestsPerSecond, 0);
    const worst = (of: (result: ProcessResult) => number) => Number(Math.max(...results.map(of)).toPrecision(4));
    rows.push({
      by: 'processes',
      value: count,
      engine: results[0].engine,
      'rank p50': worst(({ p50Us }) => p50Us),
      'rank p99': worst(({ p99Us }) => p99Us),
      'requests/s': Math.round(total),
    });
  }
  return rows;
}

/** A process that has loaded everything. */
async function start(task: ProcessTask): Promise<ChildProcess> {
  const path = fileURLToPath(new URL('worker.ts', import.meta.url));
  const worker = fork(path, [], { execArgv: ['--import', 'tsx'], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  await answerOf(worker, task);
  return worker;
}

function answerOf<T>(worker: ChildProcess, question: ProcessTask | 'go'): Promise<T> {
  return new Promise((resolve, reject) => {
    const gone = (code: number | null) => reject(new Error(`a process that answers requests ended with ${code}`));
    worker.once('exit', gone);
    worker.once('message', (message) => {
      worker.off('exit', gone);
      resolve(message as T);
    });
    worker.send(question);
  });
}
