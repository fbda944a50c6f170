import type { Static, TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { Settings } from 'typebox/system';
import { listOf, UserError } from '../core/errors.ts';
import { derivedFields } from './derivedFields.ts';
import { columnOf, embeddingSize, isEmbedded, isMade, isSequence, tableOf } from './fields.ts';
import { historyProblems } from './historyProblems.ts';
import {
  durationPattern,
  type Field,
  fieldKinds,
  type HistoryField,
  type MatchField,
  type Schema,
  SchemaFile,
} from './schema.ts';
import { alternativesAt, meantOf } from './unions.ts';

/**
 * Reads a schema file's content; every mistake in it is reported together.
 *
 * @param source how messages name it, e.g. the file's path
 * @throws UserError
 */
export function parseSchema(json: unknown, source = 'schema'): Schema {
  const problems = shapeProblems(json);
  const schema = problems.length === 0 ? readFields(json as Static<typeof SchemaFile>, problems) : undefined;
  if (schema !== undefined) problems.push(...meaningProblems(schema));
  if (problems.length > 0 || schema === undefined) throw new UserError(`${source}: ${problems.join(`\n${source}: `)}`);
  return schema;
}

/** The schema with the fields that history's stand for; without them where history's are wrong. */
function readFields(json: Static<typeof SchemaFile>, problems: string[]): Schema {
  const { $schema: _, fields, ...file } = json;
  const isHistory = (field: Field | HistoryField) => field.kind === 'sequence' || field.kind === 'counter';
  const plain = fields.filter((field) => !isHistory(field)) as Field[];
  const historyFields = fields.filter(isHistory) as HistoryField[];
  const wrong = historyProblems(json, plain, historyFields);
  problems.push(...wrong);
  if (historyFields.length === 0 || wrong.length > 0) return { ...file, fields: plain };
  const byName = new Map(plain.map((field) => [field.name, field]));
  const derived = historyFields.flatMap((field) => derivedFields(field, byName));
  return { ...file, fields: [...plain, ...derived], historyFields };
}

/** A file's text as JSON, with the place of a syntax error. */
export function parseJson(text: string, source: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UserError(`${source}: not valid JSON (${(error as Error).message}); correct the file`);
  }
}

/** What a typebox shape finds wrong with a value, one line each: where, what was expected, what was got. */
export function problemsOf(shape: TSchema, value: unknown, where: (path: string) => string): string[] {
  const errors = allErrors(shape, value);
  // A union fails once for each alternative: only the one that was meant is worth telling.
  const unions = errors.flatMap(({ keyword, schemaPath, instancePath }) => {
    const alternatives = keyword === 'anyOf' ? alternativesAt(shape, schemaPath) : undefined;
    return alternatives === undefined ? [] : [{ schemaPath, instancePath, alternatives }];
  });
  // A union of constants fails once for each and once as a whole: said once, with the choices.
  const choices = new Map<string, unknown[]>();
  for (const { keyword, instancePath, params } of errors) {
    if (keyword !== 'const') continue;
    choices.set(instancePath, [
      ...(choices.get(instancePath) ?? []),
      (params as { allowedValue: unknown }).allowedValue,
    ]);
  }
  const problems: string[] = [];
  for (const error of errors) {
    if (unions.some((union) => isInside(error, union))) continue;
    const at = where(error.instancePath);
    const union = unions.find((given) => given.schemaPath === error.schemaPath && error.keyword === 'anyOf');
    if (union !== undefined) {
      const given = valueAt(value, error.instancePath);
      const meant = meantOf(union.alternatives, given);
      if (meant === undefined)
        problems.push(
          `${at} must be one of ${union.alternatives.map(({ name }) => name).join(', ')}, got ${shown(given)}`,
        );
      else problems.push(...problemsOf(meant.shape, given, (path) => where(error.instancePath + path)));
      continue;
    }
    const params = error.params as Record<string, unknown>;
    const got = shown(valueAt(value, error.instancePath));
    const allowed = choices.get(error.instancePath);
    if (error.keyword === 'additionalProperties') {
      problems.push(
        `${at} has unknown ${listOf((params.additionalProperties as string[]).map((key) => `'${key}'`))}; remove or correct it`,
      );
    } else if (error.keyword === 'required') {
      problems.push(`${at} lacks ${listOf((params.requiredProperties as string[]).map((key) => `'${key}'`))}`);
    } else if (params.pattern === durationPattern) {
      problems.push(`${at} must be a length of time above 0, such as 90s, 10m, 4h or 1d, got ${got}`);
    } else if (allowed !== undefined) {
      if (choices.delete(error.instancePath)) problems.push(`${at} must be one of ${allowed.join(', ')}, got ${got}`);
    } else if (
      error.message !== 'schema is false' &&
      !problems.some((problem) => problem.startsWith(`${at} must be one of`))
    ) {
      // An unknown key is also reported as failing `false`; additionalProperties says it better.
      problems.push(`${at} ${error.message}, got ${got}`);
    }
  }
  return problems;
}

