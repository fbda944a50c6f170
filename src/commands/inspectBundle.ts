import { type Bundle, tableWeight } from '../model/bundle.ts';
import { describeType } from '../model/values.ts';
import { defaultMaxItems } from '../schema/encoder.ts';
import { scopeOfField, tableOf } from '../schema/fields.ts';
import type { Field } from '../schema/schema.ts';
import { scopes } from '../schema/scopes.ts';
import { costsByScope } from '../scoring/planner/costs.ts';
import { naiveCosts } from '../scoring/planner/naiveCosts.ts';
import { describeHistory } from './inspectHistory.ts';

export type DescribedBundle = ReturnType<typeof describeBundle>;

/** All there is to say about a bundle, its numbers apart: what `limelight inspect --json` prints. */
export function describeBundle({ manifest, typed, fitted, weights, golden, sample }: Bundle) {
  const { name, version, format, createdAt, createdBy, metrics, training, calibration } = manifest;
  const costs = naiveCosts(typed);
  const steps = costs.map(({ step, type, scope, parameters, multiplyAdds }) => {
    const { op, output, inputs, ...settings } = step as typeof step & { tables?: unknown };
    delete settings.tables;
    return { output, op, inputs, settings, type: describeType(type), scope, parameters, multiplyAdds };
  });
  const tables = [...typed.tables.values()].map(({ name, vocabulary, size }) => {
    const rows = fitted.vocabularies.get(vocabulary)?.rows ?? 0;
    return { name, vocabulary, rows, size, parameters: rows * size, bytes: rows * size * 4 };
  });
  const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
  const perRow = costsByScope(costs);
  return {
    name,
    version,
    architecture: typed.model.architecture,
    format,
    createdAt,
    createdBy,
    schema: describeSchema(typed.schema, manifest.fitted.vocabularies),
    history: describeHistory(typed.schema),
    tasks: typed.model.tasks.map((task) => ({
      name: task.name,
      logits: task.logits,
      calibrationKnots: Object.hasOwn(calibration, task.name) ? calibration[task.name].x.length : 0,
    })),
    training,
    metrics,
    steps,
    tables,
    goldenRequests: golden.rowCount,
    /** What a precision is judged by; null in bundles that judge none. */
    precision:
      manifest.precision === undefined
        ? null
        : { sampleRows: sample?.input.rowCount ?? 0, limits: manifest.precision.limits },
    totals: {
      stepParameters: sum(steps.map((step) => step.parameters)),
      tableParameters: sum(tables.map((table) => table.parameters)),
      weightBytes: sum([...weights.values()].map(({ values }) => values.byteLength)),
      tableBytes: sum(tables.map(({ name }) => weights.get(tableWeight(name))?.values.byteLength ?? 0)),
      multiplyAdds: Object.fromEntries(
        scopes.flatMap((scope) => (perRow.has(scope) ? [[scope, perRow.get(scope)?.multiplyAdds]] : [])),
      ),
    },
  };
}

function describeSchema(schema: Bundle['typed']['schema'], vocabularies: Bundle['manifest']['fitted']['vocabularies']) {
  const byName = new Map(schema.fields.map((field) => [field.name, field]));
  return {
    name: schema.name,
    labels: schema.labels.map(({ name, after }) => ({ name, after })),
    fields: schema.fields.map((field) => {
      const table = tableOf(field);
      const ids = table === undefined ? undefined : vocabularies[table];
      return {
        name: field.name,
        kind: field.kind,
        scope: scopeOfField(field, byName),
        ids: ids === undefined ? undefined : `${ids.kind}, ${ids.rows} rows`,
        details: detailsOf(field),
      };
    }),
  };
}

function detailsOf(field: Field): string {
  switch (field.kind) {
    case 'cross':
    case 'match':
      return `of ${field.of.join(' × ')}`;
    case 'vector':
      return [`length ${field.length}`, field.standardise ? 'standardised' : ''].filter(Boolean).join(', ');
    case 'number':
      return [field.transform ?? '', field.quantiles ? `${field.quantiles} quantiles` : ''].filter(Boolean).join(', ');
    case 'ids':
      return [
        field.pooling === 'none'
          ? `sequence of ${field.maxItems ?? defaultMaxItems}`
          : `${field.pooling ?? 'mean'} of items`,
        field.table ? `table ${field.table}` : '',
      ]
        .filter(Boolean)
        .join(', ');
    case 'id':
      return field.table ? `table ${field.table}` : '';
  }
}
