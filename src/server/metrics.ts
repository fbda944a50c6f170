import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { AdCacheStats } from '../scoring/scorer.ts';
import type { HeldCreatives } from './heldCreatives.ts';
import type { HeldHistory } from './heldHistory.ts';
import type { ModelHost, ServerOptions } from './server.ts';

/** What `GET /metrics` tells, in Prometheus' text form. */
export interface ServerMetrics {
  readonly registry: Registry;
  /** @param route the path as it is registered, so that there are few; `status` as answered */
  answered(route: string, status: number, seconds: number): void;
  ranked(candidates: number): void;
  rankingFailed(kind: string): void;
}

const decades = (from: number, count: number, steps: readonly number[]) =>
  Array.from({ length: count }, (_, i) => steps.map((step) => Number((from * 10 ** i * step).toPrecision(3)))).flat();

/** Close enough to read a p99 from: 100, 150, 200, 300, 500 and 700 µs, and so on up to a second. */
const secondsBuckets = [...decades(1e-4, 4, [1, 1.5, 2, 3, 5, 7]), 1];
const candidatesBuckets = [...decades(1, 5, [1, 2, 5]), 100_000];

export interface MetricsOptions extends Pick<ServerOptions, 'nowMs' | 'replay'> {
  /** Whether to add what Node knows of the process: CPU, memory, event loop, garbage collection. */
  readonly process?: boolean;
}

/** Metrics of a server, and of the model it uses at the time they are asked for. */
export function createMetrics(host: ModelHost, options: MetricsOptions = {}): ServerMetrics {
  const registry = new Registry();
  const registers = [registry];
  const duration = new Histogram({
    name: 'limelight_http_request_duration_seconds',
    help: 'From the request’s headers to the end of its answer',
    labelNames: ['route', 'status'],
    buckets: secondsBuckets,
    registers,
  });
  const candidates = new Histogram({
    name: 'limelight_rank_candidates',
    help: 'Candidates of a ranking request',
    buckets: candidatesBuckets,
    registers,
  });
  const errors = new Counter({
    name: 'limelight_rank_errors_total',
    help: 'Ranking requests refused or failed, by the kind that the answer names',
    labelNames: ['kind'],
    registers,
  });
  addModelMetrics(host, registry);
  addHistoryMetrics(host, registry, options);
  addCreativeMetrics(host, registry);
  if (options.process) collectDefaultMetrics({ register: registry });
  // Looking a metric up by its labels makes objects; a server meets few pairs of route and status.
  const durations = new Map<string, Map<number, Histogram.Internal<'route' | 'status'>>>();
  return {
    registry,
    answered(route, status, seconds) {
      let byStatus = durations.get(route);
      if (byStatus === undefined) durations.set(route, (byStatus = new Map()));
      let found = byStatus.get(status);
      if (found === undefined) byStatus.set(status, (found = duration.labels(route, String(status))));
      found.observe(seconds);
    },
    ranked: (count) => candidates.observe(count),
    rankingFailed: (kind) => errors.inc({ kind }),
  };
}

function addModelMetrics(host: ModelHost, registry: Registry): void {
  const registers = [registry];
  new Gauge({
    name: 'limelight_model_info',
    help: 'Always 1; the labels say which model is in use, and what computes it',
    labelNames: ['name', 'version', 'engine', 'precision'],
    registers,
    collect() {
      this.reset();
      if (host.current === undefined) return;
      const { bundle, scorer } = host.current.ranker;
      const { name, version } = bundle.manifest;
      this.set({ name, version, engine: scorer.engine, precision: scorer.precision ?? 'fp32' }, 1);
    },
  });
  const stats = () => host.current?.ranker.scorer.adCacheStats?.() ?? nothingKept;
  for (const [name, help, of] of adCacheCounters) {
    new Counter({
      name: `limelight_ad_cache_${name}_total`,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(of(stats()));
      },
    });
  }
  for (const [name, help, of] of adCacheGauges) {
    new Gauge({
      name: `limelight_ad_cache_${name}`,
      help,
      registers,
      collect() {
        this.set(of(stats()));
      },
    });
  }
}

