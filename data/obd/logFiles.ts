import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { UserError } from '../../src/core/errors.ts';
import { openCsv } from '../../src/tables/csv.ts';
import type { CsvType } from '../../src/tables/csvTypes.ts';
import { listFolder } from '../sourceFiles.ts';

export const USER_FEATURES = ['user_feature_0', 'user_feature_1', 'user_feature_2', 'user_feature_3'];

/** What every log must have. */
export const LOG_TYPES: Readonly<Record<string, CsvType>> = {
  timestamp: 'timestamp',
  item_id: 'integer',
  position: 'integer',
  click: 'integer',
  propensity_score: 'number',
  ...Object.fromEntries(USER_FEATURES.map((name) => [name, 'text' as const])),
};

export interface Log {
  readonly policy: string;
  readonly campaign: string;
  readonly file: string;
  readonly contextFile: string;
}

const SOURCE = 'Open Bandit files';

/** Paths of logs, and of the items of each: flat, and as published. */
const LAYOUTS: readonly { log: RegExp; items: (policy: string, campaign: string) => string }[] = [
  { log: /^([^_./]+)_([^./]+)\.csv(?:\.gz)?$/, items: (policy, campaign) => `${policy}_${campaign}_item_context.csv` },
  {
    log: /^([^./]+)\/([^./]+)\/\2\.csv(?:\.gz)?$/,
    items: (policy, campaign) => `${policy}/${campaign}/item_context.csv`,
  },
];

/**
 * The logs of a folder in either layout, in order of path. Other files are let be.
 *
 * @throws UserError for a folder without any, a log that is there twice, and one whose items no file describes
 */
export async function findLogs(folder: string): Promise<Log[]> {
  const paths = await pathsIn(folder);
  const logs = new Map<string, Log>();
  for (const path of paths)
    for (const { log, items } of LAYOUTS) {
      const [, policy, campaign] = log.exec(path) ?? [];
      if (policy === undefined || path.includes('item_context.')) continue;
      const file = join(folder, path);
      const context = paths.find((other) => other.replace(/\.gz$/, '') === items(policy, campaign));
      if (context === undefined && !(await hasLogColumns(file))) continue;
      const twin = logs.get(`${policy}_${campaign}`);
      if (twin) throw new UserError(`${file}: is there as ${twin.file} too; keep one of them`);
      if (context === undefined)
        throw new UserError(
          `${file}: its items are not described; expected ${basename(items(policy, campaign))} beside it`,
          'missing',
        );
      logs.set(`${policy}_${campaign}`, { policy, campaign, file, contextFile: join(folder, context) });
    }
  if (logs.size > 0) return [...logs.values()];
  throw new UserError(
    `${folder}: has no log such as random_men.csv.gz, with random_men_item_context.csv, nor as random/men/men.csv, with item_context.csv beside it; name the folder with the ${SOURCE}`,
    'missing',
  );
}

/** What a folder holds, down to the folders in its folders. */
async function pathsIn(folder: string): Promise<string[]> {
  const inside = async (path: string): Promise<string[]> => {
    const found = await stat(join(folder, path)).catch(() => undefined);
    if (!found?.isDirectory()) return [];
    return (await listFolder(join(folder, path), SOURCE)).map((name) => `${path}/${name}`);
  };
  const names = await listFolder(folder, SOURCE);
  const below = (await Promise.all(names.map(inside))).flat();
  return [...names, ...below, ...(await Promise.all(below.map(inside))).flat()];
}

/** Whether a file is a log, of all that may lie about beside one. */
async function hasLogColumns(file: string): Promise<boolean> {
  const csv = await openCsv(file, { header: true, sampleRows: 1 }).catch((error) => {
    if (error instanceof UserError) return undefined;
    throw error;
  });
  await csv?.close();
  const names = csv?.columns.map(({ name }) => name);
  return Object.keys(LOG_TYPES).every((name) => names?.includes(name));
}
