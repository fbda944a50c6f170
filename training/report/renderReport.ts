import { calibrationChart } from './calibrationChart.ts';
import { count, duration, fixed, percent } from './format.ts';
import { histogramChart } from './histogramChart.ts';
import { html, Markup, nameText } from './html.ts';
import { learningChart } from './learningChart.ts';
import type { ReportData, TaskReport } from './reportData.ts';
import { REPORT_STYLE } from './style.ts';
import { importanceTable, metricsTable, sliceTable } from './tables.ts';
import { warningsSection } from './warningsSection.ts';

/**
 * One self-contained HTML page about a trained model: no script, no address, light or dark as the reader's system is.
 * The same data gives the same text. Every name is escaped, so a hostile one shows as what it is.
 */
export function renderReport(data: ReportData): string {
  const scope = data.tasks.some((task) => task.calibrated)
    ? 'On validation users that neither the model nor its calibration was fitted on.'
    : 'On validation rows that the model was not fitted on.';
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${data.arch} · Limelight training report</title><style>${new Markup(REPORT_STYLE)}</style></head><body><main>
${headline(data)}${warningsSection(data.warnings ?? [])}
<section><h2>Metrics</h2><p>${scope}</p>${metricsTable(data.tasks)}</section>
${data.learning && data.learning.length > 0 && html`<section><h2>Learning curve</h2>${data.learning.map(learningChart)}</section>`}
${data.tasks.length > 0 && html`<section><h2>Predictions</h2>${data.tasks.map(predictions)}</section>`}
${importances(data)}${slices(data)}
<footer>AUC is the chance that a row with label 1 scores above one with label 0. GAUC averages it within users, by impressions; users
with one label are left out. PCOC is the mean prediction over the mean label. Bins hold equal numbers of rows; intervals are
Wilson’s, at 95 %.</footer></main></body></html>
`;
  return page.text;
}

function headline(data: ReportData): Markup {
  const facts = data.facts ?? [];
  return html`<header><h1>${nameText(data.arch)}</h1><p>Trained on ${nameText(data.data)} · ${data.date}</p><ul class="tiles">${data.tasks.slice(0, 3).map(taskTiles)}
<li><b>${count(data.trainRows)}</b><span>training rows</span></li><li><b>${count(data.validRows)}</b><span>validation rows</span></li>
<li><b>${duration(data.durationS)}</b><span>duration</span></li></ul>${
    facts.length > 0 &&
    html`<dl class="facts">${facts.map(({ name, value }) => html`<div><dt>${nameText(name)}</dt><dd>${nameText(value)}</dd></div>`)}</dl>`
  }</header>`;
}

function taskTiles({ task, raw, calibrated }: TaskReport): Markup {
  const metrics = calibrated ?? raw;
  const gain = metrics.normalizedEntropy === null ? null : 1 - metrics.normalizedEntropy;
  const beside =
    gain === null ? '' : `, ${percent(Math.abs(gain))} ${gain < 0 ? 'above' : 'below'} the constant predictor’s`;
  return html`<li class="task"><b>${fixed(metrics.auc, 4)}</b><span>AUC of ${nameText(task)}; log loss ${fixed(metrics.logLoss, 4)}${beside}</span></li>`;
}

function predictions(task: TaskReport, index: number): Markup {
  return html`<h3>${nameText(task.task)}</h3><div class="pair">${calibrationChart(task, index)}${histogramChart(task, index)}</div>`;
}

function importances(data: ReportData): Markup {
  const fields = data.importances ?? [];
  return html`${
    fields.length > 0 &&
    html`<section><h2>Field importance</h2><p>The SENet gate that the model learned for each field: its mean over the validation rows, ± one
standard deviation. A wide spread means that the field matters for some rows and not for others.</p>${importanceTable(fields)}</section>`
  }`;
}

function slices(data: ReportData): Markup {
  const all = data.slices ?? [];
  const overall = new Map(data.tasks.map((task) => [task.task, (task.calibrated ?? task.raw).auc]));
  return html`${
    all.length > 0 &&
    html`<section><h2>Metrics by slice</h2><p>Bars show AUC from 0.5; the upright line is the AUC of all rows.</p>${all.map(
      (slice) => sliceTable(slice, overall.get(slice.task) ?? null),
    )}</section>`
  }`;
}
