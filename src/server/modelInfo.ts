import { createHash } from 'node:crypto';
import { catalogFields } from '../catalog/encodeCatalog.ts';
import { policies } from '../creative/policies.ts';
import type { PlainField } from '../ranking/fieldPlan.ts';
import { columnOf } from '../schema/fields.ts';
import type { HeldCreatives } from './heldCreatives.ts';
import type { LoadedRanker } from './loadRanker.ts';

/** What `GET /v1/models` tells of a model in use, and of what a request to it must hold. */
export function modelInfo({ ranker, reason, history, creatives: held }: LoadedRanker) {
  const { bundle, plan, catalog, creatives, scorer } = ranker;
  const { manifest, typed } = bundle;
  const ofCatalog = new Set(catalogFields(plan.candidate.map(({ field }) => field)).map(({ name }) => name));
  const inCatalog = ({ field }: PlainField) => {
    const table = field.scope === 'creative' ? (creatives ?? catalog) : catalog;
    return ofCatalog.has(field.name) && table?.batches.every(({ columns }) => columns.has(columnOf(field))) === true;
  };
  return {
    name: manifest.name,
    version: manifest.version,
    createdAt: manifest.createdAt,
    architecture: typed.model.architecture,
    tasks: typed.model.tasks.map(({ name }) => name),
    calibrated: Object.keys(manifest.calibration),
    engine: scorer.engine,
    engineReason: reason,
    precision: scorer.precision ?? 'fp32',
    /** Of an engine that keeps what depends on an ad alone. */
    adCache: scorer.adCacheStats?.() ?? null,
    schema: { name: typed.schema.name, hash: schemaHash(manifest.schema) },
    request: {
      /** In `user` or `context`. */
      userOrContext: plan.request.map(describeField),
      /** With each candidate; those in the catalog need not be sent. */
      candidates: plan.candidate.map((plain) => ({
        ...describeField(plain),
        inCatalog: inCatalog(plain),
      })),
      /** Not to be sent: the schema has a value for serving. */
      constant: plan.constant.map((plain) => ({ ...describeField(plain), servingValue: plain.field.servingValue })),
    },
    catalog: catalog === undefined ? null : { adCount: catalog.adCount },
    creatives:
      creatives === undefined
        ? null
        : { creativeCount: creatives.namedCount, policy: held === undefined ? null : policyInfo(held) },
    history: history === undefined ? null : { origin: history.origin, ...history.history.stats() },
    metrics: manifest.metrics,
  };
}

/** What chooses creatives, and where their ads stand. */
function policyInfo({ bandit, origin }: HeldCreatives) {
  const { settings } = bandit;
  // Some have an ε of their own.
  const { epsilon } = policies[settings.policy](settings);
  return { name: settings.policy, epsilon, origin, ...bandit.stats() };
}

function describeField({ field, type, required }: PlainField) {
  const { name, kind, scope, column = name } = field;
  return { name, ...(column !== name && { column }), kind, type, scope, ...(!required && { required }) };
}

/** The SHA-256 of a schema, whatever the order of its keys. */
export function schemaHash(schema: unknown): string {
  return createHash('sha256').update(stableJson(schema)).digest('hex');
}

function stableJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(stableJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${stableJson(item)}`).join(',')}}`;
}
