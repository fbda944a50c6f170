import type { EncodedCatalog } from '../catalog/encodeCatalog.ts';
import type { PackedList, PackedRows } from '../catalog/packRows.ts';
import { touchIds } from '../core/touch.ts';
import type { EncodedColumn, EncodedIds, EncodedLists } from '../schema/encoded.ts';
import { NamedBuffers, roomFor } from '../schema/gatherRows.ts';

/** Picks rows of all that is packed at once, when the first field is asked for. */
export class PackedGather {
  private readonly packed: PackedRows;
  private readonly encoded: EncodedCatalog['encoded'];
  private readonly buffers = new NamedBuffers();
  private room = 0;
  private count = -1;
  /** One column after the other, `count` numbers each. */
  private picked = new Int32Array(0);
  private columns: readonly Int32Array[] = [];
  private ids: ReadonlyMap<string, EncodedIds> = new Map();
  /** What is in `picked`. */
  private rows: Int32Array | undefined;

  /** @param encoded the same columns one by one: the items of lists are not packed */
  constructor(packed: PackedRows, encoded: EncodedCatalog['encoded']) {
    this.packed = packed;
    this.encoded = encoded;
  }

  /** Begins a request: what was asked for before is no longer valid. */
  begin(): void {
    this.rows = undefined;
  }

  /**
   * @param rows of the table, [count]; the same array throughout a request
   * @returns a field's values, [count]; undefined for one that is not packed
   */
  encodedOf(name: string, rows: Int32Array): EncodedColumn | undefined {
    const list = this.packed.lists.get(name);
    if (list === undefined && !this.packed.ids.has(name)) return undefined;
    this.gather(rows);
    return list === undefined ? this.ids.get(name) : this.listsOf(name, list, rows);
  }

  /** Which of its few values a field has, [count]; undefined for one that has many. */
  placesOf(name: string, rows: Int32Array): Int32Array | undefined {
    const place = this.packed.places.get(name);
    if (place === undefined) return undefined;
    this.gather(rows);
    return this.columns[place];
  }

  private gather(rows: Int32Array): void {
    if (this.rows === rows) return;
    this.rows = rows;
    const { width, words, itemsFrom } = this.packed;
    const count = rows.length;
    if (count !== this.count) this.resize(count);
    const { picked } = this;
    touchIds(words, width, rows);
    for (let i = 0; i < count; i++) {
      const from = rows[i] * width;
      for (let f = 0, to = i; f < itemsFrom; f++, to += count) picked[to] = words[from + f];
    }
  }

  private resize(count: number): void {
    const { itemsFrom, ids } = this.packed;
    if (count > this.room) {
      this.room = roomFor(count);
      this.picked = new Int32Array(this.room * itemsFrom);
    }
    this.count = count;
    this.columns = Array.from({ length: itemsFrom }, (_, f) => this.picked.subarray(f * count, (f + 1) * count));
    this.ids = new Map([...ids].map(([name, f]) => [name, { kind: 'id', ids: this.columns[f] }]));
  }

  private listsOf(name: string, { at, items }: PackedList, rows: Int32Array): EncodedLists {
    const { words, width } = this.packed;
    const all = this.encoded.get(name) as EncodedLists;
    const buffers = this.buffers.of(name);
    const [lengths, begins] = [this.columns[at], this.columns[at + 1]];
    const count = rows.length;
    const offsets = buffers.takeOffsets(count + 1);
    offsets[0] = 0;
    for (let i = 0; i < count; i++) offsets[i + 1] = offsets[i] + lengths[i];
    const ids = buffers.takeInts(offsets[count]);
    if (items === undefined) touchIds(all.ids, 1, begins);
    const source = items === undefined ? all.ids : words;
    for (let i = 0, to = 0; i < count; i++) {
      const end = offsets[i + 1];
      for (let from = items === undefined ? begins[i] : rows[i] * width + items; to < end; ) ids[to++] = source[from++];
    }
    return { ...all, offsets, ids };
  }
}
