import { listOf, UserError } from '../core/errors.ts';
import type { TypedModel } from '../model/checkModel.ts';
import type { StepOf } from '../model/steps.ts';
import { takenFields } from '../model/takenFields.ts';
import type { EncodedColumn, EncodedLists } from '../schema/encoded.ts';
import { denseWidth, isEmbedded, scopeOfField, tableOf } from '../schema/fields.ts';
import type { CandidateRows, ScoringInput } from './scorer.ts';

/** A field as some step of the model takes it. */
interface UsedField {
  readonly name: string;
  /** Rows of its tables, which all share one vocabulary; 0 for a dense field. */
  readonly tableRows: number;
  /** Numbers a row of a dense field; 0 for an embedded one. */
  readonly width: number;
  /** Whether creatives of one candidate have it alike: a field of scope `ad` or `candidate`. */
  readonly isOfCandidate: boolean;
}

/**
 * Makes the check every engine applies to its input before it touches memory: each field the model takes is there, of
 * the right kind and number of rows, and each id lies inside its table. Costs one pass over the ids.
 *
 * @param rowsOf rows of a vocabulary's tables
 */
export function createInputCheck(
  typed: TypedModel,
  rowsOf: (vocabulary: string) => number,
): (input: ScoringInput) => void {
  const used = fieldsOf(typed, rowsOf);
  const sequences = typed.model.steps.filter((step) => step.op === 'embedSequence');
  return (input) => {
    if (!Number.isSafeInteger(input.rowCount) || input.rowCount < 0)
      throw new UserError(`scoring input: expected a row count of 0 or more, got ${input.rowCount}; count the rows`);
    if (input.candidates !== undefined) checkCandidates(input.candidates, input.rowCount);
    for (const field of used) checkField(field, input);
    for (const step of sequences) checkSequence(step, input);
  };
}

/** The names of the fields a model takes, in the order it takes them: what must be encoded. */
export function fieldNames(typed: TypedModel): string[] {
  return takenFields(typed).map((field) => field.name);
}

function fieldsOf(typed: TypedModel, rowsOf: (vocabulary: string) => number): UsedField[] {
  const byName = new Map(typed.schema.fields.map((field) => [field.name, field]));
  return takenFields(typed).map((field) => ({
    name: field.name,
    tableRows: isEmbedded(field) ? rowsOf(tableOf(field) as string) : 0,
    width: isEmbedded(field) ? 0 : denseWidth(field),
    isOfCandidate: ['ad', 'candidate'].includes(scopeOfField(field, byName)),
  }));
}

function checkField({ name, tableRows, width, isOfCandidate }: UsedField, input: ScoringInput): void {
  const { fields, rowCount, candidates } = input;
  const column = fields.get(name);
  if (column === undefined) {
    throw new UserError(
      `scoring input: field '${name}' is missing; the model takes it, the input has ${listOf([...fields.keys()]) || 'no field'}`,
      'missing',
    );
  }
  if ((column.kind === 'dense') !== width > 0) {
    throw new UserError(
      `scoring input: field '${name}' is ${column.kind === 'dense' ? 'dense' : 'of ids'}, the model takes it ${width > 0 ? 'dense' : 'as ids'}; encode it with the bundle's own schema`,
    );
  }
  if (column.kind === 'dense' && column.width !== width) {
    throw new UserError(
      `scoring input: field '${name}' has ${column.width} numbers a row, the model takes ${width}; encode it with the bundle's own schema`,
    );
  }
  const rows = rowsIn(column);
  const mayBe = candidates !== undefined && isOfCandidate ? [rowCount, candidates.count, 1] : [rowCount, 1];
  if (!mayBe.includes(rows)) {
    throw new UserError(
      `scoring input: field '${name}' has ${rows} rows, expected ${mayBe.join(' or ')}; give every field one value a row`,
    );
  }
  if (column.kind === 'dense') return;
  if (column.kind === 'ids') checkOffsets(name, column.offsets, column.ids.length);
  checkIds(name, column.ids, tableRows);
}

