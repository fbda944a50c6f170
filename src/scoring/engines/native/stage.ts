import type { EncodedColumn, EncodedDense, EncodedLists } from '../../../schema/encoded.ts';
import { rowsIn } from '../../input.ts';
import type { ScoringInput } from '../../scorer.ts';
import type { Stage } from './addon.ts';
import type { FieldColumn } from './fieldColumns.ts';
import type { Lowered } from './lowerPlan.ts';

const wordsPerColumn = 3;

/**
 * The words that a program reads its input from and writes its answers to, so that a call passes nothing: rows, where the
 * answers go, of a program with candidates how many and where the rows' candidates begin; then for each column where its ids or
 * numbers begin, where its offsets begin and how many items its lists have.
 */
export class InputStage {
  private readonly columns: readonly FieldColumn[];
  private readonly taskCount: number;
  private readonly hasCandidates: boolean;
  private readonly headerWords: number;
  private readonly share: (buffer: ArrayBuffer) => void;
  private ints = new Int32Array(0);
  private floats = new Float32Array(0);
  private answersAt = 0;
  private rowCount = 0;
  /** Of the input at hand, by the program's columns. */
  private readonly given: EncodedColumn[] = [];

  /** @param share tells the program of a new buffer */
  constructor({ columns, spec }: Lowered, share: (buffer: ArrayBuffer) => void) {
    this.columns = columns;
    this.taskCount = spec.tasks.length;
    this.hasCandidates = spec.candidates;
    this.headerWords = spec.candidates ? 4 : 2;
    this.share = share;
  }

  /**
   * Copies an input's columns.
   *
   * @returns false if a column is missing, of another kind or of another number of rows, or if candidates are there or not as the
   *   program does not expect; ids and candidates of rows are the program's to check
   */
  write(input: ScoringInput): boolean {
    const { rowCount, candidates } = input;
    const words = this.wordsFor(input);
    if (words < 0) return false;
    if (words > this.ints.length) this.grow(words);
    const { ints, columns, headerWords } = this;
    this.rowCount = rowCount;
    this.answersAt = headerWords + wordsPerColumn * columns.length;
    let at = this.answersAt + this.taskCount * rowCount;
    ints[0] = rowCount;
    ints[1] = this.answersAt;
    if (candidates !== undefined) {
      ints[2] = candidates.count;
      ints[3] = at;
      ints.set(candidates.of, at);
      at += rowCount;
    }
    for (let i = 0; i < columns.length; i++) {
      const column = this.given[i];
      const rows = rowsOf(columns[i].stage, input);
      const header = headerWords + wordsPerColumn * i;
      ints[header] = at;
      if (column.kind === 'dense') at = this.writeNumbers(column, rows, at);
      else if (column.kind === 'ids') at = this.writeLists(column, rows, header, at);
      else if (columns[i].kind === 'ids') at = this.writeSingles(column.ids, rows, header, at);
      else {
        if (rows === 1) ints[at] = column.ids[0];
        else if (column.ids.length === rows) ints.set(column.ids, at);
        else ints.fill(column.ids[0], at, at + rows);
        at += rows;
      }
    }
    return true;
  }

  /** Task `i`'s probabilities, until the next call. */
  answers(task: number): Float32Array {
    const from = this.answersAt + task * this.rowCount;
    return this.floats.subarray(from, from + this.rowCount);
  }

  /** How many words an input takes, −1 if it does not fit the columns. */
  private wordsFor(input: ScoringInput): number {
    const { columns } = this;
    const { rowCount, fields, candidates } = input;
    if ((candidates !== undefined) !== this.hasCandidates) return -1;
    let words = this.headerWords + wordsPerColumn * columns.length + this.taskCount * rowCount;
    if (candidates !== undefined) {
      const { count, of } = candidates;
      if (of.length !== rowCount || count !== (rowCount === 0 ? 0 : of[rowCount - 1] + 1)) return -1;
      words += rowCount;
    }
    for (let i = 0; i < columns.length; i++) {
      const { field, kind, width, stage, isSequence } = columns[i];
      const column = fields.get(field);
      if (column === undefined || (column.kind === 'dense') !== (kind === 'dense')) return -1;
      this.given[i] = column;
      const rows = rowsOf(stage, input);
      const given = rowsIn(column);
      if (given !== rows && given !== 1) return -1;
      if (isSequence && column.kind !== 'ids') return -1;
      if (column.kind === 'dense') {
        if (column.width !== width) return -1;
        words += rows * width;
      } else if (column.kind === 'id') words += kind === 'ids' ? 2 * rows + 1 : rows;
      else {
        if (kind !== 'ids' || !isInside(column)) return -1;
        const items = column.offsets[given] - column.offsets[0];
        words += rows + 1 + (given === rows ? items : items * rows);
      }
    }
    return words;
  }

  private grow(words: number): void {
    const buffer = new ArrayBuffer(4 * Math.ceil(words * 1.5));
    this.ints = new Int32Array(buffer);
    this.floats = new Float32Array(buffer);
    this.share(buffer);
  }

  private writeNumbers({ width, values }: EncodedDense, rows: number, at: number): number {
    if (values.length === rows * width) this.floats.set(values, at);
    else for (let row = 0; row < rows; row++) this.floats.set(values, at + row * width);
    return at + rows * width;
  }

  /** Lists, moved to begin at item 0. @returns where the next column begins */
  private writeLists({ offsets, ids }: EncodedLists, rows: number, header: number, at: number): number {
    const { ints } = this;
    const given = offsets.length - 1;
    const [first] = offsets;
    const items = ids.subarray(first, offsets[given]);
    const copies = given === rows ? 1 : rows;
    const itemsAt = at + rows + 1;
    ints[header] = itemsAt;
    ints[header + 1] = at;
    ints[header + 2] = items.length * copies;
    if (given === rows) for (let row = 0; row <= rows; row++) ints[at + row] = offsets[row] - first;
    else for (let row = 0; row <= rows; row++) ints[at + row] = row * items.length;
    for (let copy = 0; copy < copies; copy++) ints.set(items, itemsAt + copy * items.length);
    return itemsAt + items.length * copies;
  }

  /** Single ids where the program expects lists. */
  private writeSingles(ids: Int32Array, rows: number, header: number, at: number): number {
    const { ints } = this;
    const itemsAt = at + rows + 1;
    ints[header] = itemsAt;
    ints[header + 1] = at;
    ints[header + 2] = rows;
    for (let row = 0; row < rows; row++) {
      ints[at + row] = row;
      ints[itemsAt + row] = ids[ids.length === 1 ? 0 : row];
    }
    ints[at + rows] = rows;
    return itemsAt + rows;
  }
}

function rowsOf(stage: Stage, { rowCount, candidates }: ScoringInput): number {
  if (stage === 'request') return 1;
  return candidates !== undefined && (stage === 'ad' || stage === 'candidate') ? candidates.count : rowCount;
}

/** Whether the first and last offset lie inside the ids; the program checks those between. */
function isInside({ offsets, ids }: EncodedLists): boolean {
  const last = offsets[offsets.length - 1];
  return offsets[0] >= 0 && last >= offsets[0] && last <= ids.length;
}
