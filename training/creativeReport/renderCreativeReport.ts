import { count, percent } from '../report/format.ts';
import { html, Markup, nameText } from '../report/html.ts';
import { REPORT_STYLE } from '../report/style.ts';
import { warningsSection } from '../report/warningsSection.ts';
import { exitChart, explorationCharts } from './curveCharts.ts';
import { decaySection } from './decaySection.ts';
import { exitTable, policyTable } from './policyTables.ts';
import type { CreativeReportData } from './reportData.ts';
import { CREATIVE_STYLE } from './style.ts';

/**
 * One self-contained HTML page about choosing creatives: no script, no address, light or dark as the reader's system is. The same
 * data gives the same text. Every name is escaped.
 */
export function renderCreativeReport(data: CreativeReportData): string {
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Creatives · Limelight report</title><style>${new Markup(REPORT_STYLE + CREATIVE_STYLE)}</style></head><body><main>
${headline(data)}${warningsSection(data.warnings)}
<section><h2>Policies</h2><p>Each policy chose a creative for every impression of every test; clicks were drawn at the observed rates, the same for all
policies. Regret is the clicks forgone against the best creative.</p>${policyTable(data.policies)}</section>
<section><h2>Exploration</h2>${explorationCharts(data.policies)}</section>
${exits(data)}${decaySection(data.decay)}
<footer>Intervals are 95 %, by bootstrap over tests${'why' in data.decay ? '' : '; those of click rates by day are Wilson’s'}. Explored: impressions of
another creative than the one whose posterior mean click rate was then the highest.</footer></main></body></html>
`;
  return page.text;
}

function headline(data: CreativeReportData): Markup {
  const [first] = data.policies;
  const share = data.bestClicks > 0 ? first.regret.value / data.bestClicks : null;
  return html`<header><h1>Creatives</h1><p>${nameText(data.data)} · ${data.date}</p><ul class="tiles">
<li class="task"><b>${percent(share)}</b><span>of the best creatives’ clicks forgone by ${nameText(first.policy)}; ${percent(first.bestArmShare.value)} of its exposure on the best</span></li>
<li><b>${count(data.tests)}</b><span>tests</span></li><li><b>${count(data.arms)}</b><span>creatives</span></li><li><b>${count(data.impressions)}</b><span>impressions</span></li></ul>
<dl class="facts">${data.facts.map(({ name, value }) => html`<div><dt>${name}</dt><dd>${nameText(value)}</dd></div>`)}</dl></header>`;
}

function exits({ policies }: CreativeReportData): Markup {
  const some = policies.some(({ curves }) => curves.exited);
  return html`<section><h2>Exit</h2><p>A test leaves exploration when more of it would not pay; what exploring cost until then, and after.</p><div class="pair">${
    some && exitChart(policies)
  }${exitTable(policies)}</div></section>`;
}
