import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Catalog } from '../../src/catalog/catalog.ts';
import { createRandom } from '../../src/core/random.ts';
import { loadBundle, loadCatalog, train } from '../../src/index.ts';
import type { Bundle } from '../../src/model/bundle.ts';
import type { Column } from '../../src/schema/columns.ts';
import { writeTypeOf } from '../../src/tables/arrowBatches.ts';
import { createTableWriter } from '../../src/tables/parquetWriter.ts';
import { Market, type MarketSize } from './market.ts';

/** A market with a model of it. */
export interface ServedMarket {
  readonly market: Market;
  readonly bundle: Bundle;
  readonly catalog: Catalog;
}

/** One whose model was trained on its log. */
export interface TrainedMarket extends ServedMarket {
  /** The bundle's folder, and the catalog as Parquet: for what is measured in another process. */
  readonly folder: string;
  readonly catalogFile: string;
}

/**
 * The market with its model. Training takes a minute at full size, so that it is kept in the system's temporary folder,
 * under a name made of the size and of all code that a model comes from.
 */
export async function trainedMarket(size: MarketSize, log: (text: string) => void): Promise<TrainedMarket> {
  const market = new Market(size);
  const kept = join(tmpdir(), `limelight-bench-${keyOf(size)}`);
  if (!existsSync(kept)) {
    log(`training the model that is measured, kept in ${kept}`);
    await make(market, kept);
  }
  const folder = join(kept, 'model');
  const catalogFile = join(kept, 'catalog.parquet');
  const bundle = await loadBundle(folder);
  return { market, folder, catalogFile, bundle, catalog: await loadCatalog(catalogFile, bundle) };
}

/** Made beside its place and renamed, so that two benchmarks at a time do not disturb each other. */
async function make(market: Market, kept: string): Promise<void> {
  const folder = mkdtempSync(`${kept}.`);
  try {
    const { trainRows, hidden } = market.size;
    const random = createRandom(1);
    const logs = { train: join(folder, 'train.parquet'), valid: join(folder, 'valid.parquet') };
    await write(logs.train, market.log(trainRows, random));
    await write(logs.valid, market.log(Math.ceil(trainRows / 15), random));
    await write(join(folder, 'catalog.parquet'), market.catalog());
    await train({
      schema: market.schema(),
      config: {
        architecture: 'senet-dnn',
        model: { hidden },
        training: { batchSize: Math.min(1024, trainRows >> 7), embeddingScale: 0.05, validationsPerEpoch: 1 },
      },
      train: logs.train,
      valid: { data: logs.valid },
      out: join(folder, 'model'),
      // The one backend that is everywhere: the same bits on every machine.
      backend: 'wasm',
      seed: 1,
    });
    rmSync(logs.train);
    rmSync(logs.valid);
    renameSync(folder, kept);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    // Another process was first.
    if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error;
  }
}

async function write(path: string, columns: Map<string, Column>): Promise<void> {
  const [{ rowCount }] = columns.values();
  const specs = [...columns].map(([name, column]) => ({ name, type: writeTypeOf(column) }));
  const writer = await createTableWriter(path, { columns: specs });
  await writer.append({ rowCount, columns });
  await writer.close();
}

function keyOf(size: MarketSize): string {
  const hash = createHash('sha256').update(JSON.stringify(size));
  for (const place of [
    'benchmarks/serving/market.ts',
    'benchmarks/serving/trained.ts',
    'src/model',
    'src/schema',
    'training',
  ])
    for (const file of codeIn(fileURLToPath(new URL(`../../${place}`, import.meta.url))))
      hash.update(readFileSync(file));
  return hash.digest('hex').slice(0, 16);
}

function codeIn(path: string): string[] {
  if (path.endsWith('.ts')) return [path];
  const files = readdirSync(path, { recursive: true, encoding: 'utf8' }).sort();
  return files.filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts')).map((file) => join(path, file));
}
