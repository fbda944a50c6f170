/*
 * The library: what the command line itself is made of. Everything is imported when first used, so that a program pays only for
 * what it does.
 */

import type { Config } from '../training/config.ts';
import type { Reporter } from '../training/reporter.ts';
import type { TrainInputs, TrainSummary } from '../training/train.ts';
import type { Catalog } from './catalog/catalog.ts';
import type { Creatives } from './catalog/creatives.ts';
import type { CreativeBandit } from './creative/bandit.ts';
import type { ExaminationFit } from './creative/examination.ts';
import type { PositionCounts } from './creative/positions.ts';
import type { BanditState } from './creative/state.ts';
import type { Bundle } from './model/bundle.ts';
import type { Ranker } from './ranking/ranker.ts';
import type { Schema } from './schema/schema.ts';
import type { EngineChoice, LoadedScorer } from './scoring/engines.ts';
import type { Scorer } from './scoring/scorer.ts';
import type { Table } from './tables/parquetReader.ts';

export { UserError } from './core/errors.ts';
export { createRandom } from './core/random.ts';
export type {
  BanditState,
  Bundle,
  Catalog,
  Config,
  CreativeBandit,
  Creatives,
  EngineChoice,
  ExaminationFit,
  LoadedScorer,
  PositionCounts,
  Ranker,
  Reporter,
  Schema,
  Scorer,
  Table,
  TrainSummary,
};

/** Opens Parquet files, folders or globs as one table: its columns, its rows, and `scan` to read them in batches. */
export async function openTable(data: string | readonly string[]): Promise<Table> {
  const { openTable: open } = await import('./tables/parquetReader.ts');
  return open(data);
}

/** Checks a schema (the parsed JSON) and reports every mistake together. */
export async function parseSchema(json: unknown): Promise<Schema> {
  const { parseSchema: parse } = await import('./schema/parseSchema.ts');
  return parse(json);
}

/** Loads a bundle, or the highest version in a model's folder, and proves it whole. */
export async function loadBundle(folder: string): Promise<Bundle> {
  const { readBundle, resolveBundleFolder } = await import('./model/bundleFiles.ts');
  const { nativeMapFile } = await import('./scoring/engines/native/load.ts');
  return readBundle(await resolveBundleFolder(folder), { mapFile: nativeMapFile() });
}

/** Loads a bundle into an engine, the fastest that loads where none is named. */
export async function createScorer(bundle: Bundle, choice: EngineChoice = {}): Promise<LoadedScorer> {
  const { createScorer: create } = await import('./scoring/engines.ts');
  return create(bundle, choice);
}

/** Ranks requests in process, as the server does: see docs/http-api.md for requests and answers. */
export async function createRanker(
  bundle: Bundle,
  scorer: Scorer,
  options: { catalog?: Catalog; creatives?: Creatives; bandit?: CreativeBandit; maxCandidates?: number } = {},
): Promise<Ranker> {
  const { createRanker: create } = await import('./ranking/ranker.ts');
  return create(bundle, scorer, options);
}

/** Reads a catalog of ads, one row each, with the columns the bundle's model needs. */
export async function loadCatalog(data: string, bundle: Bundle): Promise<Catalog> {
  const { loadCatalog: load } = await import('./server/loadRanker.ts');
  return load(data, bundle);
}

/** Reads the creatives of a catalog's ads, one row each, with the columns the bundle's model needs; a ranker without a bandit chooses the likeliest. */
export async function loadCreatives(data: string, catalog: Catalog, bundle: Bundle): Promise<Creatives> {
  const { loadCreatives: load } = await import('./server/loadRanker.ts');
  return load(data, catalog, bundle);
}

/**
 * A bandit that chooses among a catalog's creatives, and learns from what `add` tells it: see docs/creatives.md for its settings.
 *
 * @param state what an earlier one's `save` gave
 */
export async function createBandit(
  catalog: Catalog,
  creatives: Creatives,
  settings: unknown = {},
  state?: unknown,
): Promise<CreativeBandit> {
  const { createBandit: create } = await import('./creative/bandit.ts');
  const { readBanditSettings } = await import('./creative/settings.ts');
  const { creativeArms } = await import('./ranking/creativeArms.ts');
  return create(creativeArms(catalog, creatives), readBanditSettings(settings), state);
}

