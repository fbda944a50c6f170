import type { Catalog } from '../catalog/catalog.ts';
import type { Creatives } from '../catalog/creatives.ts';
import type { Arms } from '../creative/creative.ts';
import { columnToJson } from '../schema/jsonColumns.ts';

/** A catalog's creatives as the arms of a bandit: an ad's are those of its row, in the order in which requests list them. */
export function creativeArms({ adCount, batches }: Catalog, creatives: Creatives): Arms {
  const adKeys = idsOf(batches, 'adId', adCount);
  const names = idsOf(creatives.batches.slice(0, creatives.tableBatches), 'creativeId', creatives.namedCount);
  return {
    offsets: creatives.offsets,
    adKeys,
    // An ad's own creative has no name but the ad's.
    creativeKeys: Array.from(creatives.rows, (row) => names[row] ?? adKeys[creatives.ads[row]]),
  };
}

function idsOf(batches: Catalog['batches'], column: string, count: number): string[] {
  const ids = batches.flatMap(({ rowCount, columns }) => {
    const found = columns.get(column);
    const rows = Array.from({ length: rowCount }, (_, row) => row);
    return found === undefined ? [] : columnToJson(found, rows).map(String);
  });
  return ids.slice(0, count);
}
