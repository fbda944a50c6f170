import { UserError } from '../core/errors.ts';
import { shown } from '../schema/parseSchema.ts';
import type { CandidateRules } from './candidates.ts';
import { unknownName } from './fieldPlan.ts';

/** One name's values over all candidates; `undefined` where a candidate has none, which `null`, a missing value, is not. */
export interface GivenColumn {
  readonly values: readonly unknown[];
  /** How many are `undefined`. */
  readonly absent: number;
}

export interface GivenValues {
  readonly count: number;
  /** By the name the request used; names that no candidate has are not here. */
  readonly columns: ReadonlyMap<string, GivenColumn>;
}

/** One value stands for all candidates of a columnar request under these names. */
const alike = new Set(['bidType', 'bidMicros']);

/**
 * Reads candidates in either form, as columns: an array of rows (or bare ad ids), or an object with one array a name.
 *
 * @throws UserError for none, too many, an unknown name, arrays of different lengths
 */
export function readGiven(json: readonly unknown[] | Record<string, unknown>, rules: CandidateRules): GivenValues {
  if (Array.isArray(json)) {
    checkCount(json.length, rules.most);
    const areIds = json.every((row) => typeof row === 'number' || typeof row === 'string');
    const columns = areIds ? new Map([['adId', { values: json, absent: 0 }]]) : fromRows(json, rules);
    return { count: json.length, columns };
  }
  return fromColumns(json as Record<string, unknown>, rules);
}

function checkCount(count: number, most: number): void {
  if (count === 0) throw new UserError('candidates: expected at least 1, got 0; send the ads to rank');
  if (count > most) {
    throw new UserError(
      `candidates: expected at most ${most}, got ${count}; send fewer, in several requests, or raise the limit (--max-candidates)`,
      'tooLarge',
    );
  }
}

function fromColumns(json: Record<string, unknown>, rules: CandidateRules): GivenValues {
  const { names, requestNames } = rules;
  const ids = Object.hasOwn(json, 'adId') ? json.adId : undefined;
  if (!Array.isArray(ids)) {
    throw new UserError(
      `candidates: 'adId' is ${shown(ids)}; expected an array of ad ids beside arrays of the other fields, or an array of rows`,
    );
  }
  const count = ids.length;
  checkCount(count, rules.most);
  const columns = new Map<string, GivenColumn>();
  for (const name of Object.keys(json)) {
    if (!names.has(name)) unknownName('candidates', name, names, requestNames);
    const values = json[name];
    if (Array.isArray(values)) {
      if (values.length !== count) {
        throw new UserError(
          `candidates: '${name}' has ${values.length} values but 'adId' has ${count}; send one a candidate, null where there is none`,
        );
      }
      columns.set(name, { values, absent: 0 });
    } else if (alike.has(name)) {
      columns.set(name, { values: new Array(count).fill(values), absent: 0 });
    } else {
      throw new UserError(`candidates: '${name}' is ${shown(values)}; expected an array of ${count} values`);
    }
  }
  return { count, columns };
}

function fromRows(rows: readonly unknown[], rules: CandidateRules): ReadonlyMap<string, GivenColumn> {
  const count = rows.length;
  const ids = new Array<unknown>(count);
  const objects = new Array<Record<string, unknown> | undefined>(count);
  // What each row still has that no name has claimed.
  const unclaimed = new Int32Array(count);
  let bare = 0;
  for (let i = 0; i < count; i++) {
    const row = rows[i];
    if (typeof row === 'object' && row !== null && !Array.isArray(row)) {
      objects[i] = row as Record<string, unknown>;
      unclaimed[i] = Object.keys(row).length;
    } else if (typeof row === 'string' || typeof row === 'number') {
      ids[i] = row;
      bare++;
    } else {
      throw new UserError(`candidates, item ${i}: expected an object or an ad id, got ${shown(row)}`);
    }
  }
  const columns = new Map<string, GivenColumn>();
  for (const name of rules.names) {
    const values = name === 'adId' ? ids : new Array<unknown>(count);
    // A name such as `constructor` is found on every object; only its own counts.
    const inherited = name in Object.prototype;
    let found = name === 'adId' ? bare : 0;
    for (let i = 0; i < count; i++) {
      const row = objects[i];
      if (row === undefined || (inherited && !Object.hasOwn(row, name))) continue;
      const value = row[name];
      if (value === undefined) continue;
      values[i] = value;
      unclaimed[i]--;
      found++;
    }
    if (found > 0) columns.set(name, { values, absent: count - found });
  }
  const wrong = unclaimed.findIndex((left) => left !== 0);
  if (wrong >= 0) {
    const row = objects[wrong] as Record<string, unknown>;
    const name = Object.keys(row).find((key) => !rules.names.has(key) && row[key] !== undefined);
    if (name !== undefined) unknownName(`candidates, item ${wrong}`, name, rules.names, rules.requestNames);
  }
  return columns;
}
