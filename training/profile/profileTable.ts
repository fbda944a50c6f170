import type { Column } from '../../src/schema/columns.ts';
import { columnToJson } from '../../src/schema/jsonColumns.ts';
import { keysOf } from '../../src/schema/keys.ts';
import { integerAt } from '../../src/schema/numbers.ts';
import { KeyTable } from '../../src/schema/vocabulary.ts';
import type { ColumnInfo, Table } from '../../src/tables/parquetReader.ts';

/** What a table's column holds, seen over a bounded number of rows. */
export interface ColumnProfile {
  readonly name: string;
  readonly type: ColumnInfo['type'];
  readonly meaning?: ColumnInfo['meaning'];
  readonly rows: number;
  readonly nulls: number;
  /** Distinct values (of the items, for lists); numbers that are not whole are counted too. */
  readonly distinct: number;
  readonly low?: number;
  readonly high?: number;
  /** Whether all numbers are whole. */
  readonly whole: boolean;
  /** Of lists: the length all have, or undefined if they differ. */
  readonly length?: number;
  /** A few values, as text. */
  readonly examples: readonly string[];
  /**
   * AUC of the label by the label rate of the row's value; for numbers, of the value's order of magnitude if that says
   * more. 0.5 says nothing about the label, 1 all.
   */
  readonly labelAuc?: number;
  /** Whether some value of it is never seen without the label, more often than chance allows. */
  readonly impliesLabel: boolean;
}

export interface TableProfile {
  readonly rows: number;
  /** Whether only the first rows were looked at. */
  readonly partial: boolean;
  readonly columns: readonly ColumnProfile[];
  readonly labelRate: number;
}

/** Rows looked at: enough to see a column's kind, few enough to take seconds. */
const profileRows = 300_000;
/** Keys of fewer rows than this are taken together when their label rates are compared. */
const rareRows = 20;

/** Looks at a table's columns and at how each goes with a label. */
export async function profileTable(table: Table, label: string): Promise<TableProfile> {
  const accumulators = new Map(table.columns.map((column) => [column.name, new ColumnAccumulator(column)]));
  let rows = 0;
  let positives = 0;
  for await (const batch of table.scan({ batchRows: 50_000 })) {
    const labels = labelValues(batch.columns.get(label) as Column);
    for (const value of labels) positives += value;
    for (const [name, accumulator] of accumulators) accumulator.observe(batch.columns.get(name) as Column, labels);
    rows += batch.rowCount;
    if (rows >= profileRows) break;
  }
  return {
    rows,
    partial: rows < table.rowCount,
    columns: [...accumulators.values()].map((accumulator) => accumulator.finish()),
    labelRate: rows === 0 ? 0 : positives / rows,
  };
}

/** 1 where the label is above 0; other values are refused later, by training. */
function labelValues(column: Column): Uint8Array {
  const labels = new Uint8Array(column.rowCount);
  if (column.type === 'text' || column.type === 'list') return labels;
  for (let row = 0; row < labels.length; row++) {
    labels[row] = (column.valid === undefined || column.valid[row] === 1) && Number(column.values[row]) > 0 ? 1 : 0;
  }
  return labels;
}

class ColumnAccumulator {
  private readonly info: ColumnInfo;
  /** By distinct value, and by order of magnitude. */
  private readonly values = new RateTable();
  private readonly magnitudes = new RateTable();
  private nulls = 0;
  private rows = 0;
  private low = Number.POSITIVE_INFINITY;
  private high = Number.NEGATIVE_INFINITY;
  private whole = true;
  private length: number | undefined | null = null;
  private readonly examples = new Set<string>();

  constructor(info: ColumnInfo) {
    this.info = info;
  }

  observe(column: Column, labels: Uint8Array): void {
    this.rows += column.rowCount;
    for (let row = 0; row < column.rowCount && this.examples.size < 4; row++) {
      const [value] = columnToJson(column, [row]);
      if (value !== null) this.examples.add(JSON.stringify(value));
    }
    if (column.type === 'list') {
      this.observeLists(column);
      return;
    }
    if (column.type === 'integer' || column.type === 'number') this.observeRange(column);
    const keys = keysOf(column.type === 'number' ? bitsOf(column) : column, `column '${this.info.name}'`);
    const magnitudes =
      column.type === 'text' ? undefined : new Int32Array(Float64Array.from(column.values, Number).buffer);
    for (let row = 0; row < column.rowCount; row++) {
      // pandas writes a missing number as NaN.
      const missing = column.valid?.[row] === 0 || (column.type === 'number' && Number.isNaN(column.values[row]));
      if (missing) this.nulls++;
      this.values.add(missing ? -1 : keys.words[2 * row], missing ? -1 : keys.words[2 * row + 1], labels[row]);
      // Sign, exponent and two bits of a float64: four steps to every doubling.
      if (magnitudes !== undefined) this.magnitudes.add(missing ? 1 : 0, magnitudes[2 * row + 1] >> 18, labels[row]);
    }
  }

