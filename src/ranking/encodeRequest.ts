import type { EncodedCatalog } from '../catalog/encodeCatalog.ts';
import { UserError } from '../core/errors.ts';
import type { History } from '../history/history.ts';
import type { Column } from '../schema/columns.ts';
import type { EncodedColumn } from '../schema/encoded.ts';
import type { Encoder } from '../schema/encoder.ts';
import { columnOf } from '../schema/fields.ts';
import { gatherEncoded, NamedBuffers } from '../schema/gatherRows.ts';
import type { Keys } from '../schema/keys.ts';
import type { MatchField } from '../schema/schema.ts';
import type { ScoringInput } from '../scoring/scorer.ts';
import type { RankBody } from './body.ts';
import type { Candidates } from './candidates.ts';
import type { FieldPlan, PlainField } from './fieldPlan.ts';
import type { HistoryFields, RequestKeys } from './historyFields.ts';
import { MadeFields } from './madeFields.ts';
import { PackedGather } from './packedGather.ts';
import { SourceKeys } from './sourceKeys.ts';
import { candidateSource, constantSource, givenOf, requestSources, type Source, type ValueRows } from './sources.ts';
import type { Variants } from './variants.ts';

/**
 * Encodes requests for a model, one at a time: what is the request's alone has one row, what candidates and their creatives have comes
 * from the catalog as it was encoded at load, or from the request.
 */
export class RequestEncoder {
  private readonly plan: FieldPlan;
  private readonly encoder: Encoder;
  private readonly catalog: EncodedCatalog | undefined;
  private readonly history: HistoryFields | undefined;
  private readonly packed: PackedGather | undefined;
  private readonly packedCreatives: PackedGather | undefined;
  private readonly constants: readonly Source[];
  private readonly buffers = new NamedBuffers();
  private readonly keys: SourceKeys;
  private readonly made: MadeFields;
  // Of the request at hand; the constants' fields are those of any.
  private readonly fields = new Map<string, EncodedColumn>();
  private readonly sources = new Map<string, Source>();

  constructor(plan: FieldPlan, encoder: Encoder, catalog?: EncodedCatalog, history?: HistoryFields) {
    this.plan = plan;
    this.encoder = encoder;
    this.catalog = catalog;
    this.history = history;
    this.packed = catalog && new PackedGather(catalog.packed, catalog.encoded);
    this.packedCreatives = catalog?.packedCreatives && new PackedGather(catalog.packedCreatives, catalog.encoded);
    this.constants = plan.constant.map((plain) => constantSource(plain) as Source);
    this.keys = new SourceKeys(catalog?.keys);
    const { sources, keys, fields, packed: ads, packedCreatives: creatives } = this;
    this.made = new MadeFields(encoder, { sources, keys, fields, ads, creatives, distinct: catalog?.distinct });
    this.encodeAlike(this.constants);
  }

  /**
   * @param variants the candidates' creatives, where they are told apart
   * @returns columns valid until the next call; what history has a part in is not among them before `encodeHistory`
   */
  encode(body: RankBody, candidates: Candidates, variants?: Variants): ScoringInput {
    this.sources.clear();
    this.packed?.begin();
    this.packedCreatives?.begin();
    for (const source of this.constants) this.sources.set(source.plain.field.name, source);
    const given = requestSources(body.user, body.context, this.plan);
    for (const source of given) this.sources.set(source.plain.field.name, source);
    this.encodeAlike(given);
    const { count, catalogRows, allInCatalog } = candidates;
    const ofAds: ValueRows = { count, known: catalogRows, allKnown: allInCatalog };
    this.encodeRows(candidates, ofAds, false, this.packed);
    this.encodeRows(candidates, variants ?? ofAds, true, variants === undefined ? this.packed : this.packedCreatives);
    this.keys.begin(this.sources, variants);
    for (const cross of this.plan.crosses) this.fields.set(cross.name, this.made.crossOf(cross, candidates, variants));
    this.encodeMatches(false, count, variants);
    const rowCount = variants?.count ?? count;
    // Also of one creative each, so that an engine keeps all it knows of ads in one place.
    return { rowCount, fields: this.fields, ...(variants && { candidates: { count, of: variants.of } }) };
  }

  /** Adds what the model takes of history at a time to the columns of the last `encode`. */
  encodeHistory(history: History, candidates: Candidates, variants: Variants | undefined, nowMs: number): void {
    this.history?.encode(history, this.historyKeys(candidates, variants), nowMs, this.fields);
    this.encodeMatches(true, candidates.count, variants);
  }

  /** Those that history has a part in, or the others. */
  private encodeMatches(ofHistory: boolean, count: number, variants: Variants | undefined): void {
    for (const match of this.plan.matches)
      if (this.isOfHistory(match) === ofHistory) this.fields.set(match.name, this.made.matchOf(match, count, variants));
  }

  /** Encodes the fields that candidates have, or those that their creatives have. */
  private encodeRows(
    candidates: Candidates,
    rows: ValueRows,
    ofVariant: boolean,
    packed: PackedGather | undefined,
  ): void {
    for (const plain of this.plan.candidate) {
      if (plain.ofVariant !== ofVariant) continue;
      const { name } = plain.field;
      const source = candidateSource(plain, candidates, rows, this.isInCatalog(plain));
      this.sources.set(name, source);
      if (!plain.direct) continue;
      const known =
        source.at !== undefined && source.at === rows.known ? packed?.encodedOf(name, source.at) : undefined;
      this.fields.set(name, known ?? this.encodedOf(source));
    }
  }

  private isInCatalog({ field: { name }, required }: PlainField): boolean {
    const known = required ? this.catalog?.names : this.catalog?.keys;
    return known?.has(name) ?? false;
  }

  private isOfHistory({ of }: MatchField): boolean {
    return of.some((name) => !this.sources.has(name));
  }

  private historyKeys(candidates: Candidates, variants?: Variants): RequestKeys {
    const { count, catalogRows, allInCatalog } = candidates;
    const ofVariants = variants !== undefined && this.history?.ofVariants === true;
    const isCatalogs = (plain: PlainField) =>
      !plain.isKey ||
      (this.catalog?.keys.has(plain.field.name)
        ? this.sources.get(plain.field.name)?.at === (plain.ofVariant && variants ? variants.known : catalogRows)
        : givenOf(plain, candidates) === undefined);
    const areKnown = (!ofVariants || (variants.allKnown && allInCatalog)) && this.plan.candidate.every(isCatalogs);
    return {
      count,
      variants: ofVariants ? variants : undefined,
      keysOf: ofVariants ? this.variantKeysNamed : this.keysNamed,
      catalogRows: areKnown ? catalogRows : undefined,
    };
  }

  /** The raw values of a key field; undefined for one that nothing is looked up by. */
  private keysNamed = (name: string): Keys | undefined =>
    this.sources.get(name)?.plain.isKey ? this.keys.of(name) : undefined;

  private variantKeysNamed = (name: string): Keys | undefined =>
    this.sources.get(name)?.plain.isKey ? this.keys.ofVariants(name) : undefined;

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
    return gatherEncoded(this.catalog?.encoded.get(name), own, at, this.buffers.of(name));
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
}
