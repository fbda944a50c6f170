import type { Column, ColumnBatch } from '../../src/schema/columns.ts';
import { gather, integers, numbers, texts } from './columnBuilders.ts';
import type { Ads, Creatives } from './inventory.ts';
import { CONNECTIONS, DEVICES, type Population, SYSTEMS } from './population.ts';

export const PLACEMENTS = ['feed', 'search'] as const;
const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

/** The rows of one batch while it is filled: indices of who and what, and what happened. One array a value. */
export function createRowBuffer(capacity: number) {
  const whole = () => new Int32Array(capacity);
  const long = () => new BigInt64Array(capacity);
  const real = () => new Float64Array(capacity);
  return {
    user: whole(),
    ad: whole(),
    creative: whole(),
    placement: whole(),
    position: whole(),
    /** From 1; −1 in the feed. */
    queryTopic: whole(),
    device: whole(),
    system: whole(),
    connection: whole(),
    hour: whole(),
    weekday: whole(),
    randomized: whole(),
    click: whole(),
    engaged: whole(),
    conversion: whole(),
    viewTimeMs: whole(),
    clickDelayMs: whole(),
    conversionDelayMs: long(),
    impressionId: long(),
    requestId: long(),
    timeMs: long(),
    pExamined: real(),
    pClick: real(),
    pEngaged: real(),
    pConversion: real(),
  };
}

export type RowBuffer = ReturnType<typeof createRowBuffer>;

/** The first `rowCount` rows as the columns of the log. */
export function toBatch(
  rows: RowBuffer,
  rowCount: number,
  users: Population,
  ads: Ads,
  creatives: Creatives,
): ColumnBatch {
  const of = (values: Int32Array | BigInt64Array, valid?: Uint8Array) => integers(values.subarray(0, rowCount), valid);
  const flag = (values: Int32Array) => integers(values.subarray(0, rowCount), undefined, 'boolean');
  const named = (entries: readonly string[], indices: Int32Array) => texts(entries, indices.subarray(0, rowCount));
  const probability = (values: Float64Array) => numbers(values.subarray(0, rowCount));
  const where = (values: Int32Array, has: (value: number) => boolean) =>
    Uint8Array.from(values.subarray(0, rowCount), (value) => (has(value) ? 1 : 0));
  const clicked = where(rows.click, (value) => value === 1);
  const converted = where(rows.conversion, (value) => value === 1);
  const conversionTimeMs = new BigInt64Array(rowCount);
  const pBoth = new Float64Array(rowCount);
  for (let i = 0; i < rowCount; i++) {
    if (converted[i]) conversionTimeMs[i] = rows.timeMs[i] + rows.conversionDelayMs[i];
    pBoth[i] = rows.pClick[i] * rows.pConversion[i];
  }
  const columns = new Map<string, Column>([
    ['impression_id', of(rows.impressionId)],
    ['request_id', of(rows.requestId)],
    ['time_ms', of(rows.timeMs)],
  ]);
  appendGathered(columns, users.columns, rows.user.subarray(0, rowCount));
  for (const [name, column] of [
    ['device', named(DEVICES, rows.device)],
    ['os', named(SYSTEMS, rows.system)],
    ['connection', named(CONNECTIONS, rows.connection)],
    ['hour', of(rows.hour)],
    ['weekday', named(WEEKDAYS, rows.weekday)],
    ['placement', named(PLACEMENTS, rows.placement)],
    [
      'query_topic',
      of(
        rows.queryTopic,
        where(rows.queryTopic, (topic) => topic > 0),
      ),
    ],
    ['position', of(rows.position)],
    ['randomized', flag(rows.randomized)],
  ] as const) {
    columns.set(name, column);
  }
  appendGathered(columns, ads.columns, rows.ad.subarray(0, rowCount));
  appendGathered(columns, creatives.columns, rows.creative.subarray(0, rowCount));
  for (const [name, column] of [
    ['click', flag(rows.click)],
    ['engaged', flag(rows.engaged)],
    ['conversion', flag(rows.conversion)],
    ['view_time_ms', of(rows.viewTimeMs)],
    ['click_delay_ms', of(rows.clickDelayMs, clicked)],
    ['conversion_delay_ms', of(rows.conversionDelayMs, converted)],
    ['conversion_time_ms', of(conversionTimeMs, converted)],
    ['true_p_examined', probability(rows.pExamined)],
    ['true_p_click', probability(rows.pClick)],
    ['true_p_engaged', probability(rows.pEngaged)],
    ['true_p_conversion', probability(rows.pConversion)],
    ['true_p_click_conversion', numbers(pBoth)],
  ] as const) {
    columns.set(name, column);
  }
  return { rowCount, columns };
}

function appendGathered(to: Map<string, Column>, from: ReadonlyMap<string, Column>, rows: Int32Array): void {
  for (const [name, column] of from) to.set(name, gather(column, rows));
}
