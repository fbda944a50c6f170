import type { Schema } from '../src/schema/schema.ts';
import type { EncodedChunk } from './dataset/encodedStore.ts';

/** Label counts of the training rows: what sampling keeps, and labels that contradict each other. */
export class LabelCounts {
  rows = 0;
  private positives = 0;
  private readonly orphans = new Map<string, number>();
  private readonly schema: Schema;

  constructor(schema: Schema) {
    this.schema = schema;
  }

  add(chunk: EncodedChunk): void {
    this.rows += chunk.rowCount;
    const root = chunk.labels.get(this.schema.labels[0].name) as Float32Array;
    for (let row = 0; row < chunk.rowCount; row++) this.positives += root[row];
    for (const { name, after } of this.schema.labels) {
      if (after === undefined) continue;
      const label = chunk.labels.get(name) as Float32Array;
      const before = chunk.labels.get(after) as Float32Array;
      let count = 0;
      for (let row = 0; row < chunk.rowCount; row++) if (label[row] === 1 && before[row] === 0) count++;
      this.orphans.set(name, (this.orphans.get(name) ?? 0) + count);
    }
  }

  expectedRows(keptShare: number): number {
    return this.positives + (this.rows - this.positives) * keptShare;
  }

  warnings(): string[] {
    const warnings: string[] = [];
    for (const { name, after } of this.schema.labels) {
      const count = this.orphans.get(name) ?? 0;
      if (count > 0)
        warnings.push(
          `${count} rows have ${name} = 1 but ${after} = 0, though ${name} should come after ${after}; they are kept`,
        );
    }
    if (this.positives === 0 || this.positives === this.rows) {
      warnings.push(
        `label '${this.schema.labels[0].name}' is ${this.positives === 0 ? 0 : 1} in every training row: there is nothing to learn`,
      );
    }
    return warnings;
  }
}