  private observeLists(column: Column & { type: 'list' }): void {
    for (let row = 0; row < column.rowCount; row++) {
      if (column.valid !== undefined && column.valid[row] === 0) {
        this.nulls++;
        continue;
      }
      const length = column.offsets[row + 1] - column.offsets[row];
      if (this.length === null) this.length = length;
      else if (this.length !== length) this.length = undefined;
    }
    const items = column.items.type === 'number' ? bitsOf(column.items) : column.items;
    const { words } = keysOf(items, `column '${this.info.name}'`);
    for (let i = 0; i < words.length; i += 2) this.values.add(words[i], words[i + 1], 0);
  }

  private observeRange(column: Column & { type: 'integer' | 'number' }): void {
    for (let row = 0; row < column.rowCount; row++) {
      const value = column.type === 'integer' ? integerAt(column, row) : column.values[row];
      if (column.valid?.[row] === 0 || Number.isNaN(value)) continue;
      if (value < this.low) this.low = value;
      if (value > this.high) this.high = value;
      if (!Number.isInteger(value)) this.whole = false;
    }
  }

  finish(): ColumnProfile {
    const ranged = this.low <= this.high;
    return {
      name: this.info.name,
      type: this.info.type,
      meaning: this.info.meaning,
      rows: this.rows,
      nulls: this.nulls,
      distinct: this.values.distinct - (this.nulls > 0 && !this.info.type.startsWith('list') ? 1 : 0),
      low: ranged ? this.low : undefined,
      high: ranged ? this.high : undefined,
      whole: this.whole,
      length: this.length ?? undefined,
      examples: [...this.examples],
      labelAuc: this.labelAuc(),
      impliesLabel: this.values.impliesLabel(),
    };
  }

  private labelAuc(): number | undefined {
    if (this.info.type.startsWith('list')) return undefined;
    const byValue = this.values.auc();
    const byMagnitude = this.magnitudes.auc();
    return byValue === undefined ? byMagnitude : Math.max(byValue, byMagnitude ?? 0);
  }
}

/** Rows and positive labels by key. */
class RateTable {
  private readonly table = new KeyTable();
  private readonly rows: number[] = [];
  private readonly positives: number[] = [];

  get distinct(): number {
    return this.table.size;
  }

  add(lo: number, hi: number, label: number): void {
    const place = this.table.add(lo, hi) - 1;
    this.rows[place] = (this.rows[place] ?? 0) + 1;
    this.positives[place] = (this.positives[place] ?? 0) + label;
  }

  /** Whether a key's rows all have the label, though rows drawn at random would hardly ever: once in 10^9. */
  impliesLabel(): boolean {
    const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
    const rate = sum(this.positives) / sum(this.rows);
    return this.rows.some((rows, place) => rows === this.positives[place] && rate ** rows < 1e-9);
  }

  /** AUC of ranking rows by their key's label rate; rare keys count as one, since they would fit themselves. */
  auc(): number | undefined {
    const rare = { rows: 0, positives: 0 };
    const groups: { rows: number; positives: number }[] = [];
    for (let place = 0; place < this.rows.length; place++) {
      const group = { rows: this.rows[place], positives: this.positives[place] };
      if (group.rows >= rareRows) groups.push(group);
      else {
        rare.rows += group.rows;
        rare.positives += group.positives;
      }
    }
    if (rare.rows > 0) groups.push(rare);
    groups.sort((x, y) => x.positives / x.rows - y.positives / y.rows);
    let negatives = 0;
    let positives = 0;
    let wins = 0;
    for (const group of groups) {
      const own = group.rows - group.positives;
      wins += group.positives * (negatives + own / 2);
      negatives += own;
      positives += group.positives;
    }
    return positives > 0 && negatives > 0 ? wins / (positives * negatives) : undefined;
  }
}

/** A float column's bit patterns as integers: distinct numbers have distinct bits. */
function bitsOf(column: Column & { type: 'number' }): Column {
  const doubles = Float64Array.from(column.values);
  return { type: 'integer', rowCount: column.rowCount, values: new BigInt64Array(doubles.buffer), valid: column.valid };
}
