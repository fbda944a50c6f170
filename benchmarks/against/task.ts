import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeOnnx } from '../../src/commands/writeOnnx.ts';
import { createRandom } from '../../src/core/random.ts';
import type { Bundle } from '../../src/model/bundle.ts';
import type { EncodedIds } from '../../src/schema/encoded.ts';
import { isMade } from '../../src/schema/fields.ts';
import { exportModel } from '../../src/scoring/onnx/exportModel.ts';
import { exportPlan } from '../../src/scoring/onnx/exportPlan.ts';
import type { ScoringInput } from '../../src/scoring/scorer.ts';
import { RequestStream } from '../serving/requests.ts';
import type { TrainedMarket } from '../serving/trained.ts';

/** What every contestant reads, each in a process of its own: `task.json`. */
export interface Task {
  /** The bundle's folder. */
  readonly bundle: string;
  readonly candidates: number;
  /** In the order the model takes them: `one` id a request, or `each` candidate's. */
  readonly fields: readonly { readonly name: string; readonly rows: 'one' | 'each' }[];
  readonly tasks: readonly string[];
  /** int32: request by request, field by field, the one id or those of all candidates. */
  readonly requests: string;
  /** Requests that together name every ad, in the same form. */
  readonly everyAd: string;
  /** The model as ONNX graphs. */
  readonly graphs: { readonly asItIs: string; readonly planned: string };
}

/** A task, and the requests that are answered for quality, before those that are timed. */
export interface WrittenTask {
  readonly task: Task;
  readonly answered: readonly ScoringInput[];
  /** [requests, candidates] of those. */
  readonly clicks: Float32Array;
}

export interface TaskSizes {
  readonly candidates: number;
  /** Requests answered for quality, and timed. */
  readonly answered: number;
  readonly timed: number;
  readonly seed: number;
}

/** Writes the files of a task into a folder. */
export async function writeTask(folder: string, trained: TrainedMarket, sizes: TaskSizes): Promise<WrittenTask> {
  const { candidates, timed, seed } = sizes;
  mkdirSync(folder, { recursive: true });
  const fields = embeddedFields(trained.bundle);
  const stream = new RequestStream(trained, seed);
  const random = createRandom(seed);
  const clicks = new Float32Array(sizes.answered * candidates);
  const answered: ScoringInput[] = [];
  const stride = fields.reduce((sum, { rows }) => sum + (rows === 'one' ? 1 : candidates), 0);
  const ids = new Int32Array((sizes.answered + timed) * stride);
  for (let r = 0; r < sizes.answered + timed; r++) {
    const { input, user, ads } = stream.next(candidates);
    writeRequest(ids, r * stride, input, fields, candidates);
    if (r >= sizes.answered) continue;
    ads.forEach((ad, i) => {
      clicks[r * candidates + i] = trained.market.outcome(user, ad, random).click;
    });
    answered.push(readRequest(ids, r * stride, fields, candidates));
  }
  const everyAd = new Int32Array(Math.ceil(trained.market.size.adCount / candidates) * stride);
  let at = 0;
  for (const input of stream.everyAd(candidates)) at = writeRequest(everyAd, at, input, fields, candidates);
  const task: Task = {
    bundle: trained.folder,
    candidates,
    fields,
    tasks: trained.bundle.typed.model.tasks.map(({ name }) => name),
    requests: join(folder, 'requests.int32'),
    everyAd: join(folder, 'everyAd.int32'),
    graphs: { asItIs: join(folder, 'asItIs.onnx'), planned: join(folder, 'planned.onnx') },
  };
  writeFileSync(task.requests, ids);
  writeFileSync(task.everyAd, everyAd);
  await writeOnnx(task.graphs.asItIs, exportModel(trained.bundle), trained.bundle.manifest);
  await writeOnnx(task.graphs.planned, exportPlan(trained.bundle, candidates), trained.bundle.manifest);
  writeFileSync(join(folder, 'task.json'), JSON.stringify(task));
  return { task, answered, clicks };
}

/** The fields as the net sees them: those of the value that its gates are made of. */
function embeddedFields({ typed }: Bundle): Task['fields'] {
  const senet = typed.model.steps.find((step) => step.op === 'senet');
  const type = senet && typed.values.get(senet.inputs[0])?.type;
  if (type?.kind !== 'fields') throw new Error('the model that is measured has no gates');
  return type.names.map((name) => {
    const field = typed.schema.fields.find((candidate) => candidate.name === name);
    const isRequest = field !== undefined && !isMade(field) && field.scope === 'request';
    return { name, rows: isRequest ? 'one' : 'each' };
  });
}

/** @returns where the next request goes. Fewer rows than candidates are repeated. */
function writeRequest(
  out: Int32Array,
  from: number,
  input: ScoringInput,
  fields: Task['fields'],
  candidates: number,
): number {
  let at = from;
  for (const { name, rows } of fields) {
    const { ids } = input.fields.get(name) as EncodedIds;
    for (let i = 0; i < (rows === 'one' ? 1 : candidates); i++) out[at++] = ids[i % ids.length];
  }
  return at;
}

/** A request as engines take it, its columns views of all requests' ids. */
export function readRequest(all: Int32Array, from: number, fields: Task['fields'], candidates: number): ScoringInput {
  let at = from;
  const columns = fields.map(({ name, rows }): [string, EncodedIds] => {
    const begin = at;
    at += rows === 'one' ? 1 : candidates;
    return [name, { kind: 'id', ids: all.subarray(begin, at) }];
  });
  return { rowCount: candidates, fields: new Map(columns) };
}
