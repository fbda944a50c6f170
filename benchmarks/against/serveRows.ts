import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { messageOf } from '../../src/core/errors.ts';
import type { ScoringInput } from '../../src/scoring/scorer.ts';
import { readRequest, type Task } from './task.ts';

/** One way to answer requests. */
export interface PeerRow {
  /** Puts a request into the form the peer takes; what it returns is timed. Answers are by task, in the task's order. */
  ready(input: ScoringInput): () => readonly Float32Array[] | Promise<readonly Float32Array[]>;
}

/** A line from the benchmark: answer requests `from` to `to`, and write the answers to a file if one is named. */
interface Order {
  readonly row: string;
  readonly from: number;
  readonly to: number;
  readonly out?: string;
}

/** A file of requests, each a view. */
export function readRequests(file: string, { fields, candidates }: Task): ScoringInput[] {
  const bytes = readFileSync(file);
  const all = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  const stride = fields.reduce((sum, { rows }) => sum + (rows === 'one' ? 1 : candidates), 0);
  return Array.from({ length: all.length / stride }, (_, r) => readRequest(all, r * stride, fields, candidates));
}

export function readTask(file: string): Task {
  return JSON.parse(readFileSync(file, 'utf8'));
}

/**
 * Serves rows over standard input and output, a line of JSON each: first what it is and its rows, then an answer an order.
 * A row is loaded when first asked for.
 *
 * @param missing what was left out and why
 */
export async function serveRows(
  task: Task,
  device: string,
  rows: Readonly<Record<string, () => Promise<PeerRow>>>,
  missing: readonly string[] = [],
): Promise<void> {
  const say = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`);
  const requests = readRequests(task.requests, task);
  const loaded = new Map<string, PeerRow>();
  say({ device, rows: Object.keys(rows), missing });
  for await (const line of createInterface({ input: process.stdin })) {
    const order = JSON.parse(line) as Order;
    try {
      let row = loaded.get(order.row);
      if (row === undefined) loaded.set(order.row, (row = await rows[order.row]()));
      say(await answer(row, requests, order));
    } catch (error) {
      say({ error: messageOf(error) });
    }
  }
}

async function answer(row: PeerRow, requests: readonly ScoringInput[], { from, to, out }: Order) {
  const ns: number[] = [];
  const kept: Float32Array[] = [];
  for (let r = from; r < to; r++) {
    const run = row.ready(requests[r]);
    const start = process.hrtime.bigint();
    let answers = run();
    if (answers instanceof Promise) answers = await answers;
    ns.push(Number(process.hrtime.bigint() - start));
    if (out !== undefined) kept.push(...answers.map((p) => p.slice()));
  }
  if (out !== undefined)
    writeFileSync(out, Buffer.concat(kept.map((p) => new Uint8Array(p.buffer, p.byteOffset, p.byteLength))));
  return { ns };
}