interface Place {
  readonly schemaPath: string;
  readonly instancePath: string;
}

/** Whether an error is that of an alternative of a union, or of something in it. */
function isInside(error: Place, union: Place): boolean {
  return (
    error.schemaPath.startsWith(`${union.schemaPath}/anyOf/`) &&
    `${error.instancePath}/`.startsWith(`${union.instancePath}/`)
  );
}

/** Shapes are few and checked often: a model's steps each against one of them. */
const compiled = new WeakMap<TSchema, ReturnType<typeof Compile>>();

/** typebox stops at 8 errors, of which one wrong constant alone may take five. */
function allErrors(shape: TSchema, value: unknown) {
  const validator = compiled.get(shape) ?? Compile(shape);
  compiled.set(shape, validator);
  const { maxErrors } = Settings.Get();
  Settings.Set({ maxErrors: 200 });
  try {
    return validator.Errors(value);
  } finally {
    Settings.Set({ maxErrors });
  }
}

function valueAt(value: unknown, path: string): unknown {
  let at = value as Record<string, unknown>;
  for (const key of path.split('/').slice(1))
    at = at?.[key.replaceAll('~1', '/').replaceAll('~0', '~')] as Record<string, unknown>;
  return at;
}

/** A value as messages show it: short. */
export function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = typeof value === 'bigint' ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function shapeProblems(json: unknown): string[] {
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    return [`expected a JSON object, got ${shown(json)}`];
  const { fields, ...rest } = json as Record<string, unknown>;
  // Fields are checked one by one against their own kind: a union's errors would name every kind.
  const shell =
    Array.isArray(fields) && fields.length > 0 ? { ...rest, fields: [{ name: 'x', kind: 'id', scope: 'ad' }] } : json;
  const problems = problemsOf(SchemaFile, shell, (path) =>
    path === '' ? 'the file' : path.slice(1).replaceAll('/', '.'),
  );
  if (!Array.isArray(fields)) return problems;
  fields.forEach((field: Record<string, unknown>, i) => {
    const label = typeof field?.name === 'string' ? `field '${field.name}'` : `fields[${i}]`;
    const kind = field?.kind as keyof typeof fieldKinds;
    if (typeof kind !== 'string' || !Object.hasOwn(fieldKinds, kind)) {
      problems.push(`${label} has kind ${shown(kind)}; use one of ${Object.keys(fieldKinds).join(', ')}`);
      return;
    }
    problems.push(
      ...problemsOf(fieldKinds[kind], field, (path) => (path === '' ? label : `${label}: ${path.slice(1)}`)),
    );
  });
  return problems;
}

function meaningProblems(schema: Schema): string[] {
  const problems: string[] = [];
  const byName = new Map<string, Field>();
  for (const field of schema.fields) {
    if (byName.has(field.name)) problems.push(`field '${field.name}' is named twice; rename one`);
    byName.set(field.name, field);
  }
  for (const name of namesIn(schema)) {
    // JSON objects keyed by it, in requests and bundles, would lose it.
    if (name === '__proto__') problems.push(`'__proto__' cannot name a field, a table, a label or a column; rename it`);
  }
  const labels = new Map(schema.labels.map((label) => [label.name, label]));
  if (labels.size < schema.labels.length) problems.push('two labels have the same name; rename one');
  const labelColumns = new Map(schema.labels.map((label) => [label.column, `label '${label.name}'`]));
  for (const { name, truth } of schema.labels)
    if (truth !== undefined) labelColumns.set(truth, `the true probability of label '${name}'`);
  for (const label of schema.labels) {
    if (label.after === undefined) continue;
    const chain = new Set([label.name]);
    for (let at: string | undefined = label.after; at !== undefined; at = labels.get(at)?.after) {
      if (!labels.has(at))
        problems.push(
          `label '${label.name}' comes after '${at}', which is no label; name one of ${listOf([...labels.keys()])}`,
        );
      if (chain.has(at)) {
        problems.push(`label '${label.name}' comes after itself; break the circle`);
        break;
      }
      chain.add(at);
    }
  }
  const tables = new Map<string, Field>();
  for (const field of schema.fields) {
    problems.push(...fieldProblems(field, byName, labelColumns));
    const table = tableOf(field);
    if (table === undefined) continue;
    const other = tables.get(table) ?? field;
    tables.set(table, other);
    problems.push(...sharingProblems(table, other, field));
  }
  for (const slice of schema.slices ?? []) {
    if (byName.get(slice)?.kind !== 'id')
      problems.push(`slice '${slice}' is not a field of kind 'id'; name one that is`);
  }
  return problems;
}

