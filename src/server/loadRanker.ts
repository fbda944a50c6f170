import { existsSync } from 'node:fs';
import { type Catalog, catalogColumns, readCatalog } from '../catalog/catalog.ts';
import { type Creatives, creativeColumns, readCreatives } from '../catalog/creatives.ts';
import { catalogFields, creativeFields } from '../catalog/encodeCatalog.ts';
import { UserError } from '../core/errors.ts';
import type { Bundle } from '../model/bundle.ts';
import { readBundle, resolveBundleFolder } from '../model/bundleFiles.ts';
import { creativeArms } from '../ranking/creativeArms.ts';
import { createRanker, type Ranker } from '../ranking/ranker.ts';
import { columnOf, isMade } from '../schema/fields.ts';
import type { Field } from '../schema/schema.ts';
import { createScorer, type EngineChoice } from '../scoring/engines.ts';
import { replayGolden } from '../scoring/golden.ts';
import { tolerances } from '../scoring/precision.ts';
import { openTable } from '../tables/parquetReader.ts';
import { type HeldCreatives, openBandit } from './heldCreatives.ts';
import { type HeldHistory, openHistory } from './heldHistory.ts';

export interface LoadOptions extends Pick<EngineChoice, 'engine' | 'precision' | 'adCacheMb'> {
  /** A bundle's folder, or a model's, of which the highest version is taken. */
  readonly model: string;
  /** Parquet files of one row an ad. */
  readonly catalog?: string;
  /** Parquet files of one row a creative of the catalog's ads. */
  readonly creatives?: string;
  /** How a creative is chosen: a policy's name, or a JSON file of settings. Without it and a state, the likeliest is. */
  readonly creativePolicy?: string;
  /** A file with what is known of creatives to begin with, if it is there; nothing is where it is not. */
  readonly creativeState?: string;
  readonly maxCandidates?: number;
  /** A file with a state of history to begin with; the bundle's own where absent. */
  readonly history?: string;
}

/** A model in use: its golden requests have been answered rightly by the engine that serves it. */
export interface LoadedRanker {
  readonly ranker: Ranker;
  /** Why this engine. */
  readonly reason: string;
  /** What the ranker reads, where the model's schema has any. */
  readonly history?: HeldHistory;
  /** What chooses creatives, where that is a bandit. */
  readonly creatives?: HeldCreatives;
}

/** @throws UserError if anything of it is missing, damaged or does not fit the rest */
export async function loadRanker(options: LoadOptions): Promise<LoadedRanker> {
  const { engine, precision, adCacheMb, maxCandidates } = options;
  const { nativeMapFile } = await import('../scoring/engines/native/load.ts');
  const folder = await resolveBundleFolder(options.model);
  const bundle = await readBundle(folder, { mapFile: nativeMapFile() });
  const history = await openHistory(bundle, folder, options.history);
  const catalog = options.catalog === undefined ? undefined : await loadCatalog(options.catalog, bundle);
  const creatives = await creativesOf(options, bundle, catalog);
  const held = await banditOf(options, catalog, creatives);
  const { scorer, reason } = await createScorer(bundle, { engine, precision, adCacheMb });
  try {
    replayGolden(bundle, scorer, tolerances[scorer.precision ?? 'fp32']);
    const known = { catalog, creatives, history: history?.history };
    const ranker = createRanker(bundle, scorer, { ...known, bandit: held?.bandit, maxCandidates });
    return { ranker, reason, history, creatives: held };
  } catch (error) {
    scorer.dispose();
    const inSettings = 'bandit settings: ';
    if (!(error instanceof UserError && error.message.startsWith(inSettings))) throw error;
    throw new UserError(`--creative-policy '${options.creativePolicy}': ${error.message.slice(inSettings.length)}`);
  }
}

async function creativesOf(options: LoadOptions, bundle: Bundle, catalog?: Catalog): Promise<Creatives | undefined> {
  if (options.creatives === undefined) return undefined;
  if (catalog !== undefined) return loadCreatives(options.creatives, catalog, bundle);
  throw new UserError(`--creatives '${options.creatives}': is of a catalog's ads, and there is none; add --catalog`);
}

async function banditOf(
  { creativePolicy, creativeState }: LoadOptions,
  catalog?: Catalog,
  creatives?: Creatives,
): Promise<HeldCreatives | undefined> {
  if (creativePolicy === undefined && creativeState === undefined) return undefined;
  if (catalog !== undefined && creatives !== undefined) {
    const state = creativeState !== undefined && existsSync(creativeState) ? creativeState : undefined;
    return openBandit(creativeArms(catalog, creatives), creativePolicy, state);
  }
  const flag = creativePolicy === undefined ? '--creative-state' : '--creative-policy';
  throw new UserError(`${flag}: there are no creatives to choose from; add --creatives`);
}

/** Reads the columns of a catalog that every catalog has, and those the model's ads need. */
export async function loadCatalog(pattern: string, { typed }: Bundle): Promise<Catalog> {
  const fields = catalogFields(typed.schema.fields);
  return readCatalog(await openColumns(pattern, 'catalog', catalogColumns, fields), `catalog '${pattern}'`);
}

/** Reads the columns of a table of creatives that every such table has, and those the model's creatives need. */
export async function loadCreatives(pattern: string, catalog: Catalog, { typed }: Bundle): Promise<Creatives> {
  const names = creativeFields(typed.schema.fields);
  const fields = typed.schema.fields.filter(({ name }) => names.has(name));
  const batches = await openColumns(pattern, 'creatives', creativeColumns, fields);
  return readCreatives(batches, catalog, `creatives '${pattern}'`);
}

async function openColumns(pattern: string, what: string, required: readonly string[], fields: readonly Field[]) {
  const table = await openTable(pattern);
  const wanted = new Set([...required, ...fields.flatMap((field) => (isMade(field) ? [] : [columnOf(field)]))]);
  const columns = table.columns.map(({ name }) => name).filter((name) => wanted.has(name));
  if (columns.length === 0) {
    const row = what === 'catalog' ? 'an ad' : 'a creative';
    throw new UserError(
      `${what} '${pattern}': has none of the columns ${[...wanted].join(', ')}; write one row ${row} with these`,
    );
  }
  return table.scan({ columns });
}