function addHistoryMetrics(host: ModelHost, registry: Registry, { nowMs = Date.now, replay }: MetricsOptions): void {
  const lagMs = ({ history, newestImpressionMs }: HeldHistory) =>
    (replay ? history.watermarkMs : nowMs()) - newestImpressionMs;
  const gauges: readonly [name: string, help: string, of: (held: HeldHistory) => number][] = [
    ['keys', 'Keys of which history holds anything', ({ history }) => history.stats().keys],
    ['events', 'Impressions that history has taken in', ({ history }) => history.stats().events],
    [
      'pending',
      'Events that history has taken in and waits with, until their outcomes are due',
      ({ history }) => history.stats().pending,
    ],
    ['bytes', 'Memory that history takes', ({ history }) => history.stats().bytes],
    ['evicted', 'Keys that had to go for others', ({ history }) => history.stats().evicted],
    [
      'lag_seconds',
      'Since the newest impression that this server was told of; 0 before the first',
      (held) => lagMs(held) / 1000,
    ],
  ];
  for (const [name, help, of] of gauges) {
    new Gauge({
      name: `limelight_history_${name}`,
      help,
      registers: [registry],
      collect() {
        const value = host.current?.history === undefined ? 0 : of(host.current.history);
        this.set(Number.isFinite(value) ? value : 0);
      },
    });
  }
}

function addCreativeMetrics(host: ModelHost, registry: Registry): void {
  const registers = [registry];
  const held = () => host.current?.creatives;
  new Counter({
    name: 'limelight_creative_choices_total',
    help: 'Slots answered with a creative that a policy chose, of ads that still explore and of others',
    labelNames: ['state'],
    registers,
    collect() {
      this.reset();
      const { explore = 0, exploit = 0 } = held()?.chosen ?? {};
      this.inc({ state: 'explore' }, explore);
      this.inc({ state: 'exploit' }, exploit);
    },
  });
  new Gauge({
    name: 'limelight_creative_mean_propensity',
    help: 'How likely the chosen creatives were, on average since the start; 0 before the first',
    registers,
    collect() {
      const { explore = 0, exploit = 0, propensities = 0 } = held()?.chosen ?? {};
      this.set(propensities / (explore + exploit || 1));
    },
  });
  new Counter({
    name: 'limelight_creative_reopened_total',
    help: 'Times that a change has reopened the exploration of an ad since the start',
    registers,
    collect() {
      this.reset();
      this.inc(held()?.bandit.stats().reopened ?? 0);
    },
  });
  const gauges: readonly [name: string, help: string, of: (stats: BanditStats) => number][] = [
    ['exploring_ads', 'Ads whose creatives are still explored', ({ exploring }) => exploring],
    ['exited_ads', 'Ads that have left exploration and show their best creative', ({ exited }) => exited],
  ];
  for (const [name, help, of] of gauges) {
    new Gauge({
      name: `limelight_creative_${name}`,
      help,
      registers,
      collect() {
        const stats = held()?.bandit.stats();
        this.set(stats === undefined ? 0 : of(stats));
      },
    });
  }
}

type BanditStats = ReturnType<HeldCreatives['bandit']['stats']>;

/** Of an engine without an ad cache. */
const nothingKept: AdCacheStats = { hits: 0, misses: 0, entries: 0, bytes: 0, budgetBytes: 0 };

type AdCacheMetric = readonly [name: string, help: string, of: (stats: AdCacheStats) => number];

const adCacheCounters: readonly AdCacheMetric[] = [
  ['hits', 'Ads and creatives of requests that the engine knew already', ({ hits }) => hits],
  ['misses', 'Ads and creatives of requests that the engine had to compute', ({ misses }) => misses],
];

const adCacheGauges: readonly AdCacheMetric[] = [
  ['hit_ratio', 'Hits of all lookups since the model was loaded', ({ hits, misses }) => hits / (hits + misses || 1)],
  ['entries', 'Ads and creatives that the engine knows', ({ entries }) => entries],
  ['bytes', 'Memory that they take', ({ bytes }) => bytes],
  ['budget_bytes', 'Memory that they may take (--ad-cache-mb)', ({ budgetBytes }) => budgetBytes],
];
