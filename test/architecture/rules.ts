/*
 * What may import what, and where the outside world may be touched: the design's table, as data.
 *
 * A file belongs to the longest folder (or file) named here that its path begins with.
 */

/** Folders of `src` a folder may import from; itself always. `*` is anything. */
export const mayImport: Readonly<Record<string, readonly string[] | '*'>> = {
  'src/core': [],
  'src/schema': ['src/core'],
  'src/tables': ['src/core', 'src/schema'],
  'src/history': ['src/core', 'src/schema'],
  'src/model': ['src/core', 'src/schema'],
  'src/evaluation': ['src/core'],
  'src/scoring': ['src/core', 'src/schema', 'src/model', 'src/evaluation'],
  'src/auction': ['src/core'],
  'src/creative': ['src/core'],
  'src/bidding': ['src/core'],
  'src/catalog': ['src/core', 'src/schema'],
  'src/store': ['src/core'],
  'src/events': ['src/core', 'src/schema', 'src/store', 'src/tables'],
  'src/ranking': [
    'src/core',
    'src/schema',
    'src/history',
    'src/model',
    'src/evaluation',
    'src/scoring',
    'src/auction',
    'src/creative',
    'src/bidding',
    'src/catalog',
  ],
  'src/server': [
    'src/core',
    'src/schema',
    'src/tables',
    'src/history',
    'src/model',
    'src/evaluation',
    'src/scoring',
    'src/auction',
    'src/creative',
    'src/bidding',
    'src/catalog',
    'src/store',
    'src/events',
    'src/ranking',
  ],
  'src/commands': '*',
  'src/cli.ts': ['src/core', 'src/commands'],
  'src/index.ts': '*',
  training: ['src/core', 'src/schema', 'src/tables', 'src/history', 'src/model', 'src/evaluation', 'src/scoring'],
  data: ['src/core', 'src/schema', 'src/tables'],
  benchmarks: '*',
  scripts: '*',
  test: '*',
};

/** Folders a folder may name in `await import()` and `import type` alone, so that a server loads none of them. */
export const mayImportLazily: Readonly<Record<string, readonly string[]>> = {
  'src/commands': ['training', 'data'],
  'src/index.ts': ['training', 'data'],
  'src/ranking': ['src/store', 'src/events'],
};

/** Files for tests and benchmarks: they may import like tests, and nothing else may import them. */
export const testSupport: readonly string[] = [
  'src/schema/randomTable.ts',
  'src/schema/jsonChanges.ts',
  'src/history/naiveHistory.ts',
  'src/history/randomLog.ts',
  'src/evaluation/opeSimulation.ts',
  'src/tables/writeTestTable.ts',
  'src/scoring/conformance',
  'src/creative/banditRuns.ts',
  'src/ranking/sampleMarket.ts',
  'training/tinyLog.ts',
  'training/tinyTraining.ts',
  'data/testFolder.ts',
];

/** Packages that only some places may import. */
export const packagesOnlyIn: Readonly<Record<string, readonly string[]>> = {
  fastify: ['src/server'],
  pino: ['src/server'],
  'prom-client': ['src/server'],
  commander: ['src/cli.ts', 'src/commands'],
  '@tensorflow/': ['src/scoring/engines/tfjs'],
  'parquet-wasm': ['src/tables'],
  'apache-arrow': ['src/tables'],
  'hyparquet-writer': ['src/tables'],
  'csv-parse': ['src/tables'],
};

/** Each scoring engine; none imports another, and all but the reference are loaded lazily. */
export const enginesFolder = 'src/scoring/engines';
export const eagerEngines: readonly string[] = ['src/scoring/engines/reference'];
/** Programs that run one engine on purpose need not wait for it. */
export const mayLoadEnginesEagerly: readonly string[] = ['benchmarks', 'scripts'];

/** Where files, network, clock, environment and chance may be touched; elsewhere they are arguments. */
export const mayTouchTheWorld: readonly string[] = [
  'src/server',
  'src/store',
  'src/events',
  'src/tables',
  'src/commands',
  'src/cli.ts',
  'src/index.ts',
  'src/model/bundleFiles.ts',
  'src/model/bundleSidecar.ts',
  'src/scoring/engines/*/load.ts',
  'src/scoring/engines/*/loadScorer.ts',
  'training',
  'data',
  'benchmarks',
  'scripts',
  'test',
];

/** Modules of Node that compute and touch nothing. */
export const pureModules: readonly string[] = ['node:buffer', 'node:path', 'node:util', 'node:url'];

/** Ways to the world that need no import. */
export const worldly: readonly RegExp[] = [
  /\bprocess\.\w+/,
  /\bDate\.now\b/,
  /\bnew Date\(\)/,
  /\bMath\.random\b/,
  /\bperformance\.now\b/,
  /\bfetch\(/,
];
