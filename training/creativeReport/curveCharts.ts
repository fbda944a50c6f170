import { chart, legend, linearScale, linePath, numbersTable, plotOf } from '../report/chart.ts';
import { count, percent, percentTick, tick } from '../report/format.ts';
import { html, type Markup, nameText } from '../report/html.ts';
import type { PolicyCurves, PolicyReport } from './reportData.ts';
import { SERIES_COLOURS } from './style.ts';

interface CurveChart {
  readonly id: string;
  readonly title: string;
  readonly about: string;
  readonly yTitle: string;
  /** The top of the axis; that of the data where absent. */
  readonly most?: number;
  of(curves: PolicyCurves): readonly number[] | undefined;
  tick(value: number): string;
  number(value: number): string;
}

const REGRET: CurveChart = {
  id: 'regret',
  title: 'Cumulative regret',
  about: 'Clicks forgone so far against the best creative of each test.',
  yTitle: 'clicks forgone',
  of: (curves) => curves.cumulativeRegret,
  tick,
  number: count,
};
const BEST_ARM: CurveChart = {
  id: 'best',
  title: 'Exposure on the best creative',
  about: 'Share of the impressions at that time.',
  yTitle: 'share of impressions',
  most: 1,
  of: (curves) => curves.bestArmShare,
  tick: percentTick,
  number: percent,
};
const EXITED: CurveChart = {
  id: 'exited',
  title: 'Tests that have left exploration',
  about: 'They serve their best creative, and a trickle of the others.',
  yTitle: 'share of tests',
  most: 1,
  of: (curves) => curves.exited,
  tick: percentTick,
  number: percent,
};

/** The class of a policy's line, by its place in the table. */
export function seriesClass(index: number): string {
  const again = index >= SERIES_COLOURS ? ' again' : '';
  return `series${index % SERIES_COLOURS}${again}${index === 0 ? ' first' : ''}`;
}

export function explorationCharts(policies: readonly PolicyReport[]): Markup {
  return html`<div class="pair">${[REGRET, BEST_ARM].map((about) => curveChart(about, policies))}</div>`;
}

export function exitChart(policies: readonly PolicyReport[]): Markup {
  return curveChart(EXITED, policies);
}

/** One line a policy over the share of the horizon; the first policy's on top. */
function curveChart(about: CurveChart, policies: readonly PolicyReport[]): Markup {
  const lines = policies.flatMap(({ policy, curves }, index) => {
    const ys = about.of(curves);
    return ys ? [{ policy, shares: curves.shares, ys, kind: seriesClass(index) }] : [];
  });
  // Room for half of the label of the last share.
  const plot = { ...plotOf(540, 340), right: 514 };
  const most = about.most ?? Math.max(1, ...lines.flatMap(({ ys }) => ys.filter(Number.isFinite))) * 1.04;
  const x = linearScale(0, 1, plot.left, plot.right, 5);
  const y = linearScale(0, most, plot.bottom, plot.top, 6);
  const last = (ys: readonly number[]) => about.number(ys[ys.length - 1]);
  const description = `${about.about} At the end: ${lines.map(({ policy, ys }) => `${policy} ${last(ys)}`).join(', ')}.`;
  const paths = lines.map(
    ({ policy, shares, ys, kind }) =>
      html`<path class="${kind}" d="${linePath(x, y, shares, ys)}"><title>${policy}: ${last(ys)} at the end</title></path>`,
  );
  const { shares } = lines[0];
  return html`<figure class="card"><h3>${about.title} <small>${about.about}</small></h3>${legend(
    lines.map(({ policy, kind }) => ({ kind, text: policy })),
  )}${chart(
    plot,
    { id: about.id, title: about.title, description },
    { scale: x, title: 'share of the horizon', format: percentTick },
    { scale: y, title: about.yTitle, format: about.tick },
    paths.reverse(),
  )}${numbersTable(
    about.title,
    ['horizon', ...lines.map(({ policy }) => policy)],
    tenths(shares.length).map((i) => [percent(shares[i]), ...lines.map(({ ys }) => about.number(ys[i]))]),
  )}</figure>`;
}

/** About ten places of a list, its last among them. */
function tenths(length: number): number[] {
  const step = Math.max(1, Math.round((length - 1) / 10));
  const places: number[] = [];
  for (let i = length - 1; i > 0; i -= step) places.push(i);
  return places.reverse();
}

/** The policy's name behind its colour. */
export function policyName(policy: string, index: number): Markup {
  return html`<i class="swatch ${seriesClass(index)}"></i>${nameText(policy)}`;
}
