import { rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { listOf, UserError } from '../../src/core/errors.ts';
import type { ColumnBatch, IntegerColumn, NumberColumn } from '../../src/schema/columns.ts';
import { type ColumnSpec, writeTypeOf } from '../../src/tables/arrowBatches.ts';
import { createOutputFolder } from '../../src/tables/outputFolder.ts';
import { createTableWriter } from '../../src/tables/parquetWriter.ts';
import { createPartitionedWriter } from '../../src/tables/partitionedWriter.ts';
import { adCatalog, creativeCatalog } from './catalogTables.ts';
import { createMarket, type Market } from './market.ts';
import { marketPresets } from './presets.ts';

export interface SimulateOptions {
  /** Receives `log/date=…/part-0.parquet`, `catalog/ads.parquet` and `catalog/creatives.parquet`; new or empty. */
  readonly outDir: string;
  readonly impressionCount: number;
  readonly seed: number;
  /** A name in `marketPresets`. */
  readonly preset: string;
  /** Called now and then with the impressions done so far. */
  readonly onProgress?: (impressionsDone: number) => void;
}

export interface SimulationSummary {
  readonly preset: string;
  readonly seed: number;
  readonly impressionCount: number;
  readonly requestCount: number;
  readonly clickCount: number;
  readonly conversionCount: number;
  readonly engagementCount: number;
  /** Clicks per impression, and conversions per click (0 without clicks). */
  readonly clickRate: number;
  readonly conversionRate: number;
  /** Log loss of the truth on the clicks, and of the mean click rate: no model does better than the first. */
  readonly logLossOfTruth: number;
  readonly logLossOfConstant: number;
  readonly userCount: number;
  readonly adCount: number;
  readonly creativeCount: number;
  /** The log's days, as in `2025-01-06`. */
  readonly days: readonly string[];
  /** The files of the log, by day, then the catalog's. */
  readonly logFiles: readonly string[];
  readonly adCatalogFile: string;
  readonly creativeCatalogFile: string;
}

const BATCH_ROWS = 25_000;
const DAY_MS = 86_400_000;

/**
 * Writes a synthetic market's impression log, one folder a day, and its catalog of ads. The same preset, count and seed
 * give the same bytes. If it fails, what was written is removed.
 *
 * @throws UserError for an unknown preset, a count or seed out of range, or an output folder that holds anything
 */
export async function simulate(options: SimulateOptions): Promise<SimulationSummary> {
  const { outDir, impressionCount, seed } = options;
  const preset = marketPresets.get(options.preset);
  if (!preset) {
    throw new UserError(
      `simulate: expected a preset among ${listOf([...marketPresets.keys()])}, got '${options.preset}'; name one of them`,
      'missing',
    );
  }
  const market = createMarket(preset, { seed, impressionCount });
  await createOutputFolder(outDir);
  const adCatalogFile = join(outDir, 'catalog', 'ads.parquet');
  const creativeCatalogFile = join(outDir, 'catalog', 'creatives.parquet');
  try {
    const log = await writeLog(join(outDir, 'log'), market, options.onProgress);
    await writeTable(adCatalogFile, adCatalog(market));
    await writeTable(creativeCatalogFile, creativeCatalog(market));
    return {
      preset: preset.name,
      seed,
      ...log.totals,
      requestCount: market.requestCount,
      userCount: market.users.count,
      adCount: market.ads.count,
      creativeCount: market.creatives.count,
      days: log.days,
      logFiles: log.files,
      adCatalogFile,
      creativeCatalogFile,
    };
  } catch (error) {
    await rm(join(outDir, 'log'), { recursive: true, force: true });
    await rm(join(outDir, 'catalog'), { recursive: true, force: true });
    await rmdir(outDir).catch(() => undefined);
    throw error;
  }
}

async function writeLog(folder: string, market: Market, onProgress?: (impressionsDone: number) => void) {
  const totals = createTotals();
  let batch = market.nextBatch(BATCH_ROWS);
  const writer = await createPartitionedWriter(folder, { columns: specsOf(batch), openFilesMax: 2 });
  try {
    while (batch.rowCount > 0) {
      totals.add(batch);
      await writer.append(batch, daysOf(batch));
      onProgress?.(market.impressionCount);
      batch = market.nextBatch(BATCH_ROWS);
    }
    const { files, days } = await writer.close();
    return { files, days, totals: totals.summary() };
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

async function writeTable(path: string, table: ColumnBatch): Promise<void> {
  const writer = await createTableWriter(path, { columns: specsOf(table) });
  try {
    await writer.append(table);
    await writer.close();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

function specsOf({ columns }: ColumnBatch): ColumnSpec[] {
  return [...columns].map(([name, column]) => ({ name, type: writeTypeOf(column) }));
}

function daysOf(batch: ColumnBatch): Int32Array {
  const timeMs = (batch.columns.get('time_ms') as IntegerColumn).values as BigInt64Array;
  return Int32Array.from(timeMs, (ms) => Math.floor(Number(ms) / DAY_MS));
}

function createTotals() {
  let impressionCount = 0;
  let clickCount = 0;
  let conversionCount = 0;
  let engagementCount = 0;
  let lossOfTruth = 0;
  return {
    add({ rowCount, columns }: ColumnBatch): void {
      const whole = (name: string) => (columns.get(name) as IntegerColumn).values as Int32Array;
      const [clicks, conversions, engaged] = [whole('click'), whole('conversion'), whole('engaged')];
      const pClick = (columns.get('true_p_click') as NumberColumn).values;
      impressionCount += rowCount;
      for (let row = 0; row < rowCount; row++) {
        clickCount += clicks[row];
        conversionCount += conversions[row];
        engagementCount += engaged[row];
        lossOfTruth -= clicks[row] ? Math.log(pClick[row]) : Math.log1p(-pClick[row]);
      }
    },
    summary() {
      const rate = clickCount / impressionCount;
      const surprise = (p: number) => (p > 0 ? -p * Math.log(p) : 0);
      return {
        impressionCount,
        clickCount,
        conversionCount,
        engagementCount,
        clickRate: rate,
        conversionRate: clickCount > 0 ? conversionCount / clickCount : 0,
        logLossOfTruth: lossOfTruth / impressionCount,
        logLossOfConstant: surprise(rate) + surprise(1 - rate),
      };
    },
  };
}
