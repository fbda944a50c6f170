import { type Catalog, catalogColumns, readCatalog } from '../catalog/catalog.ts';
import { catalogFields } from '../catalog/encodeCatalog.ts';
import { UserError } from '../core/errors.ts';
import type { Bundle } from '../model/bundle.ts';
import { readBundle, resolveBundleFolder } from '../model/bundleFiles.ts';
import { createRanker, type Ranker } from '../ranking/ranker.ts';
import { columnOf, isMade } from '../schema/fields.ts';
import { createScorer, type EngineChoice } from '../scoring/engines.ts';
import { replayGolden } from '../scoring/golden.ts';
import { tolerances } from '../scoring/precision.ts';
import { openTable } from '../tables/parquetReader.ts';
import { type HeldHistory, openHistory } from './heldHistory.ts';

export interface LoadOptions extends Pick<EngineChoice, 'engine' | 'precision' | 'adCacheMb'> {
  /** A bundle's folder, or a model's, of which the highest version is taken. */
  readonly model: string;
  /** Parquet files of one row an ad. */
  readonly catalog?: string;
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
}

/** @throws UserError if anything of it is missing, damaged or does not fit the rest */
export async function loadRanker(options: LoadOptions): Promise<LoadedRanker> {
  const { engine, precision, adCacheMb, maxCandidates } = options;
  const { nativeMapFile } = await import('../scoring/engines/native/load.ts');
  const folder = await resolveBundleFolder(options.model);
  const bundle = await readBundle(folder, { mapFile: nativeMapFile() });
  const history = await openHistory(bundle, folder, options.history);
  const catalog = options.catalog === undefined ? undefined : await loadCatalog(options.catalog, bundle);
  const { scorer, reason } = await createScorer(bundle, { engine, precision, adCacheMb });
  try {
    replayGolden(bundle, scorer, tolerances[scorer.precision ?? 'fp32']);
    const ranker = createRanker(bundle, scorer, { catalog, maxCandidates, history: history?.history });
    return { ranker, reason, history };
  } catch (error) {
    scorer.dispose();
    throw error;
  }
}

/** Reads the columns of a catalog that every catalog has, and those the model's ads need. */
export async function loadCatalog(pattern: string, { typed }: Bundle): Promise<Catalog> {
  const table = await openTable(pattern);
  const fields = catalogFields(typed.schema.fields).filter((field) => !isMade(field));
  const wanted = new Set<string>([...catalogColumns, ...fields.map(columnOf)]);
  const columns = table.columns.map(({ name }) => name).filter((name) => wanted.has(name));
  if (columns.length === 0) {
    throw new UserError(
      `catalog '${pattern}': has none of the columns ${[...wanted].join(', ')}; write one row an ad with these`,
    );
  }
  return readCatalog(table.scan({ columns }), `catalog '${pattern}'`);
}
