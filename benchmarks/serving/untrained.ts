import { readCatalog } from '../../src/catalog/catalog.ts';
import { buildModel } from '../../src/model/architectures.ts';
import type { Bundle } from '../../src/model/bundle.ts';
import type { TypedModel } from '../../src/model/checkModel.ts';
import { createManifest } from '../../src/model/manifest.ts';
import type { Fitted } from '../../src/schema/fitted.ts';
import { listedVocabulary } from '../../src/schema/vocabulary.ts';
import { initialWeights } from '../../training/parameters.ts';
import { asMapped } from './mapped.ts';
import { Market, type MarketSize } from './market.ts';
import type { ServedMarket } from './trained.ts';

/** A market with a model that nobody trained: for sizes whose cost is asked for, not their quality. */
export async function untrainedMarket(size: MarketSize): Promise<ServedMarket> {
  const market = new Market(size);
  const schema = market.schema();
  const fields = [
    ...market.userFields,
    ...market.adFields.map((field, f) => (f === 0 ? { ...field, values: size.adCount } : field)),
  ];
  const fitted: Fitted = {
    vocabularies: new Map(fields.map(({ name, values }) => [name, wholeNumbers(values)])),
    numbers: new Map(),
    vectors: new Map(),
    columnTypes: new Map(fields.map(({ name }) => [name, 'integer'])),
  };
  const bundle = untrainedBundle(buildModel('senet-dnn', schema, { hidden: size.hidden }), fitted);
  const catalog = await readCatalog([{ rowCount: size.adCount, columns: market.catalog() }]);
  return { market, bundle, catalog };
}

/** A model as training would begin with it. */
export function untrainedBundle(typed: TypedModel, fitted: Fitted): Bundle {
  const facts = {
    name: 'bench',
    version: '1',
    createdAt: '',
    createdBy: 'bench',
    calibration: {},
    metrics: {},
    training: {},
  };
  return {
    manifest: createManifest(facts, typed, fitted),
    typed,
    fitted,
    weights: asMapped(initialWeights(typed, fitted, 0.05, 1)),
    golden: { rowCount: 0, columns: {}, probabilities: {} },
  };
}

/** 1, 2, …, each seen once. */
function wholeNumbers(count: number) {
  const words = new Int32Array(2 * count);
  for (let i = 0; i < count; i++) words[2 * i] = i + 1;
  return listedVocabulary(words, new Float64Array(count + 2).fill(1));
}
