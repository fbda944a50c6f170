import { UserError } from '../../src/core/errors.ts';
import type { Field, Schema } from '../../src/schema/schema.ts';
import type { Scope } from '../../src/schema/scopes.ts';
import type { ColumnProfile, TableProfile } from './profileTable.ts';

export interface DraftedColumn {
  readonly column: ColumnProfile;
  /** The field drafted for it, if any. */
  readonly field?: Field;
  /** Why there is none, or what to look at. */
  readonly note?: string;
}

export interface Draft {
  readonly schema: Schema & { $schema: string };
  readonly columns: readonly DraftedColumn[];
}

/** Columns that go with the label as no honest feature does. */
const leakAuc = 0.85;
/** Whole numbers with more values than this are quantities; with fewer, codes, unless their name says otherwise. */
const codeValues = 100;

const outcomeName =
  /(^|_)(clicks?|clicked|conv|converted|conversions?|purchased?|installed|dwell|view_time|play_time|watch_time|stay_time|engaged|engagement|revenue|long_view|true_p|propensity)(_|$)|^(is_)?(like|follow|share|comment|hate|forward|profile_enter)(d|ed)?$/i;
const timeName = /(^|_)(time|timestamp|ts|time_ms|date|dt|day)$/i;
const userName = /^(user|uid|user_?id|visitor|device_?id|customer)/i;
const requestName = /^(request|req|session|query|page_?view|impression)_?id$/i;
const adName =
  /^(ad|campaign|advertiser|creative|item|video|author|product|brand|category|cate|bid|price|title|image|landing|music|tag|upload|server|duration|topic|format)/i;
const positionName = /^(position|slot|rank)$/i;
const creativeName = /^(creative|image|title|headline|thumb)/i;
const idName = /(_id|id|_code|_type|_feat\d*|_class|_level|_category|tag|topic)$/i;

/**
 * Drafts a schema from a table's profile: a kind and a size for each column, guesses from names and values that a person
 * then corrects.
 *
 * @throws UserError if the table has no such label, or it is not of 0 and 1
 */
export function draftSchema(profile: TableProfile, label: string): Draft {
  const target = profile.columns.find((column) => column.name === label);
  if (target === undefined) {
    const names = profile.columns.map((column) => column.name).join(', ');
    throw new UserError(`--label: the table has no column '${label}'; it has ${names}`, 'missing');
  }
  if (!target.whole || target.low === undefined || target.low < 0 || (target.high ?? 2) > 1 || target.nulls > 0) {
    throw new UserError(
      `--label: column '${label}' is no label: expected 0 and 1 in every row, got ${target.type} such as ${target.examples.join(', ')}${target.nulls > 0 ? ` and ${target.nulls} nulls` : ''}; name another column`,
    );
  }
  const others = profile.columns.filter((column) => column.name !== label);
  const named = (pattern: RegExp) => others.find((column) => pattern.test(column.name))?.name;
  const time = others.find(
    (column) => column.meaning === 'timestamp' || (timeName.test(column.name) && (column.high ?? 0) > 1e11),
  )?.name;
  const user = named(userName);
  const taken = new Set<string>();
  const columns: DraftedColumn[] = [
    { column: target, note: 'the label' },
    ...others.map((column) => drafted(column, { time, profile, taken })),
  ];
  const fields = columns.flatMap(({ field }) => (field === undefined ? [] : [field]));
  if (fields.length === 0)
    throw new UserError('no column of the table looks like a feature; write the schema by hand (docs/schema.md)');
  const schema = {
    $schema: './node_modules/limelight/schema/limelight.schema.json',
    name: 'my_model',
    labels: [{ name: 'click', column: label }],
    ...(time === undefined ? {} : { time }),
    ...(user === undefined ? {} : { user }),
    ...(named(requestName) === undefined ? {} : { request: named(requestName) }),
    ...(named(positionName) === undefined ? {} : { position: named(positionName) }),
    fields,
  };
  return { schema, columns };
}

interface Drafting {
  readonly time?: string;
  readonly profile: TableProfile;
  /** Names of the fields so far. */
  readonly taken: Set<string>;
}