/**
 * Checks that rows are of the candidates 0 to `count` − 1, one after the other, each once or more.
 *
 * @throws UserError saying where they are not
 */
export function checkCandidates({ count, of }: CandidateRows, rowCount: number): void {
  const fail = (what: string): never => {
    throw new UserError(
      `scoring input: ${what}; list the creatives of candidate 0 first, then those of 1, to the last of all`,
    );
  };
  if (!Number.isSafeInteger(count) || count < 0) fail(`expected a count of candidates of 0 or more, got ${count}`);
  if (of.length !== rowCount) fail(`${rowCount} rows have ${of.length} numbers of candidates`);
  for (let row = 0, last = 0; row < rowCount; last = of[row++]) {
    const next = row === 0 ? 0 : last + 1;
    if (of[row] !== last && of[row] !== next)
      fail(`row ${row} is of candidate ${of[row]}, expected ${last} or ${next}`);
  }
  const named = rowCount === 0 ? 0 : of[rowCount - 1] + 1;
  if (named !== count) fail(`there are ${count} candidates, the rows are of ${named}`);
}

function checkOffsets(name: string, offsets: Int32Array, items: number): void {
  let ordered = offsets[0] >= 0 && offsets[offsets.length - 1] <= items;
  for (let row = 1; row < offsets.length; row++) ordered &&= offsets[row] >= offsets[row - 1];
  if (!ordered)
    throw new UserError(
      `scoring input: field '${name}' has offsets that do not ascend within its ${items} ids; encode it anew`,
    );
}

/** The lists of a sequence are of the same events, as many as the model takes at most. */
function checkSequence({ inputs, length }: StepOf<'embedSequence'>, { fields }: ScoringInput): void {
  const [first, ...others] = inputs.map((name) => {
    const column = fields.get(name) as EncodedColumn;
    if (column.kind === 'ids') return column;
    throw new UserError(
      `scoring input: field '${name}' has one id a row, the model takes a list; encode it with the bundle's own schema`,
    );
  });
  const count = ({ offsets }: EncodedLists, row: number) => offsets[row + 1] - offsets[row];
  for (let row = 0; row < rowsIn(first); row++) {
    if (count(first, row) <= length) continue;
    throw new UserError(
      `scoring input: field '${inputs[0]}' has ${count(first, row)} events in row ${row}, the model takes ${length} at most; encode it with the bundle's own schema`,
    );
  }
  others.forEach((other, i) => {
    const [a, b] = [inputs[0], inputs[i + 1]];
    if (rowsIn(other) !== rowsIn(first))
      throw new UserError(
        `scoring input: fields '${a}' and '${b}' have ${rowsIn(first)} and ${rowsIn(other)} rows; lists of one sequence need as many`,
      );
    for (let row = 0; row < rowsIn(first); row++) {
      if (count(other, row) !== count(first, row))
        throw new UserError(
          `scoring input: fields '${a}' and '${b}' have ${count(first, row)} and ${count(other, row)} events in row ${row}; lists of one sequence need as many`,
        );
    }
  });
}

/**
 * Checks that ids are rows of their table.
 *
 * @throws UserError naming the first that is not
 */
export function checkIds(name: string, ids: Int32Array, tableRows: number): void {
  for (let i = 0; i < ids.length; i++) {
    // Compared without sign, a negative id is a large one.
    if (ids[i] >>> 0 >= tableRows) {
      throw new UserError(
        `scoring input: field '${name}' has id ${ids[i]} at ${i}, outside its table of ${tableRows} rows; encode it with the bundle's own vocabulary`,
      );
    }
  }
}

/** How many rows a column has. */
export function rowsIn(column: EncodedColumn): number {
  switch (column.kind) {
    case 'id':
      return column.ids.length;
    case 'ids':
      return column.offsets.length - 1;
    case 'dense':
      return column.values.length / column.width;
  }
}
