import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Catalog } from '../catalog/catalog.ts';
import { catalogKeys } from '../catalog/catalogKeys.ts';
import { catalogFields } from '../catalog/encodeCatalog.ts';
import { listOf, UserError } from '../core/errors.ts';
import { nearestName } from '../core/nearestName.ts';
import type { EventRows } from '../history/history.ts';
import type { HistoryPlan } from '../history/historyPlan.ts';
import { columnOf } from '../schema/fields.ts';
import type { ColumnType, Fitted } from '../schema/fitted.ts';
import { type Keys, keysOf } from '../schema/keys.ts';
import { problemsOf, shown } from '../schema/parseSchema.ts';
import type { IdField, Schema } from '../schema/schema.ts';
import { type FieldPlan, unknownName } from './fieldPlan.ts';
import { latestMs } from './requestTime.ts';
import { columnOfValues } from './values.ts';

const strict = { additionalProperties: false };
const TimeShape = Type.Number({ minimum: 0, maximum: latestMs });
const EventShape = Type.Object(
  {
    type: Type.String(),
    eventMs: TimeShape,
    arrivedMs: Type.Optional(TimeShape),
    user: Type.Optional(Type.Object({})),
    context: Type.Optional(Type.Object({})),
    ad: Type.Optional(Type.Union([Type.String(), Type.Number(), Type.Object({})])),
    values: Type.Optional(Type.Record(Type.String(), Type.Union([Type.Number(), Type.Boolean()]))),
  },
  strict,
);
const EventsShape = Type.Object({ events: Type.Array(EventShape, { minItems: 1 }) }, strict);
const isRequest = Compile(EventsShape);
const problemsTold = 10;

/** One impression, or what came of one: `docs/http-api.md` describes it. */
export interface EventRequest extends Omit<Static<typeof EventShape>, 'ad'> {
  /** `impression`, the name of a label that is now 1, or `outcome` for `values` alone. */
  type: string;
  /** When the impression was, of outcomes as well. */
  eventMs: number;
  /** When it came; `eventMs` where absent. A server that goes by its own clock does not take it. */
  arrivedMs?: number;
  user?: Record<string, unknown>;
  context?: Record<string, unknown>;
  /** The ad as a candidate is given: its id alone, or its fields. */
  ad?: string | number | Record<string, unknown>;
  /** Labels (0 and 1) and numbers by name. */
  values?: Record<string, number | boolean>;
}

/** An event with its names told apart. */
interface ReadEvent {
  readonly eventMs: number;
  readonly arrivedMs: number;
  readonly isOutcome: boolean;
  /** By key field of the plan; undefined where the event does not say. */
  readonly keys: readonly unknown[];
  readonly catalogRow: number;
  /** By value of the plan. */
  readonly values: Float64Array;
}

export interface EventContext {
  /** When all of them arrived; where absent, each says so itself. */
  readonly arrivedMs?: number;
  /** What events do not say of their user. */
  readonly user?: Record<string, unknown>;
}

/** Reads events as JSON for a history: checked, all of them or none. */
export class EventReader {
  private readonly plan: HistoryPlan;
  private readonly fields: FieldPlan;
  private readonly catalog: Catalog | undefined;
  /** By key field, in the plan's order. */
  private readonly names: readonly (readonly string[])[];
  private readonly types: readonly ColumnType[];
  private readonly ofRequest: readonly boolean[];
  private readonly ofAd: readonly boolean[];
  private readonly catalogKeys: readonly (Keys | undefined)[];
  /** Places in the plan's values by what events may call them; -1 for a label that no history is made of. */
  private readonly values = new Map<string, number>();
  private readonly labels: ReadonlySet<string>;
  /** What requests may call the user. */
  private readonly userNames: readonly string[];

