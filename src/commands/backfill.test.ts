import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';

import { openTable } from '../tables/parquetReader.ts';
import { addBackfill } from './backfill.ts';

const { dayOf, tinyHistorySchema, tinyLog, writeLog } = await import('../../training/tinyLog.ts');

const folder = mkdtempSync(join(tmpdir(), 'limelight-backfill-'));
const schema = join(folder, 'schema.json');
const log = join(folder, 'log.parquet');
beforeAll(async () => {
  writeFileSync(schema, JSON.stringify(tinyHistorySchema));
  await writeLog(log, tinyLog(400));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function backfill(...args: string[]): Promise<string> {
  const program = new Command().exitOverride();
  addBackfill(program);
  let printed = '';
  const out = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += text;
    return true;
  });
  const errors = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  try {
    await program.parseAsync(['node', 'limelight', 'backfill', '--schema', schema, '--data', log, ...args]);
  } finally {
    out.mockRestore();
    errors.mockRestore();
  }
  return printed;
}

it('says what it wrote, and goes on from the state it wrote', async () => {
  const [out, state] = [join(folder, 'early'), join(folder, 'early.state')];
  const until = new Date(dayOf(5)).toISOString();
  const printed = await backfill('--out', out, '--until', until, '--state', state);
  expect(printed).toBe(
    `wrote 200 rows in 1 file to ${out}, with user_stats, user_last, ad_stats, user_placement, recent.adId, recent.placement, recent.action, recent.gap\nwrote the state of history after them to ${state}\n`,
  );
  expect((await openTable(out)).rowCount).toBe(200);
  await expect(backfill('--out', join(folder, 'again'), '--history', state)).rejects.toThrow(
    `${log}: has a row of 2026-03-01T00:00:00.000Z, before`,
  );
});
