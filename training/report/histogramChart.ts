import { chart, legend, linearScale, logitScale, numbersTable, plotOf, round, type Scale } from './chart.ts';
import { count, percent, percentTick } from './format.ts';
import { html, type Markup } from './html.ts';
import type { TaskReport } from './reportData.ts';

/** How the predictions of either class spread: each class sums to 100 %, so that a rare one can be seen too. */
export function histogramChart(task: TaskReport, index: number): Markup {
  const { edges, positives, negatives } = task.histogram;
  const heading = html`<h4>Scores by label</h4>`;
  if (edges.length < 2) return html`<figure class="card">${heading}<p class="quiet">No rows.</p></figure>`;
  const [ofPositives, ofNegatives] = [shares(positives), shares(negatives)];
  const plot = plotOf(510, 400);
  const x = logitScale(edges[0], edges[edges.length - 1], plot.left, plot.right);
  const y = linearScale(0, Math.max(...ofPositives, ...ofNegatives, 1e-6) * 1.08, plot.bottom, plot.top, 6);
  const description = `Predictions of ${count(sum(positives))} rows with label 1 and ${count(sum(negatives))} with label 0, from ${percent(edges[0])} to ${percent(edges[edges.length - 1])}.`;
  return html`<figure class="card">${heading}${legend([
    { kind: 'positive', text: 'label 1' },
    { kind: 'negative', text: 'label 0' },
  ])}${chart(
    plot,
    { id: `histogram${index}`, title: `Scores of ${task.task} by label`, description },
    { scale: x, title: `${task.calibrated ? 'calibrated' : 'raw'} prediction (logit scale)`, format: percentTick },
    { scale: y, title: 'share of the label’s rows', format: percentTick },
    html`<path class="negative" d="${steps(x, y, edges, ofNegatives)}"/><path class="positive" d="${steps(x, y, edges, ofPositives)}"/>`,
  )}${numbersTable(
    'Rows by prediction',
    ['from', 'to', 'label 1', 'label 0'],
    positives.map((n, i) => [percent(edges[i]), percent(edges[i + 1]), count(n), count(negatives[i])]),
  )}</figure>`;
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

function shares(counts: readonly number[]): number[] {
  const total = sum(counts);
  return counts.map((n) => (total > 0 ? n / total : 0));
}

/** The outline of a histogram, closed along the axis. */
function steps(x: Scale, y: Scale, edges: readonly number[], heights: readonly number[]): string {
  const at = (i: number) => round(x.at(edges[i]));
  let path = `M${at(0)} ${round(y.at(0))}`;
  for (let i = 0; i < heights.length; i++) path += `V${round(y.at(heights[i]))}H${at(i + 1)}`;
  return `${path}V${round(y.at(0))}Z`;
}
