import { listOf, UserError } from '../core/errors.ts';
import { nearestName } from '../core/nearestName.ts';
import { keysReadOf, takenHistory } from '../history/takenHistory.ts';
import type { TypedModel } from '../model/checkModel.ts';
import { historyColumns } from '../schema/derivedFields.ts';
import { columnOf, isMade, scopeOfField } from '../schema/fields.ts';
import type { ColumnType, Fitted } from '../schema/fitted.ts';
import type { CrossField, Field, MadeField, MatchField } from '../schema/schema.ts';
import { fieldNames } from '../scoring/input.ts';
import { requestType } from './values.ts';

/** A field whose value is given, not made of others. */
export interface PlainField {
  readonly field: Exclude<Field, MadeField>;
  /** What requests must send. */
  readonly type: ColumnType;
  /** The names its value may have in a request, the field's own first. */
  readonly names: readonly string[];
  /** Whether the model takes it as it is, or a match of ids does; otherwise only crosses or history do. */
  readonly direct: boolean;
  /** Whether history looks something up by it. */
  readonly isKey: boolean;
  /** Whether it must be sent; what only history asks for is no value where it is not. */
  readonly required: boolean;
  /** Whether it may differ from one creative of an ad to the other. */
  readonly ofVariant: boolean;
}

/** Which of a model's fields a request gives, and where; those that history makes are of no request. */
export interface FieldPlan {
  /** In user or context. */
  readonly request: readonly PlainField[];
  /** With each candidate, or in the catalog. */
  readonly candidate: readonly PlainField[];
  /** Nowhere: the schema has a value for serving. */
  readonly constant: readonly PlainField[];
  readonly crosses: readonly CrossField[];
  readonly matches: readonly MatchField[];
  /** Names of all the model takes or matches, history's fields too. */
  readonly direct: ReadonlySet<string>;
  /** Every name that user and context, or candidates, may hold; those the model does not take are ignored. */
  readonly requestNames: ReadonlySet<string>;
  readonly candidateNames: ReadonlySet<string>;
}

/** What a candidate has beside its fields; `creativeId` where there is a table of creatives. */
export const candidateKeys = ['adId', 'campaignId', 'advertiserId', 'bidType', 'bidMicros'] as const;

/**
 * Sorts the fields a model takes by the side of the request they come from.
 *
 * @param namesCreatives whether candidates may name a creative
 */
export function planFields(typed: TypedModel, fitted: Fitted, namesCreatives = false): FieldPlan {
  const { schema } = typed;
  const byName = new Map(schema.fields.map((field) => [field.name, field]));
  const used = fieldNames(typed).map((name) => byName.get(name) as Field);
  const crosses = used.filter((field) => field.kind === 'cross');
  const crossed = new Set(crosses.flatMap((field) => field.of));
  const matches = used.filter((field) => field.kind === 'match');
  const direct = new Set([...used.map((field) => field.name), ...matches.flatMap((field) => field.of)]);
  const keys = keysReadOf(takenHistory(schema, direct));
  const isRequests = (field: Field) => scopeOfField(field, byName) === 'request';
  const derived = historyColumns(schema);
  const plain = schema.fields.filter((field) => !isMade(field) && !derived.has(field.name)) as PlainField['field'][];
  const needed = plain.filter(({ name }) => direct.has(name) || crossed.has(name) || keys.has(name));
  const planned = (field: PlainField['field']): PlainField => ({
    field,
    type: requestType(field, fitted.columnTypes.get(columnOf(field)) as ColumnType),
    names: [...new Set([field.name, columnOf(field)])],
    direct: direct.has(field.name),
    isKey: keys.has(field.name),
    required: direct.has(field.name) || crossed.has(field.name),
    ofVariant: isOfVariant(field, byName),
  });
  const given = needed.filter((field) => field.servingValue === undefined);
  const roles = [schema.user, schema.request, schema.time, schema.position].filter((name) => name !== undefined);
  const namesOf = (fields: readonly Field[]) => fields.flatMap((field) => [field.name, columnOf(field)]);
  return {
    request: given.filter(isRequests).map(planned),
    candidate: given.filter((field) => !isRequests(field)).map(planned),
    constant: needed.filter((field) => field.servingValue !== undefined).map(planned),
    crosses,
    matches,
    direct,
    requestNames: new Set([...namesOf(plain.filter(isRequests)), ...roles]),
    candidateNames: new Set([
      ...candidateKeys,
      ...(namesCreatives ? ['creativeId'] : []),
      ...namesOf(plain.filter((field) => !isRequests(field))),
      ...roles,
    ]),
  };
}

/** Whether a field's value may differ from one creative of an ad to the other. */
export function isOfVariant(field: Field, byName: ReadonlyMap<string, Field>): boolean {
  const scope = scopeOfField(field, byName);
  return scope === 'creative' || scope === 'variant';
}

/** Refuses a name that this side of the request does not know, and says which it may have meant. */
export function unknownName(where: string, name: string, own: ReadonlySet<string>, others: ReadonlySet<string>): never {
  if (others.has(name)) {
    const other = where.startsWith('candidates') ? 'user or context' : 'the candidates';
    throw new UserError(`${where}: '${name}' is a field of ${other}; send it there`);
  }
  const meant = nearestName(name, own);
  const guess = meant === undefined ? `it knows ${listOf([...own], 40)}` : `did you mean '${meant}'?`;
  const hint = name === 'creativeId' ? 'no creatives are loaded; add --creatives, or leave it out' : guess;
  throw new UserError(`${where}: unknown field '${name}'; ${hint}`);
}
