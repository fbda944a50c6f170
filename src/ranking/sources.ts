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
  /** Each candidate's row of the catalog, or of `column` where negative: `-1 - row`. */
  readonly at?: Int32Array;
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
 * Finds a field's value for every candidate: in the request where it gives one, else in the catalog; null where neither has it and
 * the model can do without.
 *
 * @param inCatalog whether the catalog has the field
 * @throws UserError naming the first candidate without
 */
export function candidateSource(plain: PlainField, candidates: Candidates, inCatalog: boolean): Source {
  const { name } = plain.field;
  const where = `candidates: field '${name}'`;
  const isFound = inCatalog && candidates.allInCatalog && isCatalogKey(plain);
  const given = isFound ? undefined : givenOf(plain, candidates);
  if (given?.absent === 0) return { plain, column: columnOfValues(given.values, plain.type, where) };
  const rows = inCatalog ? candidates.catalogRows : undefined;
  if (given === undefined && rows !== undefined && candidates.allInCatalog) return { plain, at: rows };
  const at = new Int32Array(candidates.count);
  const values: unknown[] = [];
  for (let i = 0; i < at.length; i++) {
    const value = given?.values[i];
    if (value !== undefined) {
      values.push(value);
      at[i] = -values.length;
    } else if (rows !== undefined && rows[i] >= 0) at[i] = rows[i];
    else if (!plain.required) {
      values.push(null);
      at[i] = -values.length;
    } else {
      const why = rows === undefined ? '' : ' and is not in the catalog';
      throw new UserError(
        `${describeCandidate(i, candidates.adIds[i])}: lacks field '${name}' (${plain.type})${why}; send it, null where there is no value`,
      );
    }
  }
  return { plain, at, column: columnOfValues(values, plain.type, where) };
}

/** Whether the field is what ads are looked up by: an ad that was found has the id it was found by, encoded already. */
function isCatalogKey({ field }: PlainField): boolean {
  return field.kind === 'id' && columnOf(field) === 'adId';
}

/** What a request gives under any of a field's names, its own first. */
export function givenOf({ names }: PlainField, { given }: Candidates) {
  for (const name of names) {
    const column = given.get(name);
    if (column !== undefined) return column;
  }
  return undefined;
}