  constructor(plan: HistoryPlan, fields: FieldPlan, schema: Schema, fitted: Fitted, catalog?: Catalog) {
    this.plan = plan;
    this.fields = fields;
    this.catalog = catalog;
    this.names = plan.keyFields.map((field) => [...new Set([field.name, columnOf(field)])]);
    this.types = plan.keyFields.map((field) => fitted.columnTypes.get(columnOf(field)) as ColumnType);
    this.ofRequest = plan.keyFields.map(({ scope }) => scope === 'request');
    const ofAd = catalogFields(plan.keyFields) as IdField[];
    this.ofAd = plan.keyFields.map((field) => ofAd.includes(field));
    const known = catalog && catalogKeys(catalog.batches, catalog.adCount, ofAd, fitted);
    this.catalogKeys = plan.keyFields.map(({ name }) => known?.get(name));
    this.userNames = plan.keyFields.flatMap((field, k) => (columnOf(field) === schema.user ? this.names[k] : []));
    const { labels, history = {} } = schema;
    this.labels = new Set(labels.map(({ name }) => name));
    for (const { name, column } of [...labels, ...(history.numbers ?? [])])
      for (const called of [column, name])
        this.values.set(
          called,
          plan.values.findIndex((value) => value.name === name),
        );
  }

  /**
   * The events of `POST /v1/events`.
   *
   * @throws UserError that names what is wrong with each
   */
  readRequest(json: unknown, context: EventContext): EventRows {
    if (!isRequest.Check(json)) {
      if (typeof json !== 'object' || json === null || Array.isArray(json))
        throw new UserError(`request: expected a JSON object with events, got ${shown(json)}`);
      refuse(problemsOf(EventsShape, json, (path) => placeOf(path, 'the body')));
    }
    return this.read((json as { events: EventRequest[] }).events, 'events', context);
  }

  /**
   * What a ranking request tells of its user's past.
   *
   * @param user, context the request's: whose the events are, where they do not say
   * @returns in order of arrival
   */
  readHistory(json: readonly unknown[], user: Record<string, unknown>, context: Record<string, unknown>): EventRows {
    if (json.length > 0 && !isRequest.Check({ events: json }))
      refuse(
        problemsOf(EventsShape, { events: json }, (path) => placeOf(path, 'history').replace('events', 'history')),
      );
    const named = this.userNames.filter((name) => Object.hasOwn(context, name)).map((name) => [name, context[name]]);
    const ofUser = { ...user, ...Object.fromEntries(named) };
    return this.read(json as EventRequest[], 'history', { user: ofUser });
  }

  private read(events: readonly EventRequest[], where: string, context: EventContext): EventRows {
    const read: ReadEvent[] = [];
    const problems: string[] = [];
    events.forEach((event, i) => {
      try {
        read.push(this.readOne(event, `${where}, item ${i}`, context));
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        problems.push(error.message);
      }
    });
    if (problems.length > 0) refuse(problems);
    // A stable sort: what came at once stays as it was given, an impression before what came of it.
    if (context.arrivedMs === undefined) read.sort((a, b) => a.arrivedMs - b.arrivedMs);
    return this.rowsOf(read);
  }

  private readOne(event: EventRequest, where: string, context: EventContext): ReadEvent {
    const { type, eventMs, arrivedMs = eventMs, ad = {} } = event;
    const user = { ...context.user, ...event.user };
    const given = { ...user, ...event.context };
    const adFields: Record<string, unknown> = typeof ad === 'object' ? ad : { adId: ad };
    const { requestNames, candidateNames } = this.fields;
    for (const name of Object.keys(given))
      if (!requestNames.has(name)) unknownName(`${where}: user and context`, name, requestNames, candidateNames);
    for (const name of Object.keys(adFields))
      if (!candidateNames.has(name)) unknownName(`${where}: ad`, name, candidateNames, requestNames);
    if (context.arrivedMs !== undefined && event.arrivedMs !== undefined)
      throw new UserError(
        `${where}: arrivedMs is ${event.arrivedMs}, but this server goes by its own clock; leave it out, or start it with --replay`,
      );
    const { adId } = adFields;
    const isNamed = adId !== undefined && adId !== null;
    const catalogRow = isNamed && this.catalog !== undefined ? this.rowOf(adId, where) : -1;
    const keys = this.names.map((names, k) => valueIn(this.ofRequest[k] ? given : adFields, names));
    if (isNamed && catalogRow < 0) this.checkUnknownAd(adId, keys, where);
    return {
      eventMs,
      arrivedMs: context.arrivedMs ?? arrivedMs,
      isOutcome: type !== 'impression',
      keys,
      catalogRow,
      values: this.readValues(type, event.values ?? {}, where),
    };
  }

