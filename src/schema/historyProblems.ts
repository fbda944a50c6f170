import type { Static } from 'typebox';
import { listOf } from '../core/errors.ts';
import { nearestName } from '../core/nearestName.ts';
import { derivedFields, durationMs } from './derivedFields.ts';
import { columnOf, isMade } from './fields.ts';
import type { CounterField, CounterValue, Field, HistoryField, SchemaFile, SequenceField, Window } from './schema.ts';

type File = Static<typeof SchemaFile>;
/** All that a counter's value may name, whichever it is. */
type Named = 'rate' | 'mean' | 'sum' | 'coec' | 'sinceLast' | 'last' | 'run' | 'same' | 'idle';
type ValueKeys = Partial<Record<Named, string>> & { prior?: { by: string[] } };

/** What a schema's sequences and counters, and their settings, name wrongly; where there is nothing, their derived fields can be made. */
export function historyProblems(file: File, plain: readonly Field[], fields: readonly HistoryField[]): string[] {
  const names = new Names(file, plain);
  names.checkSettings();
  const all = [...plain, ...fields].map(({ name }) => name);
  for (const field of fields) {
    if (all.indexOf(field.name) !== all.lastIndexOf(field.name))
      names.problems.push(`${field.kind} '${field.name}' has the name of another field; rename one`);
    if (file.time === undefined)
      names.problems.push(
        `${field.kind} '${field.name}' needs to know when impressions were; name the column with "time"`,
      );
    if (field.kind === 'counter') checkCounter(field, names);
    else checkSequence(field, names);
  }
  if (names.problems.length === 0) names.checkColumns(fields);
  return names.problems;
}

/** The names that history can use, and what is wrong with those it does. */
class Names {
  readonly problems: string[] = [];
  private readonly file: File;
  private readonly plain: ReadonlyMap<string, Field>;
  private readonly labels: readonly string[];
  private readonly numbers: readonly string[];

  constructor(file: File, plain: readonly Field[]) {
    this.file = file;
    this.plain = new Map(plain.map((field) => [field.name, field]));
    this.labels = file.labels.map(({ name }) => name);
    this.numbers = (file.history?.numbers ?? []).map(({ name }) => name);
  }

  /** @param who with its verb: `counter 'c' is by` */
  id(who: string, name: string): void {
    const field = this.plain.get(name);
    if (field?.kind === 'id') return;
    const ids = [...this.plain.values()].filter(({ kind }) => kind === 'id').map((other) => other.name);
    const got = field === undefined ? 'which is no field of a column' : `which has kind '${field.kind}'`;
    this.unknown(who, name, got, 'id field', ids);
  }

  /** Keys must be the same in service as in training. */
  keys(who: string, names: readonly string[]): void {
    this.unique(who, names);
    for (const name of names) {
      this.id(who, name);
      const field = this.plain.get(name);
      if (field?.kind === 'id' && field.servingValue !== undefined)
        this.problems.push(
          `${who} '${name}', which has a servingValue, so that service would look up another key than training; only history.expected can be by it`,
        );
    }
  }

  label(who: string, name: string): void {
    if (!this.labels.includes(name)) this.unknown(who, name, 'which is no label', 'label', this.labels);
  }

  number(who: string, name: string): void {
    if (!this.numbers.includes(name)) this.unknown(who, name, 'which is no number of history', 'number', this.numbers);
  }

  outcome(who: string, name: string): void {
    const outcomes = [...this.labels, ...this.numbers];
    if (!outcomes.includes(name))
      this.unknown(who, name, 'which is no label and no number of history', 'outcome', outcomes);
  }

  /** @param texts as messages show them */
  unique(who: string, names: readonly string[], texts: readonly string[] = names.map((name) => `'${name}'`)): void {
    names.forEach((name, i) => {
      if (names.indexOf(name) < i) this.problems.push(`${who} ${texts[i]} twice; name it once`);
    });
  }

  private unknown(who: string, name: string, got: string, what: string, known: readonly string[]): void {
    const meant = nearestName(name, known);
    const hint =
      known.length === 0
        ? `the schema has no ${what}: add one`
        : meant === undefined || meant === name
          ? `name one of the schema's ${what}s: ${listOf(known, 40)}`
          : `did you mean '${meant}'? The schema's ${what}s are ${listOf(known, 40)}`;
    this.problems.push(`${who} '${name}', ${got}; ${hint}`);
  }

