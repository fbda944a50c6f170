import type { Catalog } from '../catalog/catalog.ts';
import { listOf, UserError } from '../core/errors.ts';
import { nearestName } from '../core/nearestName.ts';
import type { ArmCounts } from '../creative/creative.ts';
import type { EventRows } from '../history/history.ts';
import type { HistoryPlan } from '../history/historyPlan.ts';
import { columnOf } from '../schema/fields.ts';
import type { Fitted } from '../schema/fitted.ts';
import { problemsOf, shown } from '../schema/parseSchema.ts';
import type { Schema } from '../schema/schema.ts';
import { CreativeEvents, creativeValues } from './creativeEvents.ts';
import { EventKeys, type EventTables, type KeyedEvent } from './eventKeys.ts';
import { type EventRequest, EventsShape, isEvents } from './eventRequest.ts';
import { type FieldPlan, unknownName } from './fieldPlan.ts';
import { Segments } from './segments.ts';

const problemsTold = 10;

/** Events as history takes them, and as the record of creatives does. */
export interface ReadEvents extends EventRows {
  readonly arrivedMs: Float64Array;
  /** Of the events that are of a known creative; empty where there is no table of creatives. */
  readonly creativeCounts: readonly ArmCounts[];
}

/** An event with its names told apart. */
interface ReadEvent extends KeyedEvent {
  readonly eventMs: number;
  readonly arrivedMs: number;
  readonly isOutcome: boolean;
  readonly creativeCounts?: ArmCounts;
  /** By value of the plan. */
  readonly values: Float64Array;
}

export interface EventContext {
  /** When all of them arrived; where absent, each says so itself. */
  readonly arrivedMs?: number;
  /** What events do not say of their user. */
  readonly user?: Record<string, unknown>;
  /** Whether they are a request's own history, which no record of creatives learns from. */
  readonly isOwnHistory?: boolean;
}

/** Reads events as JSON for a history, and for a record of creatives: checked, all of them or none. */
export class EventReader {
  private readonly plan: Pick<HistoryPlan, 'keyFields' | 'values'>;
  private readonly fields: FieldPlan;
  private readonly catalog: Catalog | undefined;
  private readonly creatives: CreativeEvents | undefined;
  private readonly keys: EventKeys;
  /** Places in the plan's values by what events may call them; -1 for what no history is made of. */
  private readonly values = new Map<string, number>();
  private readonly labels: ReadonlySet<string>;
  /** What events may call them. */
  private readonly labelNames: ReadonlySet<string>;
  /** What requests may call the user. */
  private readonly userNames: readonly string[];

  /** @param plan of the history, where there is one */
  constructor(
    plan: HistoryPlan | undefined,
    fields: FieldPlan,
    schema: Schema,
    fitted: Fitted,
    tables: EventTables = {},
  ) {
    this.plan = plan ?? { keyFields: [], values: [] };
    this.fields = fields;
    this.catalog = tables.catalog;
    const segments = tables.bandit && Segments.of(tables.bandit.settings, fields, schema);
    this.creatives = tables.creatives && new CreativeEvents(tables.creatives, schema, segments);
    this.keys = new EventKeys(this.plan.keyFields, fitted, tables);
    this.userNames = this.plan.keyFields.flatMap((field) =>
      columnOf(field) === schema.user ? [...new Set([field.name, columnOf(field)])] : [],
    );
    const { labels, history = {} } = schema;
    this.labels = new Set(labels.map(({ name }) => name));
    this.labelNames = new Set(labels.flatMap(({ name, column }) => [name, column]));
    const place = (name: string) => this.plan.values.findIndex((value) => value.name === name);
    if (tables.creatives !== undefined) for (const name of creativeValues) this.values.set(name, place(name));
    for (const { name, column } of [...labels, ...(history.numbers ?? [])])
      for (const called of [column, name]) this.values.set(called, place(name));
  }

