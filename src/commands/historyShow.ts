import { createHistoryRows } from '../history/assemble.ts';
import type { HistoryRows, SequenceRows } from '../history/history.ts';
import { gapBuckets } from '../schema/derivedFields.ts';
import { columnOf } from '../schema/fields.ts';
import type { Keys } from '../schema/keys.ts';
import type { CounterField, CounterValue, SequenceField, Window } from '../schema/schema.ts';
import type { GivenKey } from './historyKeys.ts';
import type { ReadState } from './historyStates.ts';
import { textTable } from './output.ts';

export interface ShownHistory {
  readonly keys: readonly string[];
  readonly at: string;
  readonly counters: readonly ShownCounter[];
  readonly sequences: readonly ShownSequence[];
}

interface ShownCounter {
  readonly name: string;
  readonly by: readonly string[];
  /** By window, then value, as it enters the model before it is standardised. */
  readonly windows: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

interface ShownSequence {
  readonly name: string;
  readonly by: string;
  /** Latest first. */
  readonly events: readonly Readonly<Record<string, string | number | readonly string[] | null>>[];
}

/** What a model would see of keys at a time: the counters and sequences that these keys alone decide. */
export function showHistory(
  { history, columnTypes }: ReadState,
  keys: readonly GivenKey[],
  atMs: number,
): ShownHistory {
  const { plan } = history;
  const rows = createHistoryRows(plan, 1);
  const given = new Map(keys.map(({ field, keys: found }) => [field.name, found]));
  history.readRow(
    plan.keyFields.map(({ name }) => given.get(name) ?? nothing),
    0,
    atMs,
    rows,
    0,
  );
  const isText = new Set(
    plan.keyFields.filter((field) => columnTypes?.get(columnOf(field)) === 'text').map(({ name }) => name),
  );
  return {
    keys: keys.map(({ text }) => text),
    at: new Date(atMs).toISOString(),
    counters: plan.counters.flatMap((field, c) =>
      field.by.every((name) => given.has(name)) ? [showCounter(field, rows.counters[c])] : [],
    ),
    sequences: plan.sequences.flatMap((field, s) =>
      given.has(field.by) ? [showSequence(field, rows.sequences[s], isText)] : [],
    ),
  };
}

const nothing: Keys = { rowCount: 1, words: new Int32Array(2), valid: new Uint8Array(1) };

function showCounter(
  { name, by, over = ['lifetime'], values }: CounterField,
  numbers: HistoryRows['counters'][number],
) {
  const windows = over.map((window, w) => {
    const named = values.map((value, v) => [nameOfValue(value), numbers[w * values.length + v]]);
    return [nameOfWindow(window), Object.fromEntries(named)];
  });
  return { name, by, windows: Object.fromEntries(windows) };
}

function nameOfWindow(window: Window): string {
  if (typeof window === 'string') return window;
  return 'window' in window ? `last ${window.window}` : `half-life ${window.halfLife}`;
}

/** `count`, `rate click`; with its prior where it names one, so that two rates of one label differ. */
function nameOfValue(value: CounterValue): string {
  if (typeof value === 'string') return value;
  const [[kind, of]] = Object.entries(value);
  const prior = 'prior' in value && value.prior ? ` (prior by ${value.prior.by.join(' × ') || 'all'})` : '';
  return `${kind} ${of}${prior}`;
}

function showSequence(field: SequenceField, rows: SequenceRows, isText: ReadonlySet<string>): ShownSequence {
  const { name, by, items, actions = [], gapSize = 8 } = field;
  const events = Array.from({ length: rows.counts[0] }, (_, i) => ({
    ...Object.fromEntries(
      items.map((item, k) => [
        item,
        rows.valid[k][i] === 0 ? null : keyText(rows.items[k][2 * i], rows.items[k][2 * i + 1], isText.has(item)),
      ]),
    ),
    ...(actions.length > 0 && { actions: actions.filter((_, a) => (rows.actions[i] >> a) & 1) }),
    ...(gapSize > 0 && { gapSeconds: leastSecondsOf(rows.gaps[i]) }),
  }));
  return { name, by, events };
}

/** A whole number as itself; of a text only the hash is held. */
function keyText(lo: number, hi: number, isText: boolean): string {
  const bits = (BigInt(hi) << 32n) | BigInt(lo >>> 0);
  return isText ? `#${BigInt.asUintN(64, bits).toString(16).padStart(16, '0')}` : String(bits);
}

/** Where a bucket of time since an event begins: floor(2·log2(1 + s)) is the bucket. */
function leastSecondsOf(bucket: number): number {
  return Number((2 ** (Math.min(bucket, gapBuckets - 1) / 2) - 1).toPrecision(3));
}

export function renderHistory({ keys, at, counters, sequences }: ShownHistory): string {
  const parts = [`${keys.join(', ')} at ${at}, as a model would see it`];
  for (const { name, by, windows } of counters) {
    const [names] = Object.values(windows).map(Object.keys);
    const rows = Object.entries(windows).map(([window, values]) => [
      window,
      ...Object.values(values).map((value) => String(Number(value.toPrecision(5)))),
    ]);
    parts.push(`counter ${name}, by ${by.join(' × ') || 'all events'}\n${textTable(['over', ...names], rows)}`);
  }
  for (const { name, by, events } of sequences) {
    const title = `sequence ${name}, by ${by}: ${events.length === 1 ? '1 event' : `${events.length} events`}, latest first`;
    const names = Object.keys(events[0] ?? {});
    const cell = (value: (typeof events)[number][string]) =>
      value === null ? '–' : Array.isArray(value) ? value.join('+') || '–' : String(value);
    const rows = events.map((event) => names.map((column) => cell(event[column])));
    parts.push(events.length === 0 ? title : `${title}\n${textTable(names, rows)}`);
  }
  return `${parts.join('\n\n')}\n`;
}
