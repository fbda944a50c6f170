import { chart, legend, linearScale, linePath, numbersTable, plotOf, round } from '../report/chart.ts';
import { count, percent, percentTick } from '../report/format.ts';
import { html, type Markup, nameText } from '../report/html.ts';
import type { DecayReport, DecayWarningReport } from './reportData.ts';

/** As many are drawn. */
const FIGURES_MOST = 12;

/** Creatives that wear out, the furthest fallen first, each with the days it is read from. */
export function decaySection(decay: DecayReport): Markup {
  if ('why' in decay) return html`<section><h2>Decay</h2><p>${decay.why}</p></section>`;
  const { warnings, creatives, note } = decay;
  const drawn = warnings.slice(0, FIGURES_MOST);
  const which = warnings.length > drawn.length ? `, of which the ${drawn.length} furthest are drawn` : '';
  const said =
    warnings.length === 0
      ? `None of ${count(creatives)} creatives has fallen from its peak with confidence.`
      : `${count(warnings.length)} of ${count(creatives)} creatives ${warnings.length === 1 ? 'has fallen from its' : 'have fallen from their'} peak with confidence${which}.`;
  return html`<section><h2>Decay</h2><p>${said} ${note}</p><div class="pair">${drawn.map(warningFigure)}</div></section>`;
}

function warningFigure({ ad, creative, facts, days, peak, threshold }: DecayWarningReport, index: number): Markup {
  const plot = plotOf(540, 260);
  const most = Math.max(peak, ...days.map(({ ctr }) => ctr.value), 1e-9) * 1.25;
  const x = linearScale(-0.5, days.length - 0.5, plot.left, plot.right);
  const y = linearScale(0, most, plot.bottom, plot.top, 5);
  const step = Math.max(1, Math.ceil(days.length / 5));
  const scale = { at: x.at, ticks: days.map((_, i) => i).filter((i) => i % step === 0) };
  const level = (value: number, kind: string) =>
    html`<line class="${kind}" x1="${plot.left}" x2="${plot.right}" y1="${round(y.at(value))}" y2="${round(y.at(value))}"/>`;
  const points = days.map(({ day, ctr, exposures }, i) => {
    const at = round(x.at(i));
    return html`<line class="range" x1="${at}" x2="${at}" y1="${round(y.at(ctr.low))}" y2="${round(y.at(ctr.high))}"/><circle class="ctr" cx="${at}" cy="${round(y.at(ctr.value))}" r="3"><title>${day}: ${percent(ctr.value)} of ${count(exposures)} exposures</title></circle>`;
  });
  const first = days[0];
  const last = days[days.length - 1];
  return html`<figure class="card"><h3>${nameText(creative)} <small>ad ${nameText(ad)}</small></h3><dl class="facts">${facts.map(
    ({ name, value }) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`,
  )}</dl>${legend([
    { kind: 'ctr', text: 'click rate, with its 95 % interval' },
    { kind: 'peak', text: 'peak' },
    { kind: 'limit', text: `${percent(threshold)} of it` },
  ])}${chart(
    plot,
    {
      id: `decay${index}`,
      title: `Click rate of creative ${creative} by day`,
      description: `From ${percent(first.ctr.value)} on ${first.day} to ${percent(last.ctr.value)} on ${last.day}; the peak is ${percent(peak)}.`,
    },
    { scale, title: 'day', format: (i) => days[i].day.slice(5) },
    { scale: y, title: 'click rate', format: percentTick },
    html`${level(peak, 'peak')}${level(peak * threshold, 'limit')}<path class="ctr" d="${linePath(
      x,
      y,
      days.map((_, i) => i),
      days.map(({ ctr }) => ctr.value),
    )}"/>${points}`,
  )}${numbersTable(
    'Click rate by day',
    ['day', 'exposures', 'click rate', '95 %'],
    days.map(({ day, exposures, ctr }) => [
      day,
      count(exposures),
      percent(ctr.value),
      `${percent(ctr.low)} – ${percent(ctr.high)}`,
    ]),
  )}</figure>`;
}