function drafted(column: ColumnProfile, { time, profile, taken }: Drafting): DraftedColumn {
  const { name, distinct, labelAuc = 0.5 } = column;
  if (name === time) return { column, note: 'the time of the impression' };
  if (outcomeName.test(name))
    return { column, note: 'looks like an outcome: known only after the impression; left out' };
  if (labelAuc > leakAuc)
    return { column, note: `alone gives the label with AUC ${labelAuc.toFixed(2)}: it probably leaks; left out` };
  // Of many values some are bound to: a user who clicks on everything.
  if (column.impliesLabel && distinct <= codeValues)
    return { column, note: 'has a value that never comes without the label: it probably leaks; left out' };
  if (column.nulls === column.rows) return { column, note: 'has no values; left out' };
  if (distinct <= 1 && column.nulls === 0) return { column, note: 'has one value; left out' };
  if (requestName.test(name) || timeName.test(name)) return { column, note: 'names a moment or a request; left out' };
  if (column.type === 'list of number' && !column.length)
    return { column, note: 'has lists of numbers of different lengths; left out' };
  const field = fieldOf(column, profile.rows, taken);
  if (field === undefined) return { column, note: 'almost every row has its own value: an id of the row; left out' };
  const unknown = scopeGuess(name) === undefined ? 'check the scope: a guess' : undefined;
  return { column, field, note: unknown };
}

/** Undefined where nothing suggests whose the value is. */
function scopeGuess(name: string): Scope | undefined {
  if (creativeName.test(name)) return 'creative';
  if (adName.test(name)) return 'ad';
  return /^(user|visitor|device|os|age|gender|city|region|country|language|placement|position|slot|hour|weekday|tab|context|page|site|app|network|follow|fans|friend|register|is_|onehot)/i.test(
    name,
  )
    ? 'request'
    : undefined;
}

/** A field's name for a column: its own where that is one, else the nearest to it that no other field has. */
function fieldName(column: string, taken: Set<string>): string {
  const plain = column === '__proto__' ? 'proto' : column.replace(/\W+/g, '_').replace(/^(?=\d|$)/, '_');
  let name = plain;
  for (let twin = 2; taken.has(name); twin++) name = `${plain}_${twin}`;
  taken.add(name);
  return name;
}

function fieldOf(column: ColumnProfile, rows: number, taken: Set<string>): Field | undefined {
  const { type, distinct } = column;
  const scope = scopeGuess(column.name) ?? 'request';
  const name = fieldName(column.name, taken);
  const field = name === column.name ? { name, scope } : { name, column: column.name, scope };
  const id = {
    ...field,
    kind: 'id' as const,
    // Where an ad will be shown is not known before the auction: it is served as if in the first slot.
    ...(positionName.test(column.name) ? { servingValue: 1 } : {}),
    size: suggestedSize(distinct),
    ...(distinct > 100 ? { minCount: 3 } : {}),
  };
  if (type === 'list of number' && column.length)
    return { ...field, kind: 'vector', length: column.length, invalid: 'missing' };
  if (type.startsWith('list'))
    return { ...field, kind: 'ids', size: suggestedSize(distinct), ...(distinct > 100 ? { minCount: 3 } : {}) };
  if (type === 'text') return distinct > 0.9 * rows && rows > 100 ? undefined : id;
  // pandas keeps whole numbers as floats where some are missing.
  const exact = Math.max(column.high ?? 0, -(column.low ?? 0)) <= Number.MAX_SAFE_INTEGER;
  if ((type === 'integer' && (distinct <= codeValues || !exact)) || (column.whole && idName.test(column.name)))
    return distinct > 0.9 * rows && rows > 100 ? undefined : id;
  const skewed = (column.low ?? 0) >= 0 && (column.high ?? 0) > 100;
  return {
    ...field,
    kind: 'number',
    ...(skewed ? { transform: 'log1p' as const } : {}),
    ...(column.whole ? {} : { invalid: 'missing' as const }),
  };
}

/** Between 4 and 16 by the number of values: more room than the values have bits is wasted. */
function suggestedSize(distinct: number): number {
  return distinct > 64 ? 16 : distinct > 8 ? 8 : 4;
}
