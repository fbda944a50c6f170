import { createHistoryRows, historyTable } from '../history/assemble.ts';
import type { History, HistoryRows } from '../history/history.ts';
import type { HistoryPlan } from '../history/historyPlan.ts';
import { takenHistory } from '../history/takenHistory.ts';
import { derivedFields } from '../schema/derivedFields.ts';
import type { EncodedColumn } from '../schema/encoded.ts';
import type { Encoder } from '../schema/encoder.ts';
import type { Keys } from '../schema/keys.ts';
import type { Field } from '../schema/schema.ts';

/** What history there is to read; it is not changed. */
export type HistoryView = Pick<History, 'plan' | 'watermarkMs' | 'readRow' | 'overlay'>;

/**
 * Encodes what a model takes of history: what depends on the request alone once, the rest a candidate. Values go the way that those
 * of training do: as raw columns through the one encoder.
 */
export class HistoryFields {
  private readonly plan: HistoryPlan;
  private readonly encoder: Encoder;
  private readonly ofRequest: readonly Field[];
  private readonly ofCandidates: readonly Field[];
  private readonly requestRow: HistoryRows;
  private candidateRows: HistoryRows;

  /** @param taken names of the fields that the model takes */
  constructor(plan: HistoryPlan, encoder: Encoder, taken: ReadonlySet<string>) {
    const { schema } = encoder;
    const byName = new Map(schema.fields.map((field) => [field.name, field]));
    const derived = takenHistory(schema, taken).flatMap((field) => derivedFields(field, byName));
    const fields = derived.filter(({ name }) => taken.has(name));
    this.plan = plan;
    this.encoder = encoder;
    this.ofRequest = fields.filter((field) => field.kind !== 'cross' && field.scope === 'request');
    this.ofCandidates = fields.filter((field) => field.kind !== 'cross' && field.scope !== 'request');
    this.requestRow = createHistoryRows(plan, 1);
    this.candidateRows = createHistoryRows(plan, 0);
  }

  /**
   * @param keysOf a key field's values, one for all or one a candidate; undefined for what the model's history does not look up by
   * @param out    receives one row of the request's fields, [count] of the others
   */
  encode(
    history: HistoryView,
    keysOf: (name: string) => Keys | undefined,
    count: number,
    nowMs: number,
    out: Map<string, EncodedColumn>,
  ): void {
    const found = this.plan.keyFields.map(({ name }) => keysOf(name) ?? nothing);
    if (this.ofRequest.length > 0) {
      const alone = found.map((keys) => (keys.rowCount === 1 ? keys : nothing));
      history.readRow(alone, 0, nowMs, this.requestRow, 0);
      this.encodeRows(this.requestRow, 1, this.ofRequest, out);
    }
    if (this.ofCandidates.length === 0) return;
    if (this.candidateRows.rowCount < count) this.candidateRows = createHistoryRows(this.plan, Math.ceil(count * 1.5));
    const spread = found.map((keys) => spreadKeys(keys, count));
    for (let i = 0; i < count; i++) history.readRow(spread, i, nowMs, this.candidateRows, i);
    this.encodeRows(this.candidateRows, count, this.ofCandidates, out);
  }

  private encodeRows(rows: HistoryRows, rowCount: number, fields: readonly Field[], out: Map<string, EncodedColumn>) {
    const columns = historyTable(this.plan, rows, rowCount);
    for (const [name, column] of this.encoder.encode({ rowCount, columns }, fields).fields) out.set(name, column);
  }
}

const nothing: Keys = { rowCount: 1, words: new Int32Array(2), valid: new Uint8Array(1) };

/** One value for all as one a candidate. */
function spreadKeys(keys: Keys, count: number): Keys {
  if (keys.rowCount === count) return keys;
  const words = new Int32Array(2 * count);
  for (let i = 0; i < words.length; i++) words[i] = keys.words[i & 1];
  return { rowCount: count, words, valid: keys.valid && new Uint8Array(count).fill(keys.valid[0]) };
}