  /**
   * The events of `POST /v1/events`.
   *
   * @throws UserError that names what is wrong with each
   */
  readRequest(json: unknown, context: EventContext): ReadEvents {
    if (!isEvents.Check(json)) {
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
    if (json.length > 0 && !isEvents.Check({ events: json }))
      refuse(
        problemsOf(EventsShape, { events: json }, (path) => placeOf(path, 'history').replace('events', 'history')),
      );
    const named = this.userNames.filter((name) => Object.hasOwn(context, name)).map((name) => [name, context[name]]);
    const ofUser = { ...user, ...Object.fromEntries(named) };
    return this.read(json as EventRequest[], 'history', { user: ofUser, isOwnHistory: true });
  }

  private read(events: readonly EventRequest[], where: string, context: EventContext): ReadEvents {
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
    const adFields: Record<string, unknown> = typeof ad === 'object' ? { ...ad } : { adId: ad };
    if (event.creativeId !== undefined) {
      if (Object.hasOwn(adFields, 'creativeId'))
        throw new UserError(`${where}: creativeId is both in the event and in its ad; send it once`);
      adFields.creativeId = event.creativeId;
    }
    const { requestNames, candidateNames } = this.fields;
    for (const name of Object.keys(given))
      if (!requestNames.has(name)) unknownName(`${where}: user and context`, name, requestNames, candidateNames);
    for (const name of Object.keys(adFields))
      if (!candidateNames.has(name)) unknownName(`${where}: ad`, name, candidateNames, requestNames);
    if (context.arrivedMs !== undefined && event.arrivedMs !== undefined)
      throw new UserError(
        `${where}: arrivedMs is ${event.arrivedMs}, but this server goes by its own clock; leave it out, or start it with --replay`,
      );
    const { adId, creativeId = null } = adFields;
    const isNamed = adId !== undefined && adId !== null;
    let catalogRow = isNamed && this.catalog !== undefined ? this.rowOf(adId, where) : -1;
    const creativeRow = this.creatives?.rowOf(creativeId, isNamed ? catalogRow : undefined, where) ?? -1;
    // A creative says which ad it is of.
    if (creativeRow >= 0) catalogRow = this.creatives!.creatives.ads[creativeRow];
    const keys = this.keys.given(given, adFields);
    if (isNamed && catalogRow < 0) this.keys.checkUnknownAd(adId, keys, where);
    const isCounted = creativeRow >= 0 && !context.isOwnHistory;
    return {
      eventMs,
      arrivedMs: context.arrivedMs ?? arrivedMs,
      isOutcome: type !== 'impression',
      keys,
      catalogRow,
      creativeRow,
      values: this.readValues(type, event.values ?? {}, where),
      ...(isCounted && { creativeCounts: this.creatives?.countsOf(event, creativeRow, given, where) }),
    };
  }

  private rowOf(adId: unknown, where: string): number {
    try {
      return this.catalog?.rowOf(adId) ?? -1;
    } catch (error) {
      throw error instanceof UserError ? new UserError(`${where}: ${error.message}`) : error;
    }
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
      if (this.labelNames.has(name) && number !== 0 && number !== 1)
        throw new UserError(`${where}: label '${name}' is ${shown(value)}; expected 0 or 1`);
      set(place, number);
    }
    return out;
  }

  private rowsOf(events: readonly ReadEvent[]): ReadEvents {
    return {
      rowCount: events.length,
      eventMs: Float64Array.from(events, ({ eventMs }) => eventMs),
      arrivedMs: Float64Array.from(events, ({ arrivedMs }) => arrivedMs),
      isOutcome: Uint8Array.from(events, ({ isOutcome }) => Number(isOutcome)),
      keys: this.keys.columns(events),
      values: this.plan.values.map((_, v) => Float64Array.from(events, ({ values }) => values[v])),
      creativeCounts: events.flatMap(({ creativeCounts }) => creativeCounts ?? []),
    };
  }
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
