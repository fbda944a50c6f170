import { UserError } from '../core/errors.ts';
import type { Column } from '../schema/columns.ts';
import { columnOf } from '../schema/fields.ts';
import { type Candidates, describeCandidate } from './candidates.ts';
import { type FieldPlan, type PlainField, unknownName } from './fieldPlan.ts';
import { columnOfValues } from './values.ts';

/** Where a field's values come from in one request. */
export interface Source {
  readonly plain: PlainField;
  /** Values the request or the schema gives: one row that counts for all, one a candidate, or those that `at` points to. */
  readonly column?: Column;
  /** Each candidate's (or creative's) row of the catalog, or of `column` where negative: `-1 - row`. */
  readonly at?: Int32Array;
}

/** What values are had of: a request's candidates, or the creatives of them. */
export interface ValueRows {
  readonly count: number;
  /** Rows of the catalog's table, -1 for one that it lacks; absent without a catalog. */
  readonly known?: Int32Array;
  readonly allKnown: boolean;
  /** [count]: the candidate of each; each its own where absent. */
  readonly of?: Int32Array;
}

/** The schema's serving values, which stand for whatever a request says. */
export function constantSource(plain: PlainField): Source | undefined {
  const { name, servingValue } = plain.field;
  if (servingValue === undefined) return undefined;
  return { plain, column: columnOfValues([servingValue], plain.type, `schema: servingValue of field '${name}'`) };
}

/**
 * Finds each request field's value in user or context.
 *
 * @throws UserError that names every missing field, or an unknown one
 */
export function requestSources(
  user: Record<string, unknown>,
  context: Record<string, unknown>,
  plan: FieldPlan,
): Source[] {
  checkNames('user', user, plan);
  checkNames('context', context, plan);
  for (const name of Object.keys(user))
    if (Object.hasOwn(context, name))
      throw new UserError(`request: '${name}' is in both user and context; send it once`);
  const sources: Source[] = [];
  const missing: string[] = [];
  for (const plain of plan.request) {
    const { name } = plain.field;
    const value = valueIn(user, context, plain);
    if (value === undefined && plain.required) missing.push(`'${name}' (${plain.type})`);
    else sources.push({ plain, column: columnOfValues([value ?? null], plain.type, `request: field '${name}'`) });
  }
  if (missing.length === 0) return sources;
  throw new UserError(
    `request: user and context lack field ${missing.join(', ')}; send each in either, null where there is no value`,
  );
}

function checkNames(where: string, values: Record<string, unknown>, plan: FieldPlan): void {
  for (const name of Object.keys(values))
    if (!plan.requestNames.has(name)) unknownName(where, name, plan.requestNames, plan.candidateNames);
}

function valueIn(user: Record<string, unknown>, context: Record<string, unknown>, { names }: PlainField): unknown {
  for (const name of names) {
    if (Object.hasOwn(user, name)) return user[name];
    if (Object.hasOwn(context, name)) return context[name];
  }
  return undefined;
}

/**
 * Finds a field's value for every candidate, or creative of one: in the request where it gives one, else in the catalog; null where
 * neither has it and the model can do without.
 *
 * @param rows      what it is had of
 * @param inCatalog whether the catalog has the field
 * @throws UserError naming the first candidate without
 */
export function candidateSource(
  plain: PlainField,
  candidates: Candidates,
  rows: ValueRows,
  inCatalog: boolean,
): Source {
  const { of } = rows;
  const where = `candidates: field '${plain.field.name}'`;
  const isFound = inCatalog && isCatalogKey(plain);
  const given = isFound && rows.allKnown ? undefined : givenOf(plain, candidates);
  // A candidate may leave open which of its ad's creatives it is.
  if (given?.absent === 0 && !(isFound && of !== undefined)) {
    const column = columnOfValues(given.values, plain.type, where);
    return of === undefined ? { plain, column } : { plain, column, at: of.map((i) => -1 - i) };
  }
  const known = inCatalog ? rows.known : undefined;
  if (given === undefined && known !== undefined && rows.allKnown) return { plain, at: known };
  const at = new Int32Array(rows.count);
  const values: unknown[] = [];
  for (let row = 0; row < at.length; row++) {
    const i = of === undefined ? row : of[row];
    const isKnown = known !== undefined && known[row] >= 0;
    const value = isFound && isKnown ? undefined : given?.values[i];
    if (value !== undefined) {
      values.push(value);
      at[row] = -values.length;
    } else if (isKnown) at[row] = known[row];
    else if (!plain.required) {
      values.push(null);
      at[row] = -values.length;
    } else lacksField(plain, candidates, i, known !== undefined);
  }
  return { plain, at, column: columnOfValues(values, plain.type, where) };
}

function lacksField({ field, type, ofVariant }: PlainField, candidates: Candidates, i: number, isKept: boolean): never {
  const { adIds, catalogRows } = candidates;
  const inCatalog = (catalogRows?.[i] ?? -1) >= 0;
  const why = !isKept ? '' : inCatalog && ofVariant ? ' of a creative of its own' : ' and is not in the catalog';
  throw new UserError(
    `${describeCandidate(i, adIds[i])}: lacks field '${field.name}' (${type})${why}; send it, null where there is no value`,
  );
}

/** Whether the field is what ads or creatives are looked up by: one that was found has the id it was found by, encoded already. */
function isCatalogKey({ field, ofVariant }: PlainField): boolean {
  return field.kind === 'id' && columnOf(field) === (ofVariant ? 'creativeId' : 'adId');
}

/** What a request gives under any of a field's names, its own first. */
export function givenOf({ names }: PlainField, { given }: Candidates) {
  for (const name of names) {
    const column = given.get(name);
    if (column !== undefined) return column;
  }
  return undefined;
}