/** Every name that some object is keyed by. */
function namesIn({ fields, labels, keys, time, user, request, position, weight }: Schema): Set<string | undefined> {
  const columns = fields.flatMap((field) => (isMade(field) ? [] : [columnOf(field)]));
  const ofLabels = labels.flatMap(({ name, column, truth }) => [name, column, truth]);
  const named = [
    ...fields.map((field) => field.name),
    ...fields.map(tableOf),
    ...columns,
    ...ofLabels,
    ...(keys ?? []),
  ];
  return new Set([...named, time, user, request, position, weight]);
}

/** Two fields can share a table only where an id means the same row to both. */
function sharingProblems(table: string, first: Field, second: Field): string[] {
  const problems: string[] = [];
  const both = `fields '${first.name}' and '${second.name}' share table '${table}'`;
  if ((first.kind === 'number') !== (second.kind === 'number'))
    problems.push(`${both}, but quantiles of a number are no ids; name another table`);
  const differ = (what: string, a: number | string, b: number | string) => {
    if (a !== b) problems.push(`${both} but differ in ${what} (${a} and ${b}); make them equal`);
  };
  const settings = (field: Field) => field as { minCount?: number; buckets?: number; identity?: number };
  differ('size', embeddingSize(first), embeddingSize(second));
  differ('minCount', settings(first).minCount ?? 1, settings(second).minCount ?? 1);
  differ('buckets', settings(first).buckets ?? 'none', settings(second).buckets ?? 'none');
  differ('identity', settings(first).identity ?? 'none', settings(second).identity ?? 'none');
  return problems;
}

function fieldProblems(field: Field, byName: Map<string, Field>, labelColumns: Map<string, string>): string[] {
  const problems: string[] = [];
  if ('buckets' in field && field.buckets !== undefined && field.minCount !== undefined)
    problems.push(`field '${field.name}' has both minCount and buckets; hashing keeps no counts of ids: remove one`);
  if (field.kind === 'cross') {
    for (const part of new Set(field.of)) {
      if (field.of.indexOf(part) !== field.of.lastIndexOf(part))
        problems.push(`cross '${field.name}' is of '${part}' twice; name it once`);
      const other = byName.get(part);
      if (other === undefined)
        problems.push(`cross '${field.name}' is of '${part}', which is no field; name fields of kind id or ids`);
      else if (other.kind !== 'id' && other.kind !== 'ids') {
        problems.push(
          `cross '${field.name}' is of '${part}', which has kind '${other.kind}'; name fields of kind id or ids`,
        );
      } else if (isSequence(other))
        problems.push(`cross '${field.name}' is of '${part}', a sequence, which has no crosses; name another`);
    }
    return problems;
  }
  if (field.kind === 'match') return matchProblems(field, byName);
  if ((field.kind === 'id' || field.kind === 'ids') && field.identity !== undefined) {
    for (const key of ['minCount', 'buckets'] as const)
      if (field[key] !== undefined)
        problems.push(`field '${field.name}' has both identity and ${key}; its values are rows already: remove one`);
  }
  if (field.kind === 'vector' && field.clip !== undefined && !field.standardise)
    problems.push(`field '${field.name}' has a clip but is not standardised; set "standardise": true or remove clip`);
  const label = labelColumns.get(columnOf(field));
  if (label !== undefined) {
    problems.push(
      `field '${field.name}' reads column '${columnOf(field)}', which is ${label} and cannot be a feature; remove the field`,
    );
  }
  if (field.kind === 'number' && field.size !== undefined && !isEmbedded(field)) {
    problems.push(`field '${field.name}' has a size but no quantiles; add quantiles or remove size`);
  }
  const { servingValue } = field;
  if (typeof servingValue === 'string' && field.kind === 'number')
    problems.push(
      `field '${field.name}' has servingValue ${shown(servingValue)}; a number field's is a number or null`,
    );
  if (servingValue !== undefined && servingValue !== null && (field.kind === 'ids' || field.kind === 'vector'))
    problems.push(
      `field '${field.name}' has servingValue ${shown(servingValue)}; that of kind '${field.kind}' can only be null`,
    );
  return problems;
}

function matchProblems({ name, of }: MatchField, byName: ReadonlyMap<string, Field>): string[] {
  if (of[0] === of[1]) return [`match '${name}' is of '${of[0]}' twice; name two fields`];
  const problems: string[] = [];
  const tables = of.map((part) => {
    const other = byName.get(part);
    if (other?.kind === 'id' || other?.kind === 'ids') return tableOf(other);
    const what = other === undefined ? 'is no field' : `has kind '${other.kind}'`;
    problems.push(`match '${name}' is of '${part}', which ${what}; name fields of kind id or ids`);
    return undefined;
  });
  if (problems.length === 0 && tables[0] !== tables[1])
    problems.push(
      `match '${name}' is of '${of[0]}' and '${of[1]}', whose ids are of different tables ('${tables[0]}' and '${tables[1]}'); give both the same "table"`,
    );
  return problems;
}
