import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../src/core/errors.ts';
import { createCheck, precisionOf, type RowCheck } from './against/checkRow.ts';
import { isPinned, PeerProcess, programs, pythonWith } from './against/peerProcess.ts';
import { writeTask } from './against/task.ts';
import { benchSize, describeSize, smallSize } from './serving/market.ts';
import { type TrainedMarket, trainedMarket } from './serving/trained.ts';
import type { Topic, TopicOptions, TopicResult } from './topic.ts';

const seed = 23;

/**
 * A row answers a block of requests at a time, in turn with the others, so that all meet the same machine but none is
 * measured with another's data in its caches; the first of a block are not timed.
 */
const block = { untimed: 5, timed: 20 };

/** One way of one contestant to answer. */
interface Row {
  /** As `--engine` names it, and with its version. */
  readonly program: string;
  readonly contestant: string;
  readonly how: string;
  readonly process: PeerProcess;
  readonly check: RowCheck;
  readonly ns: number[];
}

/** The same trained model answered by Limelight and by what a user would pick instead. */
export const against: Topic = {
  name: 'against',
  summary:
    'the same model by Limelight, onnxruntime, OpenVINO, PyTorch and TensorFlow: ids to probabilities on one core',
  async run(options) {
    const size = options.small ? smallSize : benchSize;
    const trained = await trainedMarket(size, options.log);
    const rows: TopicResult['rows'][number][] = [];
    const notes = new Set<string>();
    for (const candidates of options.candidates ?? [options.small ? 20 : 500]) {
      const folder = mkdtempSync(join(tmpdir(), 'limelight-against-'));
      try {
        const measured = await measure({ options, trained, candidates, folder, notes });
        rows.push(...tableRows(measured, candidates));
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    }
    return {
      setting: `${describeSize(size)}; ids to probabilities, each request a new user and new candidates; ${isPinned ? 'each contestant on the same one core' : 'one thread each'}, in turn; times in µs`,
      seed,
      rows,
      notes: [
        ...notes,
        'as it is: the model’s steps as ONNX, the request’s fields repeated for every candidate; planned: as Limelight’s planner rewrites them, the request’s fields once',
        'difference: the largest in probability from the float64 reference engine; AUC and log loss are of clicks nobody trained on',
      ],
    };
  },
};

interface Run {
  readonly options: TopicOptions;
  readonly trained: TrainedMarket;
  readonly candidates: number;
  readonly folder: string;
  readonly notes: Set<string>;
}

async function measure({ options, trained, candidates, folder, notes }: Run): Promise<Row[]> {
  const { small, rounds, log } = options;
  const blocks = rounds * (small ? 1 : 20);
  const perBlock = block.untimed + block.timed;
  const answered = small ? 5 : Math.ceil(20_000 / candidates);
  const written = await writeTask(folder, trained, { candidates, answered, timed: blocks * perBlock, seed });
  const check = createCheck(trained.bundle, written, join(folder, 'answers'));
  const processes = await startAll(options, join(folder, 'task.json'), notes);
  try {
    const rows: Row[] = [];
    for (const { program, process } of processes) {
      for (const missing of process.missing) notes.add(missing);
      for (const how of process.rows.filter((row) => isWanted(options, program, row))) {
        log(`${process.device}, ${how}: loads and answers`);
        try {
          const contestant = process.device;
          rows.push({ program, contestant, how, process, check: await check(process, how), ns: [] });
        } catch (error) {
          notes.add(`${process.device}, ${how} was left out: ${messageOf(error)}`);
        }
      }
    }
    for (let b = 0; b < blocks; b++) {
      const from = answered + b * perBlock;
      for (const { process, how, ns } of rows)
        ns.push(...(await process.answer(how, from, from + perBlock)).slice(block.untimed));
      if ((b + 1) % 20 === 0) log(`${b + 1} of ${blocks} blocks`);
    }
    return rows;
  } finally {
    for (const { process } of processes) process.stop();
  }
}

/** Starts the contestants that are asked for and installed, notes why others are left out. */
async function startAll({ small, engines, log }: TopicOptions, taskFile: string, notes: Set<string>) {
  const started: { program: string; process: PeerProcess }[] = [];
  const given = process.env.LIMELIGHT_PYTHON;
  const pythons = (given ?? 'python3').split(':');
  for (const program of programs) {
    const { name, module } = program;
    if (engines !== undefined && name !== 'limelight' && !engines.includes(name)) continue;
    // A small run takes seconds, unless asked to look at Python too.
    if (module !== undefined && small && given === undefined) continue;
    const python = module === undefined ? undefined : pythonWith(module, pythons);
    if (module !== undefined && python === undefined) {
      notes.add(
        `${name} was left out: ${pythons.join(' and ')} lack the module '${module}'; see benchmarks/peers/README.md`,
      );
      continue;
    }
    try {
      log(`${name} starts`);
      started.push({ program: name, process: await PeerProcess.start(program, taskFile, python) });
    } catch (error) {
      notes.add(`${name} was left out: ${messageOf(error)}`);
    }
  }
  return started;
}

/** Whether a row is asked for, by its program's or its engine's name and by its precision. */
function isWanted({ engines, precisions }: TopicOptions, program: string, how: string): boolean {
  const named = engines === undefined || engines.includes(program) || engines.includes(how.split(' ')[0]);
  return named && (precisions === undefined || precisions.includes(precisionOf(how)));
}

function tableRows(rows: readonly Row[], candidates: number): TopicResult['rows'] {
  const percentile = ({ ns }: Row, share: number) => {
    const sorted = [...ns].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] / 1000;
  };
  const find = (of: string, how: RegExp) => rows.find(({ program, how: name }) => program === of && how.test(name));
  const bases = { 'native bf16': find('limelight', /native.*bf16/), onnxruntime: find('onnxruntime', /as it is/) };
  const ratio = (row: Row, base: Row | undefined, share: number) =>
    base === undefined ? null : Number((percentile(row, share) / percentile(base, share)).toPrecision(3));
  return rows.map((row) => ({
    contestant: row.contestant,
    how: row.how,
    candidates,
    p50: Number(percentile(row, 0.5).toPrecision(4)),
    p90: Number(percentile(row, 0.9).toPrecision(4)),
    p99: Number(percentile(row, 0.99).toPrecision(4)),
    'p50 / native bf16': ratio(row, bases['native bf16'], 0.5),
    'p99 / native bf16': ratio(row, bases['native bf16'], 0.99),
    'p50 / onnxruntime': ratio(row, bases.onnxruntime, 0.5),
    'p99 / onnxruntime': ratio(row, bases.onnxruntime, 0.99),
    AUC: Number(row.check.auc.toFixed(5)),
    'log loss': Number(row.check.logLoss.toFixed(5)),
    difference: row.check.difference.toExponential(1),
    requests: row.ns.length,
  }));
}
