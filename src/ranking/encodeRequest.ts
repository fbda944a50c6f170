import type { EncodedCatalog } from '../catalog/encodeCatalog.ts';
import { assert, UserError } from '../core/errors.ts';
import type { History } from '../history/history.ts';
import type { Column } from '../schema/columns.ts';
import type { EncodedColumn } from '../schema/encoded.ts';
import type { Encoder } from '../schema/encoder.ts';
import { columnOf } from '../schema/fields.ts';
import { crossKeys, type Keys, keysOf } from '../schema/keys.ts';
import type { CrossField } from '../schema/schema.ts';
import type { ScoringInput } from '../scoring/scorer.ts';
import type { RankBody } from './body.ts';
import type { Candidates } from './candidates.ts';
import type { FieldPlan, PlainField } from './fieldPlan.ts';
import { ColumnBuffers, gatherEncoded, gatherKeys, PackedGather } from './gather.ts';
import type { HistoryFields, RequestKeys } from './historyFields.ts';
import { candidateSource, constantSource, givenOf, requestSources, type Source } from './sources.ts';

/**
 * Encodes requests for a model, one at a time: what is the request's alone has one row, the candidates' comes from the catalog as
 * it was encoded at load, or from the request.
 */
export class RequestEncoder {
  private readonly plan: FieldPlan;
  private readonly encoder: Encoder;
  private readonly catalog: EncodedCatalog | undefined;
  private readonly history: HistoryFields | undefined;
  private readonly packed: PackedGather | undefined;
  private readonly constants: readonly Source[];
  private readonly buffers = new Map<string, ColumnBuffers>();
  // Of the request at hand; the constants' fields are those of any.
  private readonly fields = new Map<string, EncodedColumn>();
  private readonly sources = new Map<string, Source>();
  private readonly keys = new Map<string, Keys>();

  constructor(plan: FieldPlan, encoder: Encoder, catalog?: EncodedCatalog, history?: HistoryFields) {
    this.plan = plan;
    this.encoder = encoder;
    this.catalog = catalog;
    this.history = history;
    this.packed = catalog && new PackedGather(catalog.packed);
    this.constants = plan.constant.map((plain) => constantSource(plain) as Source);
    this.encodeAlike(this.constants);
    for (const { name } of [...plan.candidate.map(({ field }) => field), ...plan.crosses])
      for (const key of [name, `keys of ${name}`]) this.buffers.set(key, new ColumnBuffers());
  }

  /** @returns columns valid until the next call; those of history are not among them before `encodeHistory` */
  encode(body: RankBody, candidates: Candidates): ScoringInput {
    this.sources.clear();
    this.keys.clear();
    for (const source of this.constants) this.sources.set(source.plain.field.name, source);
    const given = requestSources(body.user, body.context, this.plan);
    for (const source of given) this.sources.set(source.plain.field.name, source);
    this.encodeAlike(given);
    let packed: ReadonlyMap<string, EncodedColumn> | undefined;
    for (const plain of this.plan.candidate) {
      const { name } = plain.field;
      const source = candidateSource(plain, candidates, this.isInCatalog(plain));
      this.sources.set(name, source);
      if (!plain.direct) continue;
      const { catalogRows } = candidates;
      if (catalogRows !== undefined && source.at === catalogRows) packed ??= this.packed?.gather(catalogRows);
      const ofCatalog = source.at === catalogRows ? packed?.get(name) : undefined;
      this.fields.set(name, ofCatalog ?? this.encodedOf(source));
    }
    for (const cross of this.plan.crosses) this.fields.set(cross.name, this.crossOf(cross, candidates));
    return { rowCount: candidates.count, fields: this.fields };
  }

  /** Adds what the model takes of history at a time to the columns of the last `encode`. */
  encodeHistory(history: History, candidates: Candidates, nowMs: number): void {
    this.history?.encode(history, this.historyKeys(candidates), nowMs, this.fields);
  }

