import { UserError } from '../core/errors.ts';
import type { EncodedColumn, EncodedFields, EncodedLists } from '../schema/encoded.ts';
import { defaultMaxItems } from '../schema/encoder.ts';
import { denseWidth, isEmbedded, isSequence, tableOf } from '../schema/fields.ts';
import type { Fitted } from '../schema/fitted.ts';
import type { Field } from '../schema/schema.ts';
import type { TypedModel } from './checkModel.ts';
import { decodeSafetensors, encodeSafetensors, type Tensor } from './safetensors.ts';
import { takenFields } from './takenFields.ts';

/** Validation rows as the model takes them, with what came of them: what a precision is judged by. */
export interface Sample {
  /** Of every field that the model takes, one value a row. */
  readonly input: EncodedFields;
  /** 0 or 1 a row, by task; without the tasks whose label the data lacked. */
  readonly labels: ReadonlyMap<string, Float32Array>;
}

/** `fields/<field>.ids`, `.offsets` and `.values`, and `labels/<task>`. */
export function encodeSample({ input, labels }: Sample): Uint8Array {
  const tensors = new Map<string, Tensor>();
  for (const [name, column] of input.fields) {
    if (column.kind === 'dense') {
      const shape = [input.rowCount, column.width];
      tensors.set(`fields/${name}.values`, { shape, values: column.values });
    } else {
      tensors.set(`fields/${name}.ids`, { shape: [column.ids.length], values: column.ids });
      if (column.kind === 'ids')
        tensors.set(`fields/${name}.offsets`, { shape: [input.rowCount + 1], values: column.offsets });
    }
  }
  for (const [task, values] of labels) tensors.set(`labels/${task}`, { shape: [input.rowCount], values });
  return encodeSafetensors(tensors);
}

/**
 * Reads what `encodeSample` wrote; `checkSample` proves that it fits the model.
 *
 * @throws UserError if a tensor is missing or of another type
 */
export function decodeSample(bytes: Uint8Array, typed: TypedModel, source: string): Sample {
  const tensors = decodeSafetensors(bytes, source);
  const get = <T>(name: string, type: new (length: number) => T): T => {
    const values = tensors.get(name)?.values;
    if (values instanceof type) return values;
    const problem = values === undefined ? 'is missing' : `is of ${values.constructor.name}, expected ${type.name}`;
    throw new UserError(`${source}: '${name}' ${problem}; restore the bundle or train it anew`);
  };
  const columnOf = (field: Field): EncodedColumn => {
    const name = `fields/${field.name}`;
    if (!isEmbedded(field))
      return { kind: 'dense', width: denseWidth(field), values: get(`${name}.values`, Float32Array) };
    const ids = get(`${name}.ids`, Int32Array);
    if (!tensors.has(`${name}.offsets`)) return { kind: 'id', ids };
    const pooling = field.kind === 'ids' ? (field.pooling ?? 'mean') : 'mean';
    return { kind: 'ids', offsets: get(`${name}.offsets`, Int32Array), ids, pooling };
  };
  const fields = new Map(takenFields(typed).map((field) => [field.name, columnOf(field)]));
  const labels = new Map<string, Float32Array>();
  for (const { name } of typed.model.tasks)
    if (tensors.has(`labels/${name}`)) labels.set(name, get(`labels/${name}`, Float32Array));
  const [first] = fields.values();
  return { input: { rowCount: first === undefined ? 0 : rowsOf(first), fields }, labels };
}

/**
 * Checks that every column has a value a row, every id is a row of its table, and every label is 0 or 1.
 *
 * @param fail throws, saying whose sample it is
 */
export function checkSample(
  { input, labels }: Sample,
  typed: TypedModel,
  fitted: Fitted,
  fail: (what: string) => never,
): void {
  const { rowCount, fields } = input;
  for (const field of takenFields(typed)) {
    const column = fields.get(field.name);
    if (column === undefined) fail(`has a sample without field '${field.name}'`);
    if (column.kind === 'ids' && !ascends(column))
      fail(`has a sample whose offsets of '${field.name}' do not ascend within its ${column.ids.length} ids`);
    if (column.kind === 'ids' && isSequence(field) && longestRow(column) > (field.maxItems ?? defaultMaxItems))
      fail(`has a sample with longer rows of '${field.name}' than ${field.maxItems ?? defaultMaxItems}`);
    const rows = rowsOf(column);
    if (rows !== rowCount) fail(`has a sample of ${rows} rows of '${field.name}', expected ${rowCount}`);
    if (column.kind === 'dense') {
      if (!column.values.every(Number.isFinite))
        fail(`has a sample with numbers of '${field.name}' that are not finite`);
      continue;
    }
    const tableRows = fitted.vocabularies.get(tableOf(field) as string)?.rows ?? 0;
    // Compared without sign, a negative id is a large one.
    const outside = column.ids.findIndex((id) => id >>> 0 >= tableRows);
    if (outside >= 0)
      fail(`has a sample with id ${column.ids[outside]} of '${field.name}', outside its table of ${tableRows} rows`);
  }
  for (const [task, values] of labels) {
    if (values.length !== rowCount) fail(`has a sample of ${values.length} labels '${task}', expected ${rowCount}`);
    if (!values.every((y) => y === 0 || y === 1)) fail(`has a sample with labels '${task}' other than 0 and 1`);
  }
}

const rowsOf = (column: EncodedColumn): number =>
  column.kind === 'id'
    ? column.ids.length
    : column.kind === 'ids'
      ? column.offsets.length - 1
      : column.values.length / column.width;

function longestRow({ offsets }: EncodedLists): number {
  let longest = 0;
  for (let row = 1; row < offsets.length; row++) longest = Math.max(longest, offsets[row] - offsets[row - 1]);
  return longest;
}

function ascends({ offsets, ids }: EncodedLists): boolean {
  if (offsets.length === 0 || offsets[0] !== 0 || offsets[offsets.length - 1] !== ids.length) return false;
  for (let row = 1; row < offsets.length; row++) if (offsets[row] < offsets[row - 1]) return false;
  return true;
}
