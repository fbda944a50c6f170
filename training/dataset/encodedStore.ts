import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf, UserError } from '../../src/core/errors.ts';
import { decodeSafetensors, encodeSafetensors, type Tensor, type TensorValues } from '../../src/model/safetensors.ts';
import type { EncodedColumn } from '../../src/schema/encoded.ts';
import type { RowColumns } from './rowColumns.ts';

/** Encoded rows, as training reads them. */
export interface EncodedChunk extends RowColumns {
  readonly rowCount: number;
  /** What training aims at, by label, where that is not the label itself: see `softLabels`. */
  readonly targets?: ReadonlyMap<string, Float32Array>;
  readonly fields: ReadonlyMap<string, EncodedColumn>;
  /** Which request each row was ranked for, 64 bits in two halves, and what a teacher makes of the row: a logit. */
  readonly ranked?: { readonly requests: Int32Array; readonly teacher: Float32Array };
  /** Of a batch of whole lists, rows of one request each: where they begin, [lists + 1]. */
  readonly listOffsets?: Int32Array;
}

/** Chunks kept in memory, so that small data is read from disk no more than once. */
const memoryBytes = 512 * 2 ** 20;

/**
 * Encoded rows in files, one a chunk of some 100,000 rows: a second pass over the data reads no Parquet, and memory holds
 * a bounded part of it.
 */
export class EncodedStore {
  readonly rowCounts: number[] = [];
  private readonly folder = makeFolder();
  private readonly held = new Map<number, { chunk: EncodedChunk; bytes: number }>();
  private heldBytes = 0;

  get rowCount(): number {
    return this.rowCounts.reduce((sum, count) => sum + count, 0);
  }

  append(chunk: EncodedChunk): void {
    if (chunk.rowCount === 0) return;
    const bytes = encodeSafetensors(tensorsOf(chunk));
    try {
      writeFileSync(this.path(this.rowCounts.length), bytes);
    } catch (error) {
      throw new UserError(
        `cannot keep encoded rows in ${this.folder}: ${messageOf(error)}; free space there or set TMPDIR`,
      );
    }
    this.rowCounts.push(chunk.rowCount);
  }

  /** @param index of a chunk, in the order they were appended */
  chunk(index: number): EncodedChunk {
    const held = this.held.get(index);
    if (held !== undefined) return held.chunk;
    const bytes = readFileSync(this.path(index));
    const chunk = chunkOf(decodeSafetensors(bytes, this.path(index)), this.rowCounts[index]);
    for (const [other, entry] of this.held) {
      if (this.heldBytes + bytes.length <= memoryBytes) break;
      this.held.delete(other);
      this.heldBytes -= entry.bytes;
    }
    this.held.set(index, { chunk, bytes: bytes.length });
    this.heldBytes += bytes.length;
    return chunk;
  }

  dispose(): void {
    this.held.clear();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private path(index: number): string {
    return join(this.folder, `${index}.safetensors`);
  }
}

function makeFolder(): string {
  try {
    return mkdtempSync(join(tmpdir(), 'limelight-'));
  } catch (error) {
    throw new UserError(
      `cannot keep encoded rows in ${tmpdir()}: ${messageOf(error)}; set TMPDIR to a folder that can be written to`,
    );
  }
}

function tensorsOf(chunk: EncodedChunk): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  const put = (name: string, values: TensorValues | undefined) => {
    if (values !== undefined) tensors.set(name, { shape: [values.length], values });
  };
  for (const [name, column] of chunk.fields) {
    if (column.kind === 'id') put(`id ${name}`, column.ids);
    else if (column.kind === 'dense') put(`dense ${column.width} ${name}`, column.values);
    else {
      put(`${column.pooling} ${name}`, column.ids);
      put(`offsets ${name}`, column.offsets);
    }
  }
  for (const [name, values] of chunk.labels) put(`label ${name}`, values);
  for (const [name, values] of chunk.truths) put(`truth ${name}`, values);
  for (const [name, values] of chunk.targets ?? []) put(`target ${name}`, values);
  put('weights', chunk.weights);
  put('users', chunk.users);
  put('requests', chunk.ranked?.requests);
  put('teacher', chunk.ranked?.teacher);
  return tensors;
}

function chunkOf(tensors: Map<string, Tensor>, rowCount: number): EncodedChunk {
  const fields = new Map<string, EncodedColumn>();
  const labels = new Map<string, Float32Array>();
  const truths = new Map<string, Float32Array>();
  const targets = new Map<string, Float32Array>();
  for (const [key, { values }] of tensors) {
    const [kind, ...rest] = key.split(' ');
    const name = rest[rest.length - 1];
    if (kind === 'id') fields.set(name, { kind, ids: values as Int32Array });
    else if (kind === 'dense') fields.set(name, { kind, width: Number(rest[0]), values: values as Float32Array });
    else if (kind === 'mean' || kind === 'sum' || kind === 'none') {
      const offsets = tensors.get(`offsets ${name}`)?.values as Int32Array;
      fields.set(name, { kind: 'ids', offsets, ids: values as Int32Array, pooling: kind });
    } else if (kind === 'label') labels.set(name, values as Float32Array);
    else if (kind === 'truth') truths.set(name, values as Float32Array);
    else if (kind === 'target') targets.set(name, values as Float32Array);
  }
  const weights = tensors.get('weights')?.values as Float32Array | undefined;
  const users = tensors.get('users')?.values as Int32Array | undefined;
  const requests = tensors.get('requests')?.values as Int32Array | undefined;
  const teacher = tensors.get('teacher')?.values as Float32Array | undefined;
  const ranked = requests && teacher && { requests, teacher };
  return {
    rowCount,
    fields,
    labels,
    truths,
    ...(targets.size > 0 && { targets }),
    weights,
    users,
    ...(ranked && { ranked }),
  };
}
