/** How many series have a colour of their own; those after them begin again, dashed. */
export const SERIES_COLOURS = 8;

const LIGHT = ['#2563d9', '#c2570c', '#15803d', '#9333ea', '#0e7490', '#be185d', '#8a6d0b', '#6b7587'];
const DARK = ['#6ea0ff', '#ffa25c', '#5fd08a', '#c79bff', '#54c7dd', '#ff8ab8', '#e0c25a', '#98a3b5'];

const variables = (colours: readonly string[]) => colours.map((colour, i) => `--series${i}:${colour}`).join(';');

/** What this page adds to the style of the training report. */
export const CREATIVE_STYLE = `
:root{${variables(LIGHT)}}
@media (prefers-color-scheme:dark){:root{${variables(DARK)}}}
${LIGHT.map(
  (_, i) =>
    `path.series${i}{stroke:var(--series${i})}.key.series${i}{border-top:3px solid var(--series${i})}.bar .series${i}{background:var(--series${i})}`,
).join('\n')}
path.first{stroke-width:3.2}path.again{stroke-dasharray:7 4}.key.again{border-top-style:dashed}
.first th{font-weight:650}
figure .facts{margin:0 0 10px;font-size:13.5px}
td small,h3 small{display:block}td small{font-size:12px}
.swatch+bdi{white-space:nowrap}.swatch{display:inline-block;width:10px;height:10px;border-radius:3px;margin-right:8px}
${LIGHT.map((_, i) => `.swatch.series${i}{background:var(--series${i})}`).join('')}
path.ctr{stroke:var(--accent);stroke-width:2.2}circle.ctr{fill:var(--accent)}line.range{stroke:var(--accent);stroke-width:1.4;opacity:.55}
line.peak{stroke:var(--grey);stroke-dasharray:5 4}line.limit{stroke:var(--warm);stroke-width:1.5;stroke-dasharray:6 4}
.key.ctr{border-top:3px solid var(--accent)}.key.peak{border-top:2px dashed var(--grey)}.key.limit{border-top:2px dashed var(--warm)}
`;
