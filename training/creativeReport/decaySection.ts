import { chart, legend, linearScale, linePath, numbersTable, plotOf, round } from '../report/chart.ts';
import { count, percent, percentTick } from '../report/format.ts';
import { html, type Markup, nameText } from '../report/html.ts';
import type { DecayFindings, DecayReport, DecayWarningReport } from './reportData.ts';

/** As many are drawn. */
const FIGURES_MOST = 12;

/** Creatives that wear out, the furthest fallen first, each with the days it is read from. */
export function decaySection(decay: DecayReport): Markup {
  if ('why' in decay) return html`<section><h2>Decay</h2><p>${decay.why}</p></section>`;
  const drawn = decay.warnings.slice(0, FIGURES_MOST);
  return html`<section><h2>Decay</h2><p>${findings(decay, drawn.length)} ${coverage(decay)} ${decay.note}</p><div class="pair">${drawn.map(warningFigure)}</div></section>`;
}

function findings({ warnings, judged, daysLeast }: DecayFindings, drawn: number): string {
  if (judged === 0) return `No creative was shown on ${daysLeast} days or more, as it takes to see a fall.`;
  if (warnings.length === 0) return `None of ${count(judged)} creatives has fallen from its peak with confidence.`;
  const which = warnings.length > drawn ? `, of which the ${drawn} furthest are drawn` : '';
  return `${count(warnings.length)} of ${count(judged)} creatives ${warnings.length === 1 ? 'has fallen from its' : 'have fallen from their'} peak with confidence${which}.`;
}

/** What the findings are read from, and of whom there are none. */
function coverage({ days, creatives, judged, daysLeast }: DecayFindings): string {
  const others = judged > 0 && judged < creatives;
  const left = others
    ? ` ${count(creatives - judged)} more were shown on fewer than ${daysLeast}, too few to tell.`
    : '';
  if (days.length < 2) return `The rows are of ${days.length === 0 ? 'no day' : `one day, ${days[0]}`}.${left}`;
  return `The rows are of ${count(days.length)} days, ${days[0]} to ${days[days.length - 1]}.${left}`;
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
    return html`<line class="range" x1="${at}" x2="${at}" y1="${round(y.at(ctr.low))}" y2="${round(Math.max(y.at(ctr.high), plot.top))}"/><circle class="ctr" cx="${at}" cy="${round(y.at(ctr.value))}" r="3"><title>${day}: ${percent(ctr.value)} of ${count(exposures)} exposures</title></circle>`;
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