  private rowOf(adId: unknown, where: string): number {
    try {
      return this.catalog?.rowOf(adId) ?? -1;
    } catch (error) {
      throw error instanceof UserError ? new UserError(`${where}: ${error.message}`) : error;
    }
  }

  /** An id alone says nothing of an ad that no catalog has: its events would count for nobody. */
  private checkUnknownAd(adId: unknown, keys: readonly unknown[], where: string): void {
    const lacking = this.plan.keyFields.filter((_, k) => this.ofAd[k] && keys[k] === undefined);
    if (lacking.length === 0) return;
    const names = listOf(lacking.map(({ name }) => `'${name}'`));
    const why = this.catalog === undefined ? 'there is no catalog' : 'the catalog has no such ad';
    throw new UserError(
      `${where}: ad ${shown(adId)} lacks ${names}, which history is kept by, and ${why}; send these in "ad", null where there is no value, or load a catalog that has it`,
    );
  }

  private readValues(type: string, given: Record<string, number | boolean>, where: string): Float64Array {
    const out = new Float64Array(this.plan.values.length).fill(Number.NaN);
    const set = (place: number, value: number) => place >= 0 && (out[place] = value);
    if (this.labels.has(type)) set(this.values.get(type) as number, 1);
    else if (type !== 'impression' && type !== 'outcome')
      throw new UserError(
        `${where}: type is ${shown(type)}; ${didYouMean(type, ['impression', ...this.labels, 'outcome'])}`,
      );
    for (const [name, value] of Object.entries(given)) {
      const place = this.values.get(name);
      if (place === undefined)
        throw new UserError(
          `${where}: values has unknown ${shown(name)}; ${didYouMean(name, [...this.values.keys()])}`,
        );
      const number = Number(value);
      if (place >= 0 && this.plan.values[place].kind === 'label' && number !== 0 && number !== 1)
        throw new UserError(`${where}: label '${name}' is ${shown(value)}; expected 0 or 1`);
      set(place, number);
    }
    return out;
  }

  private rowsOf(events: readonly ReadEvent[]): EventRows {
    return {
      rowCount: events.length,
      eventMs: Float64Array.from(events, ({ eventMs }) => eventMs),
      arrivedMs: Float64Array.from(events, ({ arrivedMs }) => arrivedMs),
      isOutcome: Uint8Array.from(events, ({ isOutcome }) => Number(isOutcome)),
      keys: this.plan.keyFields.map(({ name }, k) => this.keysAt(events, k, `events: field '${name}'`)),
      values: this.plan.values.map((_, v) => Float64Array.from(events, ({ values }) => values[v])),
    };
  }

  /** A key field's values: what an event says, else what the catalog has of its ad, else none. */
  private keysAt(events: readonly ReadEvent[], k: number, where: string): Keys {
    const given = events.map(({ keys }) => keys[k] ?? null);
    const own = keysOf(columnOfValues(given, this.types[k], where), where);
    const known = this.catalogKeys[k];
    const words = own.words.slice();
    const valid = own.valid?.slice() ?? new Uint8Array(events.length).fill(1);
    events.forEach(({ keys, catalogRow }, i) => {
      if (keys[k] !== undefined || known === undefined || catalogRow < 0) return;
      words[2 * i] = known.words[2 * catalogRow];
      words[2 * i + 1] = known.words[2 * catalogRow + 1];
      valid[i] = known.valid === undefined ? 1 : known.valid[catalogRow];
    });
    return { rowCount: events.length, words, valid };
  }
}

function valueIn(values: Record<string, unknown>, names: readonly string[]): unknown {
  for (const name of names) if (Object.hasOwn(values, name)) return values[name];
  return undefined;
}

const placeOf = (path: string, root: string) => (path === '' ? root : path.slice(1).replaceAll('/', '.'));

function didYouMean(name: string, known: readonly string[]): string {
  const meant = nearestName(name, known);
  return meant === undefined ? `expected one of ${listOf(known, 40)}` : `did you mean '${meant}'?`;
}

function refuse(problems: readonly string[]): never {
  const told = [...new Set(problems)];
  const more = told.length > problemsTold ? `; and ${told.length - problemsTold} more` : '';
  throw new UserError(`${told.slice(0, problemsTold).join('; ')}${more}; none of them was taken in`);
}
