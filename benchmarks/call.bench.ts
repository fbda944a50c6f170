import { buildModel } from '../src/model/architectures.ts';
import type { Fitted } from '../src/schema/fitted.ts';
import type { Schema } from '../src/schema/schema.ts';
import type { Scorer, ScoringInput } from '../src/scoring/scorer.ts';
import { contestantsOf, loadContestant } from './serving/contestants.ts';
import { Latency } from './serving/latency.ts';
import { benchSize, describeSize, smallSize } from './serving/market.ts';
import { type ServedQuality, servedQuality } from './serving/quality.ts';
import { RequestStream } from './serving/requests.ts';
import { type TrainedMarket, trainedMarket } from './serving/trained.ts';
import { untrainedBundle } from './serving/untrained.ts';
import type { Topic, TopicResult } from './topic.ts';

const seed = 31;

/** What a call costs beside the work it asks for, and whether calls leave anything behind. */
export const call: Topic = {
  name: 'call',
  summary: 'the cost of a call: a 1 × 1 plan, one candidate, and memory over a million requests',
  async run(options) {
    const { small, log } = options;
    const size = small ? smallSize : benchSize;
    const trained = await trainedMarket(size, log);
    const tiny = oneByOne();
    const rows: TopicResult['rows'][number][] = [];
    const notes: string[] = [];
    for (const contestant of contestantsOf(options)) {
      const onTiny = await loadContestant(tiny.bundle, contestant, 0);
      // Too small, so that the million keep throwing ads out.
      const onBench = await loadContestant(trained.bundle, contestant, small ? 0.01 : 16);
      if ('missing' in onTiny) notes.push(`1 × 1: ${onTiny.missing}`);
      else
        rows.push({
          engine: onTiny.scorer.engine,
          case: '1 × 1 plan',
          ...timesOf(onTiny.scorer, () => tiny.input, 100, small),
        });
      if ('missing' in onBench) notes.push(onBench.missing);
      else {
        const { scorer } = onBench;
        const quality = qualityColumns(servedQuality(trained, scorer, small ? 20 : 400));
        const stream = new RequestStream(trained, seed);
        const times = timesOf(scorer, () => stream.next(1).input, 1, small);
        rows.push({ engine: scorer.engine, case: 'one candidate', ...times, ...quality });
        log(`${scorer.engine}: one candidate in ${times['p50 µs']} µs; requests for memory`);
        rows.push({ engine: scorer.engine, ...memoryOf(scorer, trained, small), ...quality });
        scorer.dispose();
      }
      if (!('missing' in onTiny)) onTiny.scorer.dispose();
    }
    return {
      setting: `scoring calls in process; one candidate of ${describeSize(size)}, a new user and ad each call`,
      seed,
      rows,
      notes: [
        ...notes,
        'a call of the 1 × 1 plan is timed a hundred at a time',
        'memory is of the whole process; before: after the first tenth of the requests',
      ],
    };
  },
};

/** One number, times a weight. */
function oneByOne() {
  const schema: Schema = {
    name: 'one',
    labels: [{ name: 'click', column: 'click' }],
    fields: [{ name: 'x', kind: 'vector', length: 1, scope: 'ad' }],
  };
  const fitted: Fitted = {
    vocabularies: new Map(),
    numbers: new Map(),
    vectors: new Map(),
    columnTypes: new Map([['x', 'list of number']]),
  };
  const bundle = untrainedBundle(buildModel('lr', schema, {}), fitted);
  const input: ScoringInput = {
    rowCount: 1,
    fields: new Map([['x', { kind: 'dense', width: 1, values: Float32Array.of(0.5) }]]),
  };
  return { bundle, input };
}

/** @param calls of one input that are timed together: a clock's own time is not theirs */
function timesOf(scorer: Scorer, next: () => ScoringInput, calls: number, small: boolean) {
  const latency = new Latency();
  const wanted = small ? 20 : scorer.engine.startsWith('native') ? 20_000 : 2_000;
  for (let i = -wanted / 5; i < wanted; i++) {
    const input = next();
    const run = () => {
      for (let k = 0; k < calls; k++) scorer.score(input);
    };
    if (i < 0) run();
    else latency.time(run);
  }
  const us = (percentile: number) => {
    const value = latency.us(percentile);
    return value === null ? null : Number((value / calls).toPrecision(4));
  };
  return { 'p50 µs': us(50), 'p99 µs': us(99), calls: latency.count * calls };
}

function memoryOf(scorer: Scorer, trained: TrainedMarket, small: boolean) {
  const requests = small ? 500 : scorer.engine.startsWith('native') ? 1_000_000 : 10_000;
  const stream = new RequestStream(trained, seed + 1);
  const rssMiB = () => process.memoryUsage().rss / 2 ** 20;
  let before = 0;
  for (let i = 0; i < requests; i++) {
    if (i === Math.floor(requests / 10)) before = rssMiB();
    scorer.score(stream.next(1).input);
  }
  const after = rssMiB();
  return {
    case: `${requests.toLocaleString('en')} requests`,
    calls: requests,
    'MiB before': Math.round(before),
    'MiB after': Math.round(after),
  };
}

function qualityColumns({ auc, logLoss }: ServedQuality) {
  return { AUC: Number(auc.toFixed(5)), 'log loss': Number(logLoss.toFixed(5)) };
}
