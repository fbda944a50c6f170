import type { TaskMetrics } from '../../src/evaluation/metrics.ts';
import { count, fixed, percent } from './format.ts';
import { type Content, html, type Markup, nameText } from './html.ts';
import type { FieldImportance, SliceReport, TaskReport } from './reportData.ts';

interface MetricRow {
  name: string;
  about: string;
  of(metrics: TaskMetrics, task: TaskReport): string;
}

const METRIC_ROWS: readonly MetricRow[] = [
  { name: 'AUC', about: 'higher is better', of: (m) => fixed(m.auc, 4) },
  { name: 'GAUC', about: 'AUC within users, by impressions', of: (m) => fixed(m.gauc, 4) },
  { name: 'GAUC coverage', about: 'impressions of users with both labels', of: (m) => percent(m.gaucCoverage) },
  { name: 'Log loss', about: 'lower is better', of: (m) => fixed(m.logLoss, 4) },
  { name: 'Log loss of the constant', about: 'always predicting the mean', of: (m) => fixed(m.constantLogLoss, 4) },
  {
    name: 'Normalised entropy',
    about: 'log loss over the constant’s; below 1',
    of: (m) => fixed(m.normalizedEntropy, 4),
  },
  { name: 'PCOC', about: 'predicted over observed; 1 is right', of: (m) => fixed(m.pcoc, 4) },
  { name: 'ECE', about: 'mean gap in 20 bins; lower is better', of: (m) => fixed(m.ece, 4) },
  { name: 'Rows', about: '', of: (m) => count(m.rows) },
  { name: 'Positives', about: '', of: (m) => `${count(m.positives)} (${percent(m.positives / m.rows)})` },
];

const BEST_ROWS: readonly MetricRow[] = [
  { name: 'Best possible AUC', about: 'of the true probabilities', of: (_, task) => fixed(task.best?.auc, 4) },
  { name: 'Best possible log loss', about: 'of the true probabilities', of: (_, task) => fixed(task.best?.logLoss, 4) },
  { name: 'Gap closed', about: 'from the constant to the best log loss', of: (m, task) => gapClosed(m, task) },
];

/** How far the log loss has come from the constant predictor's to that of the truth. */
function gapClosed(metrics: TaskMetrics, task: TaskReport): string {
  const [constant, loss, best] = [metrics.constantLogLoss, metrics.logLoss, task.best?.logLoss];
  if (typeof constant !== 'number' || typeof loss !== 'number' || typeof best !== 'number') return '–';
  return constant > best ? percent((constant - loss) / (constant - best)) : '–';
}

/** Every metric by task, raw beside calibrated. */
export function metricsTable(tasks: readonly TaskReport[]): Markup {
  const rows = [...METRIC_ROWS, ...(tasks.some((task) => task.best) ? BEST_ROWS : [])];
  const columns = tasks.flatMap((task) => [
    { task, metrics: task.raw, kind: 'raw', place: 'first' },
    ...(task.calibrated ? [{ task, metrics: task.calibrated, kind: 'calibrated', place: 'next' }] : []),
  ]);
  return html`<div class="card scroll"><table class="metrics"><thead><tr><td rowspan="2"></td>${tasks.map(
    (task) => html`<th scope="colgroup" colspan="${task.calibrated ? 2 : 1}">${nameText(task.task)}</th>`,
  )}</tr><tr>${columns.map(({ kind, place }) => html`<th scope="col" class="${place}">${kind}</th>`)}</tr></thead><tbody>${rows.map(
    ({ name, about, of }) =>
      html`<tr><th scope="row">${name}${about && html`<small>${about}</small>`}</th>${columns.map(
        ({ metrics, task, kind, place }) => html`<td class="${kind} ${place}">${of(metrics, task)}</td>`,
      )}</tr>`,
  )}</tbody></table></div>`;
}

/** Fields by mean gate, the largest first, as bars with ± one standard deviation. */
export function importanceTable(importances: readonly FieldImportance[]): Markup {
  const sorted = importances
    .filter(({ meanGate }) => Number.isFinite(meanGate))
    .sort((a, b) => b.meanGate - a.meanGate);
  const sd = (field: FieldImportance) => (Number.isFinite(field.sdGate) ? field.sdGate : 0);
  const most = Math.max(...sorted.map((field) => field.meanGate + sd(field)), 1e-12);
  const place = (gate: number) => `${Math.max(0, Math.min(100, (gate / most) * 100)).toFixed(2)}%`;
  return html`<div class="card scroll importance"><table class="bars"><thead><tr><th scope="col">field</th><th scope="col">mean gate</th><th scope="col">± sd</th><th scope="col" class="wide"><span class="unseen">bar</span></th></tr></thead><tbody>${sorted.map(
    (field) =>
      html`<tr><th scope="row">${nameText(field.field)}</th><td>${fixed(field.meanGate, 3)}</td><td class="quiet">${fixed(field.sdGate, 3)}</td><td class="wide"><div class="bar" aria-hidden="true"><i class="fill" style="width:${place(field.meanGate)}"></i><i class="whisker" style="left:${place(field.meanGate - sd(field))};right:calc(100% - ${place(field.meanGate + sd(field))})"></i></div></td></tr>`,
  )}</tbody></table></div>`;
}

/** AUC by value of a field, as bars from 0.5, with the metrics that say whether the value is served well. */
export function sliceTable({ field, task, slices }: SliceReport, overallAuc: number | null): Markup {
  const aucs = [overallAuc, ...slices.map(({ metrics }) => metrics.auc)].filter((auc) => auc !== null);
  const most = Math.max(0.6, ...aucs);
  const place = (auc: number) => `${Math.max(0, Math.min(100, ((auc - 0.5) / (most - 0.5)) * 98)).toFixed(2)}%`;
  const marker = overallAuc !== null && html`<i class="marker" style="left:${place(overallAuc)}"></i>`;
  const bar = (auc: number | null): Content =>
    auc !== null &&
    html`<div class="bar" aria-hidden="true"><i class="fill" style="width:${place(auc)}"></i>${marker}</div>`;
  return html`<figure class="card scroll"><h4>${nameText(field)} <small>${nameText(task)}</small></h4><table class="bars"><thead><tr><th scope="col">value</th><th scope="col">rows</th><th scope="col">rate</th><th scope="col">PCOC</th><th scope="col"><abbr title="normalised entropy">NE</abbr></th><th scope="col">AUC</th><th scope="col" class="wide"><span class="unseen">bar</span></th></tr></thead><tbody>${slices.map(
    ({ name, values, metrics }) =>
      html`<tr><th scope="row">${nameText(name)}${values > 1 && html` <small>${count(values)} values</small>`}</th><td>${count(metrics.rows)}</td><td>${percent(metrics.positives / metrics.rows)}</td><td>${fixed(metrics.pcoc, 3)}</td><td>${fixed(metrics.normalizedEntropy, 3)}</td><td>${fixed(metrics.auc, 4)}</td><td class="wide">${bar(metrics.auc)}</td></tr>`,
  )}</tbody></table></figure>`;
}
