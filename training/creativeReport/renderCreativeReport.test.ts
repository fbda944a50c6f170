import { describe, expect, it } from 'vitest';
import { renderCreativeReport } from './renderCreativeReport.ts';
import type { CreativeReportData, PolicyReport } from './reportData.ts';

const HOSTILE = [
  '</title><script>alert(1)</script>',
  '"><img src=x onerror=alert(2)>',
  "' onload='alert(3)",
  '</style><style>*{display:none}',
  '\u0000\u001b[31m\ud800 \u202e dlrow',
  'https://example.com/track.gif',
];

const around = (value: number) => ({ value, low: value * 0.9, high: value * 1.1 });

function policyOf(policy: string, regret: number, exits: boolean): PolicyReport {
  const shares = [0, 0.25, 0.5, 0.75, 1];
  return {
    policy,
    clicks: around(1000 - regret),
    regret: around(regret),
    bestArmShare: around(0.6),
    exploredShare: around(0.2),
    regretOverFirst: regret === 0 ? null : around(1),
    exitedShare: exits ? 0.5 : 0,
    exposuresToExit: exits ? around(1234) : null,
    curves: {
      shares,
      cumulativeRegret: shares.map((share) => share * regret),
      bestArmShare: [Number.NaN, 0.3, 0.4, 0.5, 0.6],
      exited: exits ? [0, 0.1, 0.2, 0.4, 0.5] : undefined,
    },
  };
}

/** A page with `name` wherever a user's text can be. */
function dataWith(name: string): CreativeReportData {
  const days = ['2025-01-06', '2025-01-07'].map((day) => ({ day, exposures: 500, ctr: around(0.02) }));
  return {
    data: name,
    date: '2026-01-01',
    tests: 12,
    arms: 40,
    impressions: 5000,
    bestClicks: 1000,
    facts: [{ name: 'seed', value: name }],
    warnings: [name],
    policies: [policyOf('default', 50, true), policyOf('ucb1', 150, false)],
    decay: {
      creatives: 40,
      judged: 40,
      daysLeast: 6,
      days: days.map(({ day }) => day),
      note: name,
      warnings: [
        { ad: name, creative: name, facts: [{ name: 'since', value: name }], days, peak: 0.03, threshold: 0.8 },
      ],
    },
  };
}

const withoutStyle = (page: string) => page.replaceAll(/<style>.*<\/style>/gs, '');
const tagsOf = (page: string) => [...page.matchAll(/<(\/?[a-zA-Z]\w*)/g)].map(([, tag]) => tag);

describe('the page about creatives', () => {
  it.each(HOSTILE)('shows the hostile name %j as text, never as part of the page', (name) => {
    const page = renderCreativeReport(dataWith(name));
    expect(tagsOf(page)).toEqual(tagsOf(renderCreativeReport(dataWith('plain'))));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the page must hold none
    expect(page).not.toMatch(/[\u0000\u001b]|\p{Surrogate}/u);
  });

  it('closes what it opens, loads nothing from elsewhere, and is the same for the same data', () => {
    const page = renderCreativeReport(dataWith('plain'));
    const open: string[] = [];
    for (const [, close, name, self] of page.matchAll(/<(\/?)([a-zA-Z]\w*)(?:[^>"]|"[^"]*")*?(\/?)>/g)) {
      if (close) expect(open.pop()).toBe(name);
      else if (!self && name !== 'meta') open.push(name);
    }
    expect(open).toEqual([]);
    expect(page).not.toMatch(/(?:src|href)\s*=|@import|url\((?!#)|https?:|<script/i);
    expect(page).toContain("default-src 'none'");
    expect(renderCreativeReport(dataWith('plain'))).toBe(page);
  });

  it('shows each policy’s numbers with their intervals, and the first’s share of the best clicks', () => {
    const page = renderCreativeReport(dataWith('plain'));
    expect(page).toContain('5.00\u00a0%');
    for (const text of ['850', '135 – 165', '1,234', '60.0\u00a0%']) expect(page).toContain(text);
    expect(page.match(/<svg/g)).toHaveLength(4);
  });

  it('draws an exit only where a policy has one, and says why there is no decay to see', () => {
    const page = renderCreativeReport({
      ...dataWith('plain'),
      policies: [policyOf('random', 70, false)],
      decay: { why: 'The rows have no time.' },
    });
    expect(page.match(/<svg/g)).toHaveLength(2);
    expect(page).toContain('The rows have no time.');
    expect(page).not.toContain('Wilson');
  });

  it('draws no number that is not one, also where nothing was forgone, clicked or has fallen', () => {
    const none = { ...dataWith('plain'), bestClicks: 0, policies: [policyOf('default', 0, true)] };
    const decay = { creatives: 3, judged: 3, daysLeast: 6, days: [], note: '', warnings: [] };
    for (const data of [dataWith('plain'), none, { ...none, decay }])
      expect(withoutStyle(renderCreativeReport(data))).not.toMatch(/NaN|Infinity|undefined|null/);
    expect(renderCreativeReport({ ...none, decay })).toContain('None of 3 creatives has fallen');
  });

  it('draws the creatives that have fallen the furthest, and says how many there are', () => {
    const data = dataWith('plain');
    if ('why' in data.decay) throw new Error('has warnings');
    const [warning] = data.decay.warnings;
    const page = renderCreativeReport({ ...data, decay: { ...data.decay, warnings: Array(20).fill(warning) } });
    expect(page).toContain('20 of 40 creatives have fallen from their peak with confidence, of which the 12 furthest');
    expect(page.match(/Click rate of creative/g)).toHaveLength(12);
  });

  it('says of how many creatives no fall can be told, and what days there are', () => {
    const decay = { creatives: 5, judged: 3, daysLeast: 6, days: ['2025-01-06', '2025-01-12'], note: '', warnings: [] };
    const pageOf = (change: Partial<typeof decay>) =>
      renderCreativeReport({ ...dataWith('plain'), decay: { ...decay, ...change } });
    expect(pageOf({})).toContain(
      'None of 3 creatives has fallen from its peak with confidence. The rows are of 2 days, 2025-01-06 to 2025-01-12. 2 more were shown on fewer than 6, too few to tell.',
    );
    expect(pageOf({ judged: 5 })).not.toContain('too few to tell');
    expect(pageOf({ judged: 0, days: ['1970-01-01'] })).toContain(
      'No creative was shown on 6 days or more, as it takes to see a fall. The rows are of one day, 1970-01-01.',
    );
  });

  it('keeps what it draws of a day within the plot', () => {
    const data = dataWith('plain');
    if ('why' in data.decay) throw new Error('has warnings');
    const [warning] = data.decay.warnings;
    const few = { day: '2025-01-08', exposures: 2, ctr: { value: 0, low: 0, high: 0.66 } };
    const page = renderCreativeReport({
      ...data,
      decay: { ...data.decay, warnings: [{ ...warning, days: [...warning.days, few] }] },
    });
    const whiskers = [...page.matchAll(/<line class="range"[^>]* y2="([^"]+)"/g)].map(([, y]) => Number(y));
    expect(whiskers).toHaveLength(3);
    for (const y of whiskers) expect(y).toBeGreaterThanOrEqual(0);
  });

  it('gives more policies than there are colours a dashed line', () => {
    const policies = Array.from({ length: 9 }, (_, i) => policyOf(`p${i}`, 10 + i, false));
    const page = withoutStyle(renderCreativeReport({ ...dataWith('plain'), policies }));
    expect(page).toContain('class="series0 again"');
  });
});
