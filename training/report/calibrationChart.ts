import type { ReliabilityBin } from '../../src/evaluation/reliability.ts';
import { chart, legend, linearScale, logScale, numbersTable, plotOf, round, type Scale } from './chart.ts';
import { count, fixed, percent, percentTick } from './format.ts';
import { html, type Markup } from './html.ts';
import type { TaskReport } from './reportData.ts';

/** Predicted against observed rates, raw and calibrated, with Wilson intervals: on the diagonal a prediction is right. */
export function calibrationChart(task: TaskReport, index: number): Markup {
  const bins = [...task.rawBins, ...(task.calibratedBins ?? [])];
  const heading = html`<h4>Calibration</h4>`;
  if (bins.length === 0) return html`<figure class="card">${heading}<p class="quiet">No rows.</p></figure>`;
  const plot = plotOf(510, 400);
  const highest = Math.max(...bins.map((bin) => Math.max(bin.predicted, bin.high)));
  const lowest = Math.min(...bins.map((bin) => bin.predicted));
  // Low rates lie on top of each other in a corner of a linear chart.
  const logarithmic = highest < 0.3 && lowest > 0;
  const low = logarithmic ? Math.min(lowest, ...bins.map((bin) => bin.observed || lowest)) * 0.8 : 0;
  const high = logarithmic ? Math.min(1, highest * 1.15) : Math.min(1, highest * 1.04);
  const scale = (from: number, to: number): Scale =>
    logarithmic ? logScale(low, high, from, to) : linearScale(low, high, from, to);
  const [x, y] = [scale(plot.left, plot.right), scale(plot.bottom, plot.top)];
  const description = task.calibrated
    ? `Expected calibration error ${fixed(task.raw.ece, 4)} raw, ${fixed(task.calibrated.ece, 4)} calibrated.`
    : `Expected calibration error ${fixed(task.raw.ece, 4)}.`;
  return html`<figure class="card">${heading}${legend([
    { kind: 'raw', text: 'raw' },
    ...(task.calibratedBins ? [{ kind: 'calibrated', text: 'calibrated' }] : []),
    { kind: 'diagonal', text: 'perfect' },
  ])}${chart(
    plot,
    { id: `calibration${index}`, title: `Calibration of ${task.task}`, description },
    { scale: x, title: 'mean prediction of the bin', format: percentTick },
    { scale: y, title: 'observed rate, 95 % interval', format: percentTick },
    html`<line class="diagonal" x1="${round(x.at(low))}" y1="${round(y.at(low))}" x2="${round(x.at(high))}" y2="${round(y.at(high))}"/>
${points(task.rawBins, 'raw', x, y)}${task.calibratedBins && points(task.calibratedBins, 'calibrated', x, y)}`,
  )}${numbersTable(
    'Bins of equal frequency',
    ['', 'rows', 'predicted', 'observed', '95 % interval'],
    [...binRows(task.rawBins, 'raw'), ...binRows(task.calibratedBins ?? [], 'calibrated')],
  )}</figure>`;
}

function points(bins: readonly ReliabilityBin[], kind: string, x: Scale, y: Scale): Markup {
  return html`<g class="${kind}">${bins.map((bin) => {
    const at = round(x.at(bin.predicted));
    return html`<line x1="${at}" x2="${at}" y1="${round(y.at(bin.low))}" y2="${round(y.at(bin.high))}"/><circle cx="${at}" cy="${round(y.at(bin.observed))}" r="4"><title>${kind}: predicted ${percent(bin.predicted)}, observed ${percent(bin.observed)}, ${count(bin.rows)} rows</title></circle>`;
  })}</g>`;
}

function binRows(bins: readonly ReliabilityBin[], kind: string) {
  return bins.map((bin) => [
    kind,
    count(bin.rows),
    percent(bin.predicted),
    percent(bin.observed),
    `${percent(bin.low)} to ${percent(bin.high)}`,
  ]);
}
