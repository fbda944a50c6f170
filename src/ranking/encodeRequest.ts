import type { EncodedCatalog } from '../catalog/encodeCatalog.ts';
import { assert, UserError } from '../core/errors.ts';
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
import { ColumnBuffers, gatherEncoded, gatherKeys } from './gather.ts';
import { candidateSource, constantSource, givenOf, requestSources, type Source } from './sources.ts';

/**
 * Encodes requests for a model, one at a time: what is the request's alone has one row, the candidates' comes from the catalog as
 * it was encoded at load, or from the request.
 */
export class RequestEncoder {
  private readonly plan: FieldPlan;
  private readonly encoder: Encoder;
  private readonly catalog: EncodedCatalog | undefined;
  private readonly constants: readonly Source[];
  private readonly buffers = new Map<string, ColumnBuffers>();
  // Of the request at hand.
  private readonly fields = new Map<string, EncodedColumn>();
  private readonly sources = new Map<string, Source>();
  private readonly keys = new Map<string, Keys>();

  constructor(plan: FieldPlan, encoder: Encoder, catalog?: EncodedCatalog) {
    this.plan = plan;
    this.encoder = encoder;
    this.catalog = catalog;
    this.constants = plan.constant.map((plain) => constantSource(plain) as Source);
    for (const { name } of [...plan.candidate.map(({ field }) => field), ...plan.crosses])
      for (const key of [name, `keys of ${name}`]) this.buffers.set(key, new ColumnBuffers());
  }

  /** @returns columns valid until the next call */
  encode(body: RankBody, candidates: Candidates): ScoringInput {
    this.sources.clear();
    this.keys.clear();
    for (const source of this.constants) this.addField(source);
    for (const source of requestSources(body.user, body.context, this.plan)) this.addField(source);
    for (const plain of this.plan.candidate) {
      const inCatalog = this.catalog?.names.has(plain.field.name) ?? false;
      this.addField(candidateSource(plain, candidates, inCatalog));
    }
    for (const cross of this.plan.crosses) this.fields.set(cross.name, this.crossOf(cross, candidates));
    return { rowCount: candidates.count, fields: this.fields };
  }

  private addField(source: Source): void {
    const { field, direct } = source.plain;
    this.sources.set(field.name, source);
    if (direct) this.fields.set(field.name, this.encodedOf(source));
  }

  private encodedOf({ plain, column, at }: Source): EncodedColumn {
    const own = column === undefined || column.rowCount === 0 ? undefined : this.encodeColumn(plain, column);
    if (at === undefined) return own as EncodedColumn;
    const { name } = plain.field;
    return gatherEncoded(this.catalog?.encoded.get(name), own, at, this.buffersOf(name));
  }

  private encodeColumn({ field }: PlainField, column: Column): EncodedColumn {
    try {
      const batch = { rowCount: column.rowCount, columns: new Map([[columnOf(field), column]]) };
      return this.encoder.encode(batch, [field]).fields.get(field.name) as EncodedColumn;
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
