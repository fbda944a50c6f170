import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { realData } from '../test/realData.ts';
import { kuairandCases, kuairandRows } from './quality.bench.ts';

const folder = mkdtempSync(join(tmpdir(), 'limelight-quality-'));
const options = { small: false, rounds: 1, log: (text: string) => console.log(text) };
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const kuairand = realData('kuairand');

describe.skipIf('missing' in kuairand)(`KuaiRand${'missing' in kuairand ? ` (${kuairand.missing})` : ''}`, () => {
  const bars = [
    // Plain fields, attention over the last 30 impressions, counters and attention.
    { of: 'plain', auc: 0.73, logLoss: 0.5965, seeds: [1, 2, 3] },
    { of: 'attention', auc: 0.741, logLoss: 0.589, seeds: [1] },
    { of: 'history', auc: 0.747, logLoss: 0.5835, longViewAuc: 0.748, seeds: [1] },
  ] as const;

  test.each(bars)(
    '$of: a click AUC of $auc and a log loss of $logLoss',
    async ({ of, auc, logLoss, seeds, ...more }) => {
      const { rows } = await kuairandRows(folder, options, [kuairandCases[of]], seeds);
      const click = rows.find((row) => row.task === 'click');
      expect(click?.AUC).toBeGreaterThanOrEqual(auc);
      expect(click?.['log loss']).toBeLessThanOrEqual(logLoss);
      expect(click?.['raw log loss']).toBeLessThanOrEqual(logLoss);
      if ('longViewAuc' in more)
        expect(rows.find((row) => row.task === 'conversion')?.AUC).toBeGreaterThanOrEqual(more.longViewAuc);
    },
  );
});
