import type { EncodedColumn, EncodedDense } from '../schema/encoded.ts';
import type { Encoder } from '../schema/encoder.ts';
import { scopeOfField } from '../schema/fields.ts';
import { gatherEncoded, NamedBuffers } from '../schema/gatherRows.ts';
import { crossKeys, type Keys } from '../schema/keys.ts';
import { MatchCounter } from '../schema/matches.ts';
import type { CrossField, Field, MatchField } from '../schema/schema.ts';
import type { Candidates } from './candidates.ts';
import { isOfVariant } from './fieldPlan.ts';
import type { PackedGather } from './packedGather.ts';
import type { SourceKeys } from './sourceKeys.ts';
import type { Source } from './sources.ts';
import type { Variants } from './variants.ts';

/** What crosses and matches are made of. */
export interface FieldParts {
  /** Of the request at hand: where its fields are from, their keys, and what has been encoded of it. */
  readonly sources: ReadonlyMap<string, Source>;
  readonly keys: SourceKeys;
  readonly fields: ReadonlyMap<string, EncodedColumn>;
  /** The catalog's rows, and the values of its fields that have few. */
  readonly ads?: PackedGather;
  readonly creatives?: PackedGather;
  readonly distinct?: ReadonlyMap<string, Keys>;
}

/** Makes a request's crosses and matches, in buffers that are reused. */
export class MadeFields {
  private readonly encoder: Encoder;
  private readonly parts: FieldParts;
  private readonly byName: ReadonlyMap<string, Field>;
  private readonly buffers = new NamedBuffers();
  private readonly matches = new MatchCounter();

  constructor(encoder: Encoder, parts: FieldParts) {
    this.encoder = encoder;
    this.parts = parts;
    this.byName = new Map(encoder.schema.fields.map((field) => [field.name, field]));
  }

  /** A cross is encoded where it is met, unless all its parts are of one of the catalog's tables: then so is it. */
  crossOf(cross: CrossField, { catalogRows }: Candidates, variants: Variants | undefined): EncodedColumn {
    const { ads, creatives, keys } = this.parts;
    const ofVariant = isOfVariant(cross, this.byName);
    const ofCreatives = ofVariant && variants !== undefined;
    const rows = ofCreatives ? variants.known : catalogRows;
    const packed = ofCreatives ? creatives : ads;
    const known = rows && packed && this.knownCross(cross, rows, packed);
    if (known !== undefined) return known;
    return this.encoder.encodeKeys(
      cross,
      crossKeys(cross.of.map((name) => (ofVariant ? keys.ofVariants(name) : keys.of(name)))),
    );
  }

  /** Of the catalog's values alone, or of the request's with those of one field: made once for each that this has, where they are few. */
  private knownCross(cross: CrossField, rows: Int32Array, packed: PackedGather): EncodedColumn | undefined {
    const { sources, keys, distinct } = this.parts;
    const { name, of } = cross;
    const sourceOf = (part: string) => sources.get(part) as Source;
    const ofRows = of.filter((part) => sourceOf(part).at !== undefined || sourceOf(part).column?.rowCount !== 1);
    if (ofRows.some((part) => sourceOf(part).at !== rows)) return undefined;
    if (ofRows.length === of.length) return packed.encodedOf(name, rows);
    const [part] = ofRows;
    const values = ofRows.length === 1 ? distinct?.get(part) : undefined;
    if (values === undefined || values.rowCount >= rows.length) return undefined;
    const encoded = this.encoder.encodeKeys(cross, crossKeys(of.map((one) => (one === part ? values : keys.of(one)))));
    return gatherEncoded(encoded, undefined, packed.placesOf(part, rows) as Int32Array, this.buffers.of(name));
  }

  /** @param count of candidates */
  matchOf(match: MatchField, count: number, variants: Variants | undefined): EncodedDense {
    const { byName } = this;
    const [first, second] = match.of.map((name) => this.parts.fields.get(name) as EncodedColumn);
    const scope = scopeOfField(match, byName);
    const ofVariant = variants !== undefined && isOfVariant(match, byName);
    /** A candidate's row of each creative. */
    const rowsOf = (name: string) =>
      ofVariant && !isOfVariant(byName.get(name) as Field, byName) ? variants.of : undefined;
    const rowCount = scope === 'request' ? 1 : ofVariant ? variants.count : count;
    const rows = { first: rowsOf(match.of[0]), second: rowsOf(match.of[1]) };
    const out = this.buffers.of(match.name).takeFloats(rowCount);
    return this.matches.count(first, second, rowCount, rows, out);
  }
}
