import { describe, expect, it } from 'vitest';
import { sigmoid } from '../../src/core/numerics.ts';
import { createRandom } from '../../src/core/random.ts';
import { sliceMetrics } from '../../src/evaluation/slices.ts';
import { duration, percent } from './format.ts';
import { renderReport } from './renderReport.ts';
import type { ReportData } from './reportData.ts';
import { taskReport } from './taskReport.ts';

const HOSTILE = [
  '</title><script>alert(1)</script>',
  '"><img src=x onerror=alert(2)>',
  "' onload='alert(3)",
  '</style><style>*{display:none}',
  '&lt;b&gt; & </svg>',
  '\u0000\u001b[31m\ud800 \u202e dlrow',
  'https://example.com/track.gif',
];

/** A report with `name` wherever a user's text can be. */
function reportWith(name: string, base = -0.5): ReportData {
  const random = createRandom(1);
  const rows = 2000;
  const raw = Float32Array.from({ length: rows }, () => sigmoid(base + random.normal()));
  const labels = Uint8Array.from(raw, (p) => (random.next() < p ? 1 : 0));
  const task = { task: name, raw, calibrated: raw.map((p) => p * 0.9), labels, truth: raw };
  const slice = Int32Array.from(raw, (_, i) => i % 3);
  return {
    arch: name,
    data: name,
    date: name,
    trainRows: 10000,
    validRows: rows,
    durationS: 75,
    facts: [{ name, value: name }],
    warnings: [name],
    tasks: [taskReport(task)],
    learning: [
      {
        task: name,
        trainExamples: [100, 200, 300],
        trainLogLoss: [0.7, Number.NaN, 0.6],
        validExamples: [300],
        validLogLoss: [0.61],
        constantLogLoss: 0.65,
        keptAtExamples: 300,
      },
    ],
    importances: [
      { field: name, meanGate: 0.5, sdGate: 0.1 },
      { field: 'other', meanGate: 0.9, sdGate: Number.NaN },
    ],
    slices: [
      { field: name, task: name, slices: sliceMetrics({ probabilities: raw, labels }, slice, [name, 'a', 'b']) },
    ],
  };
}

const VOID = new Set(['meta', 'br', 'img', 'link', 'input']);

/** The elements of a page, after checking that each one opened is closed in order. */
function elementsOf(page: string): string[] {
  const names: string[] = [];
  const open: string[] = [];
  for (const [, close, name, , selfClosed] of page.matchAll(/<(\/?)([a-zA-Z][\w]*)((?:[^>"]|"[^"]*")*?)(\/?)>/g)) {
    if (close) expect(open.pop()).toBe(name);
    else {
      names.push(name);
      if (!selfClosed && !VOID.has(name)) open.push(name);
    }
  }
  expect(open).toEqual([]);
  return names;
}

describe('renderReport', () => {
  it.each(HOSTILE)('shows the hostile name %j as text, never as part of the page', (name) => {
    const [page, plain] = [renderReport(reportWith(name)), renderReport(reportWith('plain'))];
    expect(elementsOf(page)).toEqual(elementsOf(plain));
    expect(page).not.toMatch(/<script|<img|<link|<iframe/i);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the page must hold none
    expect(page).not.toMatch(/[\u0000\u001b]/);
    expect(page).not.toMatch(/\p{Surrogate}/u);
  });

  it('loads nothing from elsewhere', () => {
    const page = renderReport(reportWith('plain'));
    expect(page).not.toMatch(/(?:src|href)\s*=|@import|url\((?!#)/i);
    expect(page).not.toMatch(/https?:/);
    expect(page).toContain("default-src 'none'");
  });

  it('names and describes every chart for those who do not see it', () => {
    const page = renderReport(reportWith('click'));
    const charts = page.match(/<svg[^>]*>/g)!;
    expect(charts.length).toBe(3);
    for (const chart of charts) {
      const ids = /aria-labelledby="([^"]+)"/.exec(chart)![1].split(' ');
      for (const id of ids) expect(page).toContain(`id="${id}"`);
    }
    const ids = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('draws no number that is not one, for common rates and for rare ones', () => {
    for (const base of [-0.5, -6, 6, 30]) {
      expect(renderReport(reportWith('click', base)).replaceAll(/<style>.*<\/style>/gs, '')).not.toMatch(
        /NaN|Infinity|undefined|null/,
      );
    }
  });

  it('shows raw beside calibrated, the best possible, and how much of the gap is closed', () => {
    const data = reportWith('click');
    const page = renderReport(data);
    const { raw, calibrated, best } = data.tasks[0];
    for (const value of [raw.logLoss, calibrated!.logLoss, best!.logLoss]) expect(page).toContain(value!.toFixed(4));
    // Raw predictions are the truth here, so they close all of the gap.
    expect(page).toMatch(/Gap closed.*?100\u00a0%/s);
    expect(renderReport({ ...data, tasks: [{ ...data.tasks[0], best: null }] })).not.toContain('Gap closed');
  });

  it('sorts fields by gate', () => {
    const page = renderReport(reportWith('click'));
    const section = page.slice(page.indexOf('Field importance'), page.indexOf('Metrics by slice'));
    expect(section.indexOf('other')).toBeLessThan(section.indexOf('<bdi>click</bdi>'));
  });

  it('is a page even where there is nothing to show, or a single class or prediction', () => {
    const bare = { arch: 'lr', data: 'd', date: 't', trainRows: 0, validRows: 0, durationS: 0 };
    elementsOf(renderReport({ ...bare, tasks: [] }));
    const none = taskReport({ task: 'click', raw: new Float32Array(0), calibrated: null, labels: new Uint8Array(0) });
    const learning = [{ task: 'click', trainExamples: [], trainLogLoss: [], validExamples: [], validLogLoss: [] }];
    elementsOf(renderReport({ ...bare, tasks: [none], learning, slices: [], importances: [], warnings: [] }));
    for (const p of [0, 0.5, 1]) {
      const one = taskReport({
        task: 'click',
        raw: new Float32Array(9).fill(p),
        calibrated: null,
        labels: new Uint8Array(9),
      });
      const page = renderReport({
        ...bare,
        tasks: [one],
        learning: [{ ...learning[0], validExamples: [5], validLogLoss: [0.5] }],
      });
      elementsOf(page);
      expect(page.replaceAll(/<style>.*<\/style>/gs, '')).not.toMatch(/NaN|Infinity|undefined|null/);
    }
  });

  it('gives the same text for the same data, kept as JSON in between', () => {
    const { learning, ...data } = reportWith('click');
    data.importances = [{ field: 'f', meanGate: 1, sdGate: 0.5 }];
    expect(renderReport(JSON.parse(JSON.stringify(data)))).toBe(renderReport(data));
  });
});

describe('format', () => {
  it('gives numbers as people read them', () => {
    expect([percent(0.0123), percent(0.441), percent(1), percent(0), percent(0.0000123), percent(null)]).toEqual([
      '1.23\u00a0%',
      '44.1\u00a0%',
      '100\u00a0%',
      '0\u00a0%',
      '0.00123\u00a0%',
      '–',
    ]);
    expect([duration(3.21), duration(59.4), duration(59.7), duration(200), duration(7500)]).toEqual([
      '3.2 s',
      '59 s',
      '1 min 00 s',
      '3 min 20 s',
      '2 h 05 min',
    ]);
  });
});
