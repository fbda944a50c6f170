import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where the public data sets lie that tests and benchmarks may use: LIMELIGHT_DATA, or a folder beside the checkout. */
export const realDataFolder =
  process.env.LIMELIGHT_DATA ?? fileURLToPath(new URL('../../shared/data', import.meta.url));

/** A data set's folder, or the reason why what needs it is skipped. */
export function realData(name: string): { folder: string } | { missing: string } {
  const folder = join(realDataFolder, name);
  return existsSync(folder) ? { folder } : { missing: `no ${name} data in ${realDataFolder}; set LIMELIGHT_DATA` };
}