  private isInCatalog({ field: { name }, required }: PlainField): boolean {
    const known = required ? this.catalog?.names : this.catalog?.keys;
    return known?.has(name) ?? false;
  }

  private historyKeys(candidates: Candidates): RequestKeys {
    const { count, catalogRows } = candidates;
    const isCatalogs = (plain: PlainField) =>
      !plain.isKey ||
      (this.catalog?.keys.has(plain.field.name)
        ? this.sources.get(plain.field.name)?.at === catalogRows
        : givenOf(plain, candidates) === undefined);
    const rows = this.plan.candidate.every(isCatalogs) ? catalogRows : undefined;
    return { count, keysOf: this.keysNamed, catalogRows: rows };
  }

  /** The raw values of a key field; undefined for one that nothing is looked up by. */
  private keysNamed = (name: string): Keys | undefined => {
    const source = this.sources.get(name);
    return source?.plain.isKey ? this.keysOf(source) : undefined;
  };

  /** Encodes fields of one row each together. Two that read one column may have been sent different values, and are not. */
  private encodeAlike(sources: readonly Source[]): void {
    const columns = new Map<string, Column>();
    const fields: PlainField['field'][] = [];
    for (const { plain, column } of sources) {
      if (!plain.direct) continue;
      const { field } = plain;
      const name = columnOf(field);
      if (columns.has(name)) this.fields.set(field.name, this.encodeColumn(plain, column as Column));
      else {
        columns.set(name, column as Column);
        fields.push(field);
      }
    }
    for (const [name, column] of this.encodeColumns(1, columns, fields)) this.fields.set(name, column);
  }

  private encodedOf({ plain, column, at }: Source): EncodedColumn {
    const own = column === undefined || column.rowCount === 0 ? undefined : this.encodeColumn(plain, column);
    if (at === undefined) return own as EncodedColumn;
    const { name } = plain.field;
    return gatherEncoded(this.catalog?.encoded.get(name), own, at, this.buffersOf(name));
  }

  private encodeColumn({ field }: PlainField, column: Column): EncodedColumn {
    const columns = new Map([[columnOf(field), column]]);
    return this.encodeColumns(column.rowCount, columns, [field]).get(field.name) as EncodedColumn;
  }

  private encodeColumns(
    rowCount: number,
    columns: ReadonlyMap<string, Column>,
    fields: readonly PlainField['field'][],
  ) {
    try {
      return this.encoder.encode({ rowCount, columns }, fields).fields;
    } catch (error) {
      if (error instanceof UserError) throw new UserError(`request: ${error.message}`, error.kind);
      throw error;
    }
  }

  /** A cross is encoded where it is met, unless all its parts are the catalog's: then so is it. */
  private crossOf(cross: CrossField, candidates: Candidates): EncodedColumn {
    const stored = this.catalog?.encoded.get(cross.name);
    const rows = candidates.catalogRows;
    const parts = cross.of.map((name) => this.sources.get(name) as Source);
    if (stored !== undefined && rows !== undefined && !parts.some(({ plain }) => givenOf(plain, candidates)))
      return gatherEncoded(stored, undefined, rows, this.buffersOf(cross.name));
    return this.encoder.encodeKeys(cross, crossKeys(parts.map((source) => this.keysOf(source))));
  }

  private keysOf({ plain, column, at }: Source): Keys {
    const { name } = plain.field;
    let keys = this.keys.get(name);
    if (keys === undefined) {
      const own = column === undefined || column.rowCount === 0 ? undefined : keysOf(column, `field '${name}'`);
      if (at === undefined) keys = own as Keys;
      else keys = gatherKeys(this.catalog?.keys.get(name), own, at, this.buffersOf(`keys of ${name}`));
      this.keys.set(name, keys);
    }
    return keys;
  }

  private buffersOf(name: string): ColumnBuffers {
    const buffers = this.buffers.get(name);
    assert(buffers !== undefined, `no buffers for '${name}'`);
    return buffers;
  }
}
