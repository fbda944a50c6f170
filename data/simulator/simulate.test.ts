import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { historyColumns } from '../../src/schema/derivedFields.ts';
import { columnOf, isMade } from '../../src/schema/fields.ts';
import { parseSchema } from '../../src/schema/parseSchema.ts';
import { columnValue, type Value } from '../../src/tables/columnBuilder.ts';
import { openTable } from '../../src/tables/parquetReader.ts';
import { simulate } from './simulate.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'simulate-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function rowsOf(path: string): Promise<Record<string, Value>[]> {
  const rows: Record<string, Value>[] = [];
  for await (const batch of (await openTable(path)).scan()) {
    for (let row = 0; row < batch.rowCount; row++) {
      rows.push(Object.fromEntries([...batch.columns].map(([name, column]) => [name, columnValue(column, row)])));
    }
  }
  return rows;
}

const small = { impressionCount: 3000, seed: 5, preset: 'static' };

describe('simulate', () => {
  it('writes the same bytes for the same seed, and others for another', async () => {
    const printOf = async (name: string, seed: number) => {
      const { logFiles, adCatalogFile, creativeCatalogFile } = await simulate({
        ...small,
        seed,
        outDir: join(folder, name),
      });
      const hash = createHash('sha256');
      for (const file of [...logFiles, adCatalogFile, creativeCatalogFile]) hash.update(await readFile(file));
      return hash.digest('hex');
    };
    const first = await printOf('a', 5);
    expect(await printOf('b', 5)).toBe(first);
    expect(await printOf('c', 6)).not.toBe(first);
  });

  it('writes one folder a day, and a summary that agrees with the rows', async () => {
    const done: number[] = [];
    const summary = await simulate({ ...small, outDir: join(folder, 'out'), onProgress: (rows) => done.push(rows) });
    const rows = await rowsOf(join(folder, 'out', 'log'));
    expect(rows.length).toBe(3000);
    expect(done.at(-1)).toBe(3000);
    expect(summary.days.length).toBe(14);
    expect(await readdir(join(folder, 'out', 'log'))).toEqual(summary.days.map((day) => `date=${day}`));
    expect(summary.clickCount).toBe(rows.filter((row) => row.click).length);
    expect(summary.conversionCount).toBe(rows.filter((row) => row.conversion).length);
    expect(summary.engagementCount).toBe(rows.filter((row) => row.engaged).length);
    expect(summary.requestCount).toBe(new Set(rows.map((row) => row.request_id)).size);
    expect(summary.logLossOfTruth).toBeLessThan(summary.logLossOfConstant);
    for (const row of rows) {
      expect(new Date(Number(row.time_ms)).toISOString().slice(0, 10)).toBe(row.date);
      expect(row.conversion && !row.click).toBeFalsy();
    }
    expect(rows.some((row) => BigInt(row.user_id as bigint) > 2n ** 53n)).toBe(true);
  });

  it('writes a catalog with one row an ad, whose columns are those of the log', async () => {
    const summary = await simulate({ ...small, outDir: join(folder, 'out') });
    const ads = await rowsOf(summary.adCatalogFile);
    const creatives = await rowsOf(summary.creativeCatalogFile);
    expect(ads.length).toBe(summary.adCount);
    expect(creatives.length).toBe(summary.creativeCount);
    const byId = new Map(ads.map((ad) => [ad.adId, ad]));
    const byCreative = new Map(creatives.map((creative) => [creative.creativeId, creative]));
    for (const row of await rowsOf(join(folder, 'out', 'log'))) {
      const ad = byId.get(row.ad_id)!;
      for (const name of ['ad_id', 'campaign_id', 'advertiser_id', 'category', 'topic', 'price', 'ad_age_days']) {
        expect(ad[name]).toEqual(row[name]);
      }
      expect(ad.bidType).toBe(row.bid_type);
      expect(ad.bidMicros).toBe(row.bid_micros);
      const creative = byCreative.get(row.creative_id)!;
      expect(creative.adId).toBe(row.ad_id);
      for (const name of ['format', 'dominant_color', 'headline_style', 'image_embedding']) {
        expect(creative[name]).toEqual(row[name]);
      }
    }
  });

  it.each([
    ['schema.json', 'static'],
    ['schema.history.json', 'drift'],
    ['schema.creatives.json', 'creatives'],
  ])('writes every column that %s names, no outcome a field', async (file, preset) => {
    const schema = parseSchema(JSON.parse(await readFile(new URL(file, import.meta.url), 'utf8')));
    const made = historyColumns(schema);
    const summary = await simulate({ ...small, preset, impressionCount: 50, outDir: join(folder, 'out') });
    const columns = new Set(Object.keys((await rowsOf(join(folder, 'out', 'log')))[0]));
    const catalog = new Set(Object.keys((await rowsOf(summary.adCatalogFile))[0]));
    for (const field of schema.fields) {
      if (isMade(field) || made.has(field.name)) continue;
      expect(columns).toContain(columnOf(field));
      expect(columnOf(field)).not.toMatch(/^true_|_delay_ms$|^view_time|^click$|^engaged$|^conversion/);
      // A bare ad id is a complete candidate.
      if (field.scope === 'ad' || field.scope === 'creative') expect(catalog).toContain(columnOf(field));
    }
    for (const label of schema.labels) {
      expect(columns).toContain(label.column);
      expect(columns).toContain(label.truth);
    }
    for (const name of [schema.time, schema.user, schema.request, schema.position, ...(schema.keys ?? [])]) {
      expect(columns).toContain(name);
    }
  });

  it('refuses an unknown preset, and a folder that holds anything, and leaves that as it was', async () => {
    await expect(simulate({ ...small, preset: 'lunar', outDir: join(folder, 'out') })).rejects.toThrow(
      /expected a preset among static, drift and creatives, got 'lunar'/,
    );
    const full = join(folder, 'full');
    await mkdir(full);
    await writeFile(join(full, 'note.txt'), 'mine');
    await expect(simulate({ ...small, outDir: full })).rejects.toThrow(/exists and is not empty/);
    expect(await readdir(full)).toEqual(['note.txt']);
    expect(await readdir(folder)).toEqual(['full']);
  });

  it('leaves nothing behind when it fails half-way', async () => {
    const outDir = join(folder, 'out');
    const onProgress = () => {
      throw new Error('stopped');
    };
    await expect(simulate({ ...small, outDir, onProgress })).rejects.toThrow('stopped');
    expect(await readdir(folder)).toEqual([]);
  });
});
