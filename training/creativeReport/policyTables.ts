import { count, percent } from '../report/format.ts';
import { html, type Markup } from '../report/html.ts';
import { policyName, seriesClass } from './curveCharts.ts';
import type { Estimate, PolicyReport } from './reportData.ts';

const range = ({ low, high }: Estimate, text: (value: number) => string) =>
  html`<small>${text(low)} – ${text(high)}</small>`;

/** What each policy made of the tests, with 95 % intervals, and its regret as a bar. */
export function policyTable(policies: readonly PolicyReport[]): Markup {
  const most = Math.max(1e-9, ...policies.map(({ regret }) => regret.high));
  const place = (value: number) => `${((Math.max(0, value) / most) * 100).toFixed(2)}%`;
  return html`<div class="card scroll"><table class="bars"><thead><tr><th scope="col">policy</th><th scope="col">clicks</th><th scope="col">best creative</th><th scope="col">regret</th><th scope="col">over ${policies[0].policy}’s</th><th scope="col" class="wide"><span class="unseen">regret as a bar</span></th></tr></thead><tbody>${policies.map(
    ({ policy, clicks, regret, bestArmShare, regretOverFirst }, index) =>
      html`<tr class="${index === 0 ? 'first' : 'other'}"><th scope="row">${policyName(policy, index)}</th><td>${count(clicks.value)}${range(clicks, count)}</td><td>${percent(bestArmShare.value)}${range(bestArmShare, percent)}</td><td>${count(regret.value)}${range(regret, count)}</td><td>${
        regretOverFirst === null
          ? '–'
          : html`× ${regretOverFirst.value.toFixed(2)}${range(regretOverFirst, (ratio) => ratio.toFixed(2))}`
      }</td><td class="wide"><div class="bar" aria-hidden="true"><i class="fill ${seriesClass(index)}" style="width:${place(regret.value)}"></i><i class="whisker" style="left:${place(regret.low)};right:calc(100% - ${place(regret.high)})"></i></div></td></tr>`,
  )}</tbody></table></div>`;
}

/** What exploring cost, and when it ended. */
export function exitTable(policies: readonly PolicyReport[]): Markup {
  return html`<div class="card scroll"><table><thead><tr><th scope="col">policy</th><th scope="col">explored</th><th scope="col">tests that left</th><th scope="col">until then</th></tr></thead><tbody>${policies.map(
    ({ policy, exploredShare, exitedShare, exposuresToExit }, index) =>
      html`<tr class="${index === 0 ? 'first' : 'other'}"><th scope="row">${policyName(policy, index)}</th><td>${percent(exploredShare.value)}${range(exploredShare, percent)}</td><td>${exitedShare > 0 ? percent(exitedShare) : '–'}</td><td>${
        exposuresToExit === null ? '–' : html`${count(exposuresToExit.value)}${range(exposuresToExit, count)}`
      }</td></tr>`,
  )}</tbody></table></div>`;
}