  checkSettings(): void {
    const { expected, numbers = [] } = this.file.history ?? {};
    this.unique('history.expected is by', expected?.by ?? []);
    for (const name of expected?.by ?? []) this.id('history.expected is by', name);
    this.unique('history.numbers have', this.numbers);
    for (const { name, column } of numbers) {
      if (this.labels.includes(name))
        this.problems.push(`history's number '${name}' is called as a label is; rename one`);
      for (const field of this.plain.values()) {
        if (!isMade(field) && columnOf(field) === column)
          this.problems.push(
            `field '${field.name}' reads column '${column}', which history's number '${name}' says is known only after the impression; remove one`,
          );
      }
    }
  }

  /** What history makes would hide a column of the table. */
  checkColumns(fields: readonly HistoryField[]): void {
    const { time, user, request, position, weight, keys = [], labels, history } = this.file;
    const plain = [...this.plain.values()].flatMap((field) => (isMade(field) ? [] : [columnOf(field)]));
    const outcomes = [...labels.flatMap(({ column, truth }) => [column, truth]), ...(history?.numbers ?? [])].map(
      (outcome) => (typeof outcome === 'object' ? outcome.column : outcome),
    );
    const taken = new Set([time, user, request, position, weight, ...keys, ...plain, ...outcomes]);
    for (const field of fields) {
      for (const { name } of derivedFields(field, this.plain)) {
        if (taken.has(name))
          this.problems.push(`${field.kind} '${field.name}' makes column '${name}', which the table has; rename it`);
      }
    }
  }
}

function checkSequence({ name, by, items, where, without, actions = [] }: SequenceField, names: Names): void {
  const who = `sequence '${name}'`;
  names.keys(`${who} is by`, [by]);
  names.unique(`${who} has item`, items);
  for (const item of items) names.id(`${who} has item`, item);
  if (where !== undefined) names.label(`${who} is where`, where);
  if (without !== undefined) names.label(`${who} is without`, without);
  if (where !== undefined && where === without)
    names.problems.push(`${who} is where and without '${where}', as no event is; remove one`);
  names.unique(`${who} has action`, actions);
  for (const action of actions) names.label(`${who} has action`, action);
}

/** As the file has it. */
const text = (value: CounterValue | Window) => JSON.stringify(value);

function checkCounter({ name, by, over = ['lifetime'], values }: CounterField, names: Names): void {
  const who = `counter '${name}'`;
  names.keys(`${who} is by`, by);
  names.unique(`${who} is over`, over.map(windowKey), over.map(text));
  names.unique(`${who} has`, values.map(text), values.map(text));
  for (const value of values) {
    const { rate, mean, sum, coec, sinceLast, last, run, same, idle, prior }: ValueKeys =
      value === 'sinceLast' || value === 'count' ? {} : value;
    for (const [kind, label] of Object.entries({ rate, coec, sinceLast, run }))
      if (label !== undefined) names.label(`${who} has ${kind} of`, label);
    for (const [kind, number] of Object.entries({ mean, sum, idle }))
      if (number !== undefined) names.number(`${who} has ${kind} of`, number);
    if (last !== undefined) names.outcome(`${who} has last of`, last);
    if (same !== undefined) names.keys(`${who} has same of`, [same]);
    if (prior !== undefined) names.keys(`${who} has a prior by`, prior.by);
    const ofLast = value === 'sinceLast' || [sinceLast, last, run, same, idle].some((given) => given !== undefined);
    const wrong = over.filter((window) => typeof window === 'object');
    if (ofLast && wrong.length > 0)
      names.problems.push(
        `${who} has ${text(value)} over ${listOf(wrong.map(text))}, but the last event has no window; put it in a counter over lifetime or session`,
      );
  }
}

/** Windows of the same length have the same. */
function windowKey(window: Window): string {
  if (typeof window === 'string') return window;
  const [[kind, duration]] = Object.entries(window);
  return `${kind} ${durationMs(duration)}`;
}
