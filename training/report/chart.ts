import { assert } from '../../src/core/errors.ts';
import { logit } from '../../src/core/numerics.ts';
import { type Content, html, type Markup } from './html.ts';

/** Maps a value to a place on the page, and says where its axis has marks. */
export interface Scale {
  at(value: number): number;
  ticks: number[];
}

/** Round steps of 1, 2, 2.5 or 5 times a power of ten, about `most` of them, within [low, high]. */
export function roundTicks(low: number, high: number, most: number): number[] {
  if (!(high > low)) return [low];
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.999)!;
  const ticks: number[] = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++)
    ticks.push(Number((k * step).toPrecision(12)));
  return ticks;
}

export function linearScale(low: number, high: number, from: number, to: number, most = 6): Scale {
  assert(Number.isFinite(low) && high > low, `linearScale: from ${low} to ${high}`);
  return { at: (value) => from + ((value - low) / (high - low)) * (to - from), ticks: roundTicks(low, high, most) };
}

/** Equal steps for equal factors; values at or below 0 sit at the low end. */
export function logScale(low: number, high: number, from: number, to: number): Scale {
  const marks = (multiples: readonly number[]) => {
    const ticks: number[] = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
      for (const m of multiples) ticks.push(Number((m * 10 ** power).toPrecision(12)));
    }
    return ticks.filter((value) => value >= low * 0.999 && value <= high * 1.001);
  };
  const ticks = [[1, 2, 5], [1, 3], [1]].map(marks).find((list) => list.length <= 6) ?? marks([1]);
  return {
    at: (value) => from + (Math.log(Math.max(value, low) / low) / Math.log(high / low)) * (to - from),
    ticks,
  };
}

/** Equal steps for equal differences in logits: spreads out both ends of (0, 1). */
export function logitScale(low: number, high: number, from: number, to: number): Scale {
  const all = [1e-5, 1e-4, 0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999, 0.9999];
  const finer = [0.002, 0.005, 0.02, 0.1, 0.3, 0.4, 0.6, 0.7, 0.9];
  const within = (list: number[]) => list.filter((p) => p >= low && p <= high);
  const ticks = within(all).length >= 4 ? within(all) : within([...all, ...finer].sort((a, b) => a - b));
  const [start, end] = [logit(low), logit(high)];
  return { at: (p) => from + ((logit(p) - start) / (end - start)) * (to - from), ticks };
}

/** Where a chart's axes lie, in units of its view box. */
export interface Plot {
  width: number;
  height: number;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export function plotOf(width: number, height: number): Plot {
  return { width, height, left: 72, right: width - 16, top: 14, bottom: height - 46 };
}

/** A whole chart: named and described for those who do not see it, with grid, marks and axis titles around `inside`. */
export function chart(
  plot: Plot,
  about: { id: string; title: string; description: string },
  x: { scale: Scale; title: string; format: (value: number) => string },
  y: { scale: Scale; title: string; format: (value: number) => string },
  inside: Content,
): Markup {
  const { width, height, left, right, top, bottom } = plot;
  const middle = (top + bottom) / 2;
  return html`<svg viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="${about.id}-t ${about.id}-d">
<title id="${about.id}-t">${about.title}</title><desc id="${about.id}-d">${about.description}</desc>
<clipPath id="${about.id}-c"><rect x="${left}" y="${top - 4}" width="${right - left}" height="${bottom - top + 4}"/></clipPath>
<g class="grid">${y.scale.ticks.map((v) => html`<line x1="${left}" x2="${right}" y1="${round(y.scale.at(v))}" y2="${round(y.scale.at(v))}"/>`)}</g>
<g class="axis">${y.scale.ticks.map((v) => html`<text x="${left - 8}" y="${round(y.scale.at(v) + 4)}" text-anchor="end">${y.format(v)}</text>`)}
${x.scale.ticks.map(
  (v) =>
    html`<line x1="${round(x.scale.at(v))}" x2="${round(x.scale.at(v))}" y1="${bottom}" y2="${bottom + 4}"/><text x="${round(x.scale.at(v))}" y="${bottom + 18}" text-anchor="middle">${x.format(v)}</text>`,
)}
<line x1="${left}" x2="${right}" y1="${bottom}" y2="${bottom}"/>
<text class="name" x="${(left + right) / 2}" y="${height - 8}" text-anchor="middle">${x.title}</text>
<text class="name" transform="translate(14 ${middle}) rotate(-90)" text-anchor="middle">${y.title}</text></g>
<g clip-path="url(#${about.id}-c)">${inside}</g></svg>`;
}

/** A line through points; those that are not finite leave a gap. */
export function linePath(x: Scale, y: Scale, xs: readonly number[], ys: readonly number[]): string {
  let path = '';
  let pen = 'M';
  for (let i = 0; i < xs.length; i++) {
    if (!Number.isFinite(xs[i]) || !Number.isFinite(ys[i])) {
      pen = 'M';
      continue;
    }
    path += `${pen}${round(x.at(xs[i]))} ${round(y.at(ys[i]))}`;
    pen = 'L';
  }
  return path;
}

/** To a hundredth of a unit of the view box. */
export function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** The chart's key; each entry's class gives its colour and mark. */
export function legend(entries: readonly { kind: string; text: string }[]): Markup {
  return html`<ul class="legend">${entries.map(({ kind, text }) => html`<li><i class="key ${kind}"></i>${text}</li>`)}</ul>`;
}

/** The numbers behind a chart, folded away. */
export function numbersTable(caption: string, head: readonly string[], rows: readonly (readonly Content[])[]): Markup {
  return html`<details><summary>Numbers</summary><div class="scroll"><table><caption>${caption}</caption><thead><tr>${head.map(
    (name) => html`<th scope="col">${name}</th>`,
  )}</tr></thead><tbody>${rows.map((row) => html`<tr>${row.map((cell) => html`<td>${cell}</td>`)}</tr>`)}</tbody></table></div></details>`;
}
