import type { SequenceRows } from '../history/history.ts';
import { derivedFields } from '../schema/derivedFields.ts';
import type { EncodedColumn } from '../schema/encoded.ts';
import type { Encoder } from '../schema/encoder.ts';
import type { Keys } from '../schema/keys.ts';
import type { Field, IdsField, SequenceField } from '../schema/schema.ts';

interface Part {
  readonly field: IdsField;
  /** Which of the sequence's items it is; -1 for its actions and gaps. */
  readonly item: number;
  readonly values: 'actions' | 'gaps';
}

/** Encodes what a sequence carries: as its columns would be, but from buffers that are reused, in a quarter of the time. */
export class SequenceKeys {
  private readonly encoder: Encoder;
  private readonly length: number;
  private readonly parts: readonly Part[];
  private offsets = new Int32Array(2);
  private words = new Int32Array(0);
  private valid = new Uint8Array(0);

  /** @param taken names of the fields that the model takes */
  constructor(sequence: SequenceField, encoder: Encoder, taken: ReadonlySet<string>) {
    const { items, length, name } = sequence;
    const byName = new Map(encoder.schema.fields.map((field) => [field.name, field as Field]));
    this.encoder = encoder;
    this.length = length;
    // The items' fields come first.
    const parts = (derivedFields(sequence, byName) as IdsField[]).map((field, i): Part => {
      const item = i < items.length ? i : -1;
      return { field, item, values: field.name === `${name}.gap` ? 'gaps' : 'actions' };
    });
    this.parts = parts.filter(({ field }) => taken.has(field.name));
  }

  /** @param out receives [rowCount] lists of each field, latest event first */
  encode(rows: SequenceRows, rowCount: number, out: Map<string, EncodedColumn>): void {
    this.begin(rows, rowCount);
    for (const { field, item, values } of this.parts) {
      const keys = item < 0 ? this.smallKeys(rows[values], rowCount) : this.itemKeys(rows, item, rowCount);
      out.set(field.name, this.encoder.encodeKeys(field, keys));
    }
  }

  private begin({ counts }: SequenceRows, rowCount: number): void {
    if (this.offsets.length <= rowCount) this.offsets = new Int32Array(Math.ceil(rowCount * 1.5) + 1);
    const { offsets } = this;
    for (let row = 0; row < rowCount; row++) offsets[row + 1] = offsets[row] + counts[row];
    const count = offsets[rowCount];
    if (this.valid.length >= count) return;
    this.valid = new Uint8Array(Math.ceil(count * 1.5));
    this.words = new Int32Array(2 * this.valid.length);
  }

  /** Closes the gaps after rows that have fewer events than there is room for. */
  private itemKeys({ items, valid: known }: SequenceRows, item: number, rowCount: number): Keys {
    const { offsets, words, valid, length } = this;
    const [from, has] = [items[item], known[item]];
    for (let row = 0; row < rowCount; row++) {
      const shift = row * length - offsets[row];
      for (let at = offsets[row]; at < offsets[row + 1]; at++) {
        words[2 * at] = from[2 * (at + shift)];
        words[2 * at + 1] = from[2 * (at + shift) + 1];
        valid[at] = has[at + shift];
      }
    }
    return { rowCount, words, offsets, valid };
  }

  private smallKeys(from: Uint8Array, rowCount: number): Keys {
    const { offsets, words, length } = this;
    for (let row = 0; row < rowCount; row++) {
      const shift = row * length - offsets[row];
      for (let at = offsets[row]; at < offsets[row + 1]; at++) {
        words[2 * at] = from[at + shift];
        words[2 * at + 1] = 0;
      }
    }
    return { rowCount, words, offsets };
  }
}
