import { chart, linearScale, linePath, logScale, plotOf, round, type Scale } from '../../training/report/chart.ts';
import { html, Markup } from '../../training/report/html.ts';
import type { Axis, ScalingRow } from '../scaling.bench.ts';

/** Legible on a light page and on a dark one: the picture has no ground of its own. */
const style = `
svg{--ink:#1a1f2b;--quiet:#5d6779;--line:#c9d0db;--grid:#e3e7ee;--s0:#2563d9;--s1:#c2570c;--s2:#0f8a5f;--s3:#8a3ffc}
@media (prefers-color-scheme:dark){svg{--ink:#e6eaf1;--quiet:#98a3b5;--line:#3a4456;--grid:#262d3a;--s0:#6ea0ff;--s1:#ffa25c;--s2:#4fd1a0;--s3:#c49bff}}
text{fill:var(--quiet);font:13px system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif}.name,.title{fill:var(--ink)}.title{font-size:16px;font-weight:600}
.grid line{stroke:var(--grid)}.axis line{stroke:var(--line)}path{fill:none;stroke-width:2.25;stroke-linejoin:round}path.p99{stroke-width:1.5;stroke-dasharray:5 4;opacity:.75}
${[0, 1, 2, 3].map((i) => `.s${i}{stroke:var(--s${i})}circle.s${i}{fill:var(--s${i});stroke:none}`).join('')}`;

const panels: readonly { axis: Axis; title: string; name: string }[] = [
  { axis: 'candidates', title: 'Candidates', name: 'candidates a request' },
  { axis: 'fields', title: 'Fields', name: 'fields of user and ad' },
  { axis: 'ads', title: 'Ads', name: 'ads in the catalog' },
  { axis: 'cache MiB', title: 'Ad cache', name: 'MiB for what is kept of ads' },
  { axis: 'processes', title: 'Processes', name: 'processes' },
];

const panelWidth = 440;
const panelHeight = 300;
const columns = 3;
const heading = 34;

/** A panel an axis: latency of a whole request, or throughput over processes. */
export function scalingPicture(rows: readonly ScalingRow[]): string {
  const engines = [...new Set(rows.map(({ engine }) => engine))];
  const drawn = panels.filter(({ axis }) => rows.some(({ by }) => by === axis));
  const width = columns * panelWidth;
  const height = Math.ceil(drawn.length / columns) * (panelHeight + heading) + 44;
  const key = engines.map(
    (engine, i) =>
      html`<g transform="translate(${72 + i * 230} 22)"><path class="s${i % 4}" d="M0 -4H26"/><text x="34">${engine}</text></g>`,
  );
  const dashes = html`<g transform="translate(${72 + engines.length * 230} 22)"><path class="p99 s0" d="M0 -4H26"/><text x="34">p99, solid p50</text></g>`;
  const body = drawn.map(({ axis, title, name }, i) => {
    const own = rows.filter(({ by }) => by === axis);
    const x = (i % columns) * panelWidth;
    const y = 44 + Math.floor(i / columns) * (panelHeight + heading);
    return html`<g transform="translate(${x} ${y})"><text class="title" x="72" y="20">${title}</text></g>
<svg x="${x}" y="${y + heading - 8}" width="${panelWidth}" height="${panelHeight}">${panel(axis, name, own, engines)}</svg>`;
  });
  return html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">
<style>${new Markup(style)}</style>${key}${dashes}
${body}
</svg>
`.text;
}

function panel(axis: Axis, name: string, rows: readonly ScalingRow[], engines: readonly string[]): Markup {
  const plot = plotOf(panelWidth, panelHeight);
  const isThroughput = axis === 'processes';
  const lines: readonly (readonly [string, string])[] = isThroughput
    ? [['', 'requests/s']]
    : [
        ['', 'rank p50'],
        ['p99 ', 'rank p99'],
      ];
  const values = rows.flatMap((row) =>
    lines.flatMap(([, column]) => (typeof row[column] === 'number' ? [row[column]] : [])),
  );
  const at = [...new Set(rows.map(({ value }) => value))].sort((a, b) => a - b);
  const most = Math.max(...values, 1);
  const least = Math.min(...values, most / 2);
  const x = placesOf(axis, at, plot.left, plot.right);
  const y = isThroughput
    ? linearScale(0, most * 1.08, plot.bottom, plot.top)
    : logScale(least / 1.3, most * 1.3, plot.bottom, plot.top);
  const about = {
    id: axis.replaceAll(' ', '-'),
    title: `${isThroughput ? 'Requests a second' : 'Latency'} by ${name}`,
    description: `${engines.length} engines, ${at.length} sizes from ${at[0]} to ${at[at.length - 1]}.`,
  };
  const marks = engines.flatMap((engine, i) => {
    const own = rows.filter((row) => row.engine === engine).sort((a, b) => a.value - b.value);
    return lines.map(([kind, column]) => {
      const ys = own.map((row) => Number(row[column] ?? Number.NaN));
      const xs = own.map(({ value }) => value);
      const dots = kind === '' ? xs.filter((_, k) => Number.isFinite(ys[k])) : [];
      return html`<path class="${kind}s${i % 4}" d="${linePath(x, y, xs, ys)}"/>${dots.map(
        (value) =>
          html`<circle class="s${i % 4}" cx="${round(x.at(value))}" cy="${round(y.at(ys[xs.indexOf(value)]))}" r="3"/>`,
      )}`;
    });
  });
  return chart(
    plot,
    about,
    { scale: x, title: name, format: short },
    { scale: y, title: isThroughput ? 'requests a second' : 'µs a request', format: short },
    marks,
  );
}

/** Sizes at equal steps for equal factors, and 0, where there is one, a step before the least. */
function placesOf(axis: Axis, at: readonly number[], left: number, right: number): Scale {
  const positive = at.filter((value) => value > 0);
  const inset = 14;
  if (positive.length === at.length && at.length > 1 && axis === 'candidates')
    return logScale(at[0], at[at.length - 1], left + inset, right - inset);
  const step = at.length > 1 ? (right - left - 2 * inset) / (at.length - 1) : 0;
  return { at: (value) => left + inset + at.indexOf(value) * step, ticks: [...at] };
}

function short(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  return value >= 1e3 ? `${Number((value / 1e3).toPrecision(3))}k` : String(Number(value.toPrecision(3)));
}
