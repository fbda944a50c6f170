import type { DescribedBundle } from './inspectBundle.ts';
import { aligned, bytesText, grouped } from './textTable.ts';

/** The description as aligned text. */
export function renderBundle(bundle: DescribedBundle): string {
  const { totals, schema } = bundle;
  const parts: [string, string][] = [
    [
      `${bundle.name}, version ${bundle.version}`,
      aligned([
        ['architecture', bundle.architecture],
        ['created', `${bundle.createdAt} by ${bundle.createdBy}, format ${bundle.format}`],
        ['tasks', bundle.tasks.map(describeTask).join('; ')],
        ['golden requests', String(bundle.goldenRequests)],
        ['lower precisions', precisionText(bundle.precision)],
      ]),
    ],
    ['Training', aligned(flat(bundle.training))],
    ['Metrics', renderMetrics(bundle.metrics)],
    [
      `Schema ${schema.name}: ${schema.fields.length} fields, labels ${schema.labels.map(labelText).join(', ')}`,
      aligned([
        ['field', 'kind', 'scope', 'ids', 'details'],
        ...schema.fields.map((field) => [field.name, field.kind, field.scope, field.ids ?? '', field.details]),
      ]),
    ],
    ['History', aligned(bundle.history.map(({ name, kind, by, holds }) => [name, kind, `by ${by}`, holds.join(', ')]))],
    [
      'Steps',
      aligned(
        [
          ['output', 'op', 'scope', 'type', 'parameters', 'multiply-adds', 'inputs'],
          ...bundle.steps.map((step) => [
            step.output,
            [step.op, ...settingsOf(step.settings)].join(' '),
            step.scope,
            step.type,
            grouped(step.parameters),
            grouped(step.multiplyAdds),
            inputText(step.inputs),
          ]),
        ],
        [4, 5],
      ),
    ],
    [
      'Tables',
      aligned(
        [
          ['table', 'ids of', 'rows', 'size', 'parameters', 'bytes'],
          ...bundle.tables.map((table) => [
            table.name,
            table.vocabulary,
            grouped(table.rows),
            String(table.size),
            grouped(table.parameters),
            bytesText(table.bytes),
          ]),
        ],
        [2, 3, 4, 5],
      ),
    ],
    [
      'Totals',
      aligned([
        [
          'parameters',
          `${grouped(totals.stepParameters + totals.tableParameters)}, ${grouped(totals.tableParameters)} of them in tables`,
        ],
        ['weights', `${bytesText(totals.weightBytes)}, ${bytesText(totals.tableBytes)} of them in tables`],
        ...Object.entries(totals.multiplyAdds).map(([scope, count]) => [
          `per ${scope}`,
          `${grouped(count as number)} multiply-adds`,
        ]),
      ]),
    ],
  ];
  return parts
    .filter(([, body]) => body !== '')
    .map(([title, body]) => `${title}\n${body}`)
    .join('\n');
}

function precisionText(precision: DescribedBundle['precision']): string {
  if (precision === null) return 'not judged: no sample';
  const { sampleRows, limits } = precision;
  return `may lose ${limits.auc} of AUC and ${Number((100 * limits.logLoss).toPrecision(6))} % of log loss on a sample of ${grouped(sampleRows)} rows`;
}

function describeTask({ name, logits, calibrationKnots }: DescribedBundle['tasks'][number]): string {
  const formula = logits.map((logit) => `σ(${logit})`).join('·');
  return `${name} = ${formula}, ${calibrationKnots === 0 ? 'not calibrated' : `calibrated at ${calibrationKnots} knots`}`;
}

const labelText = ({ name, after }: { name: string; after?: string }) => (after ? `${name} (after ${after})` : name);

function settingsOf(settings: object): string[] {
  return Object.entries(settings).map(([key, value]) =>
    typeof value === 'string' ? value : value === true ? key : value === false ? `no ${key}` : `${key} ${value}`,
  );
}

function inputText(inputs: readonly string[]): string {
  return inputs.length <= 4 ? inputs.join(', ') : `${inputs.slice(0, 3).join(', ')} and ${inputs.length - 3} more`;
}

/** A table for each set of rows, tasks down and metrics across; what is no number is left to `--json`. */
function renderMetrics(metrics: Readonly<Record<string, unknown>>): string {
  const rows: string[][] = [];
  const columns: string[] = [];
  for (const [set, tasks] of Object.entries(metrics)) {
    for (const [task, values] of Object.entries((tasks ?? {}) as object)) {
      const numbers = Object.entries((values ?? {}) as object).filter(([, value]) => typeof value === 'number');
      if (numbers.length === 0) continue;
      for (const [name] of numbers) if (!columns.includes(name)) columns.push(name);
      const byName = new Map(numbers as [string, number][]);
      rows.push([
        set,
        task,
        ...columns.map((name) => (byName.has(name) ? shownNumber(byName.get(name) as number) : '')),
      ]);
    }
  }
  if (rows.length === 0) return aligned(flat(metrics));
  return aligned(
    [['rows', 'task', ...columns], ...rows],
    columns.map((_, i) => i + 2),
  );
}

const shownNumber = (x: number) => (Number.isInteger(x) ? grouped(x) : String(Number(x.toPrecision(5))));

/** Nested settings as pairs of a dotted name and a value. */
function flat(value: unknown, prefix = ''): string[][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return [[prefix, text.length > 100 ? `${text.slice(0, 99)}…` : text]];
  }
  return Object.entries(value).flatMap(([key, inner]) => flat(inner, prefix === '' ? key : `${prefix}.${key}`));
}