/** What two replicas' bandits have learned, added up. */
export async function mergeBanditStates(a: unknown, b: unknown): Promise<BanditState> {
  const { mergeBanditStates: merge } = await import('./creative/mergeStates.ts');
  return merge(a, b);
}

/**
 * The CTR of each position over all its impressions: what the position does where the order was random, else what the items did as well.
 *
 * @returns [positions]
 */
export async function slotCtrs(counts: PositionCounts): Promise<Float64Array> {
  const { slotCtrs: ctrs } = await import('./creative/positions.ts');
  return ctrs(counts);
}

/**
 * How much each position is looked at, the best being 1, estimated from what the same items draw in several positions: the `examination` of
 * a bandit's settings. Of traffic whose order was random, `slotCtrs` over their highest are that too.
 */
export async function estimateExamination(counts: PositionCounts): Promise<ExaminationFit> {
  const { estimateExamination: estimate } = await import('./creative/examination.ts');
  return estimate(counts);
}

/**
 * Clicks over expected clicks of each item: 1 for one as good as the average of the traffic that the CTRs are of.
 *
 *   COEC_i = Σ_s clicks_is / Σ_s impressions_is · ctr_s
 *
 * @param slotCtrs [positions], as `slotCtrs` gives them
 * @returns [items]
 */
export async function coec(counts: PositionCounts, slotCtrs: Float64Array): Promise<Float64Array> {
  const { coec: ratios } = await import('./creative/positions.ts');
  return ratios(counts, slotCtrs);
}

/**
 * The CTR that each item would have in the best position: clicks over impressions, these counted by how much their position is looked at.
 *
 *   ECOI_i = Σ_s clicks_is / Σ_s impressions_is · examination_s
 *
 * @param examination [positions], as `estimateExamination` finds them
 * @returns [items]
 */
export async function ecoi(counts: PositionCounts, examination: Float64Array): Promise<Float64Array> {
  const { ecoi: rates } = await import('./creative/positions.ts');
  return rates(counts, examination);
}

/** As `limelight train` takes it; `config` and `schema` are parsed JSON. */
export interface TrainOptions
  extends Pick<
    TrainInputs,
    'architecture' | 'train' | 'valid' | 'history' | 'distil' | 'out' | 'from' | 'isInterrupted'
  > {
  readonly schema: unknown;
  readonly config?: unknown;
  /** Auxiliary tasks as `--aux` takes them, in place of the configuration's: `long=play_time_ms>=7000:0.1`. */
  readonly auxiliary?: readonly string[];
  /** `auto` where absent. */
  readonly backend?: string;
  /** 1 where absent. */
  readonly seed?: number;
  readonly reporter?: Reporter;
  /** How messages name the schema and the configuration: their paths, say. */
  readonly sources?: { readonly schema?: string; readonly config?: string };
}

/** Trains a model on Parquet logs and writes it as a bundle. */
export async function train(options: TrainOptions): Promise<TrainSummary> {
  const { parseAuxiliary } = await import('../training/auxiliary.ts');
  const { parseConfig } = await import('../training/config.ts');
  const { silentReporter } = await import('../training/reporter.ts');
  const { train: run } = await import('../training/train.ts');
  const { parseSchema: parse } = await import('./schema/parseSchema.ts');
  const {
    schema,
    config,
    auxiliary,
    backend = 'auto',
    seed = 1,
    reporter = silentReporter,
    sources,
    ...rest
  } = options;
  const parsed = parseConfig(config ?? {}, sources?.config);
  return run({
    ...rest,
    schema: parse(schema, sources?.schema),
    config: auxiliary === undefined ? parsed : { ...parsed, auxiliary: auxiliary.map(parseAuxiliary) },
    seed,
    reporter,
    async loadLearner() {
      const { loadBackend } = await import('./scoring/engines/tfjs/load.ts');
      const { createTfjsLearner } = await import('./scoring/engines/tfjs/learner.ts');
      // Products in bfloat16 where the CPU has tiles for them: a step takes half the time, its loss agrees to four digits.
      const loaded = await loadBackend(backend, { bfloat16: true });
      return (typed, learner) => createTfjsLearner(typed, loaded, learner);
    },
    nowMs: Date.now,
    createdBy: 'limelight',
  });
}
