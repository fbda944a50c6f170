import { assert } from '../core/errors.ts';
import { gatherKeys, NamedBuffers } from '../schema/gatherRows.ts';
import { type Keys, keysOf } from '../schema/keys.ts';
import type { Source } from './sources.ts';
import type { Variants } from './variants.ts';

/** Raw keys of a request's fields, each made once a request: for crosses, and for what history is looked up by. */
export class SourceKeys {
  private readonly catalog: ReadonlyMap<string, Keys>;
  private readonly buffers = new NamedBuffers();
  // Of the request at hand.
  private readonly keys = new Map<string, Keys>();
  private readonly repeated = new Map<string, Keys>();
  private sources: ReadonlyMap<string, Source> = new Map();
  private variants: Variants | undefined;

  /** @param catalog keys of the catalog's fields */
  constructor(catalog: ReadonlyMap<string, Keys> = new Map()) {
    this.catalog = catalog;
  }

  begin(sources: ReadonlyMap<string, Source>, variants?: Variants): void {
    this.sources = sources;
    this.variants = variants;
    this.keys.clear();
    this.repeated.clear();
  }

  /** A row of a request's field, one a candidate or one a creative of the others. */
  of(name: string): Keys {
    let keys = this.keys.get(name);
    if (keys === undefined) {
      keys = this.read(this.sources.get(name) as Source);
      this.keys.set(name, keys);
    }
    return keys;
  }

  /** The same for creatives: what each candidate has, a row a creative. */
  ofVariants(name: string): Keys {
    const { variants } = this;
    const own = this.of(name);
    const { plain } = this.sources.get(name) as Source;
    if (variants === undefined || plain.ofVariant || own.rowCount === 1) return own;
    let keys = this.repeated.get(name);
    if (keys === undefined) {
      keys = gatherKeys(own, undefined, variants.of, this.buffers.of(`${name} of creatives`));
      this.repeated.set(name, keys);
    }
    return keys;
  }

  private read({ plain, column, at }: Source): Keys {
    const { name } = plain.field;
    const own = column === undefined || column.rowCount === 0 ? undefined : keysOf(column, `field '${name}'`);
    if (at !== undefined) return gatherKeys(this.catalog.get(name), own, at, this.buffers.of(name));
    assert(own !== undefined, `no values of '${name}'`);
    return own;
  }
}
