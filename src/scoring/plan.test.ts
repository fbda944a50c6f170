import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assert } from '../core/errors.ts';
import { createRandom, type Random } from '../core/random.ts';
import { architectures } from '../model/architectures.ts';
import type { Bundle } from '../model/bundle.ts';
import { checkModel } from '../model/checkModel.ts';
import type { Step } from '../model/steps.ts';
import type { Field } from '../schema/schema.ts';
import { joinAll } from '../schema/scopes.ts';
import { expandCandidates } from './candidates.ts';
import { historyFields, randomBundle, randomInput, randomWeights, sampleFields } from './conformance/randomBundle.ts';
import { randomModel } from './conformance/randomModel.ts';
import { repeatRows } from './conformance/rows.ts';
import { variantFields, variantInput } from './conformance/variantInput.ts';
import type { Matrix } from './engines/reference/matrix.ts';
import { runPlan } from './engines/reference/runPlan.ts';
import { runSteps } from './engines/reference/runSteps.ts';
import { createPlan } from './plan.ts';
import { costOfRequest, costsByScope } from './planner/costs.ts';
import { defaultRates } from './planner/defaultRates.ts';
import { naiveCosts } from './planner/naiveCosts.ts';
import { sumOf } from './planner/parts.ts';
import { keptBytes, planCosts } from './planner/planCosts.ts';
import type { Plan, PlanOptions, PlanStep, PlanValue, Term } from './planner/planSteps.ts';
import { slicesOf } from './planner/reads.ts';
import type { ScoringInput } from './scorer.ts';

/** Rates from those of a slow machine to those of an impossible one: every rewrite is taken in some plan. */
function randomOptions(random: Random): PlanOptions {
  const rate = () => 10 ** (6 * random.next() - 2);
  return {
    rates: {
      matrixMultiplyAddsPerNs: rate(),
      vectorMultiplyAddsPerNs: rate(),
      cacheBytesPerNs: rate(),
      memoryBytesPerNs: rate(),
    },
    candidates: 1 + random.below(1000),
    variantsPerCandidate: random.next() < 0.5 ? 1 : 1 + 10 * random.next(),
    numberBytes: [1, 2, 4][random.below(3)],
    keeps: random.next() < 0.7,
    requestFields: random.next() < 0.8 ? 'request' : 'rows',
  };
}

/** One fitted schema, of which every random model takes some fields. */
const base = randomBundle({ random: createRandom(5), rowCount: 40, fields: variantFields });
const inputs = [0, 1, 3].map((rows) => randomInput(base, rows, createRandom(rows), 'request'));
const ofCandidates = [[], [1], [4], [2, 1, 3]].map((counts) => variantInput(base, counts, createRandom(counts.length)));

const oneOf = <T>(items: readonly T[], random: Random): T => items[random.below(items.length)];

function randomTyped(random: Random): Pick<Bundle, 'typed' | 'weights'> {
  const typed = checkModel(randomModel(base.typed.schema, random, random.below(13)), base.typed.schema);
  return { typed, weights: randomWeights(typed, base.fitted, random) };
}

/** The largest difference between a plan's logits and those of the model's own steps, by the largest number on the way. */
function differenceOf({ typed, weights }: Pick<Bundle, 'typed' | 'weights'>, plan: Plan, input: ScoringInput): number {
  const naive = runSteps(typed, weights, input);
  const planned = runPlan(plan, weights, input);
  let largest = 1;
  for (const { values } of naive.values()) for (const value of values) largest = Math.max(largest, Math.abs(value));
  let difference = 0;
  typed.model.tasks.forEach((task, i) => {
    task.logits.forEach((logit, j) => {
      const expected = naive.get(logit) as Matrix;
      const got = planned.get(plan.tasks[i].logits[j]) as Matrix;
      assert(got.rows === expected.rows && got.width === 1, `${logit} has ${got.rows} rows of ${got.width}`);
      for (const [row, value] of got.values.entries())
        difference = Math.max(difference, Math.abs(value - expected.values[row]));
    });
  });
  return difference / largest;
}

/** Checks what an engine relies on: every read lies within what it reads, and every value is there for a reason. */
function checkPlan({ typed, weights }: Pick<Bundle, 'typed' | 'weights'>, plan: Plan, options: PlanOptions): void {
  const made = new Map<string, PlanValue>();
  const crossed = new Set(plan.tasks.flatMap((task) => task.logits));
  const read = new Set(crossed);
  for (const step of plan.steps) {
    const { output } = step;
    const value = plan.values.get(output) as PlanValue;
    const scopes = slicesOf(step).map((slice) => {
      const source = made.get(slice.value) as PlanValue;
      assert(source !== undefined, `${output} reads ${slice.value}, which no earlier step makes`);
      const { from, width } = slice;
      assert(from >= 0 && width > 0 && from + width <= source.width, `${output} reads beyond ${slice.value}`);
      read.add(slice.value);
      if (source.scope !== value.scope) crossed.add(slice.value);
      return source.scope;
    });
    const readsFields = slicesOf(step).length === 0;
    assert(readsFields || value.scope === joinAll(scopes), `${output} has scope ${value.scope}`);
    checkShapes(step, value.width, (name) => weights.get(name)?.shape as readonly number[]);
    assert(!made.has(output), `${output} is made twice`);
    made.set(output, value);
  }
  assert(plan.values.size === made.size, 'the plan names values that it does not make');
  for (const [name, { scope, kept }] of plan.values) {
    assert(read.has(name), `nothing reads ${name}`);
    const isAds = scope === 'ad' || scope === 'creative';
    assert(kept === (isAds && options.keeps === true && crossed.has(name)), `${name} is kept: ${kept}`);
    assert(scope === 'candidate' || options.requestFields !== 'rows', `${name} has scope ${scope}`);
  }
  expect(plan.tasks.map((task) => task.name)).toEqual(typed.model.tasks.map((task) => task.name));
  for (const { logits } of plan.tasks) for (const logit of logits) assert(made.get(logit)?.width === 1, logit);
}

function checkShapes(step: PlanStep, width: number, shapeOf: (weights: string) => readonly number[]): void {
  const fits = (weight: string, firstRow: number, rows: number, units: number) => {
    const [k, n] = shapeOf(weight);
    return n === units && firstRow >= 0 && firstRow + rows <= k;
  };
  const termFits = (term: Term, units: number) =>
    term.kind === 'gatedSum' ||
    (term.kind === 'value' ? term.input.width === units : fits(term.weight, term.firstRow, term.input.width, units));
  const isRight = (): boolean => {
    switch (step.op) {
      case 'embed':
        return step.tables.every((table, i) => shapeOf(`tables/${table}`)[1] === step.sizes[i]);
      case 'embedSequence': {
        const sizes = step.tables.map((table) => shapeOf(`tables/${table}`)[1]);
        return step.sizes.every((size, i) => size === sizes[i]) && width === step.length * (sumOf(sizes) + 1);
      }
      case 'projectSequence': {
        const size = step.input.width / step.length;
        return fits(step.weight, 0, size, step.units) && width === step.length * step.units;
      }
      case 'attend':
        return (
          step.keys.width === step.length * step.query.width && step.events.width === step.length * width && width > 0
        );
      case 'pool':
        return step.input.width === step.length * width;
      case 'projectField':
        return (
          fits(step.weight, step.firstRow, step.input.width, step.units) && width === step.sizes.length * step.units
        );
      case 'affine': {
        const { terms, bias, units } = step;
        const biasFits = bias === null || shapeOf(bias)[0] === units;
        return width === units && terms.length > 0 && biasFits && terms.every((term) => termFits(term, units));
      }
      case 'add':
      case 'multiply':
      case 'multiplyAdd':
        return step.inputs.every((input) => input.width === width);
      case 'gate':
        return step.gates.width === step.sizes.length && step.input.width === width;
      default:
        return true;
    }
  };
  assert(isRight(), `${step.output} has parts of the wrong shape`);
}

describe('createPlan', () => {
  it('answers as the model’s own steps do, on a thousand random models', () => {
    const taken = new Map<string, number>();
    const count = (what: string) => taken.set(what, (taken.get(what) ?? 0) + 1);
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const random = createRandom(seed);
        const model = randomTyped(random);
        const options = randomOptions(random);
        const plan = createPlan(model.typed, options);
        checkPlan(model, plan, options);
        const once = random.next() < 0.5 ? oneOf(inputs, random) : oneOf(ofCandidates, random);
        const input =
          options.requestFields === 'rows' || random.next() < 0.2 ? repeatRows(expandCandidates(once)) : once;
        expect(differenceOf(model, plan, input)).toBeLessThan(1e-9);
        for (const step of plan.steps) {
          count(step.op);
          if (step.op === 'projectField') count(`fields of ${plan.values.get(step.output)?.scope}`);
          if (step.op !== 'affine') continue;
          for (const term of step.terms)
            if (term.kind === 'value') count(`value of ${plan.values.get(term.input.value)?.scope}`);
        }
      }),
      { numRuns: 1000 },
    );
    // A rewrite that no plan takes would pass unseen.
    const everywhere = ['request', 'ad', 'creative'].flatMap((scope) => [`fields of ${scope}`, `value of ${scope}`]);
    for (const what of [...everywhere, 'value of candidate']) expect(taken.get(what), what).toBeGreaterThan(10);
    for (const op of ['embedSequence', 'projectSequence', 'attend', 'pool'])
      expect(taken.get(op), op).toBeGreaterThan(20);
  }, 60_000);
});

describe('a plan of attention', () => {
  const { typed, weights } = randomBundle({
    random: createRandom(9),
    fields: [...sampleFields, ...historyFields],
    model: () => ({
      architecture: 'attention',
      tables: [
        { name: 'ads', vocabulary: 'adId', size: 8 },
        { name: 'gaps', vocabulary: 'recent.gap', size: 3 },
        { name: 'users', vocabulary: 'userId', size: 4 },
      ],
      steps: [
        {
          op: 'embedSequence',
          inputs: ['recent.adId', 'recent.gap'],
          tables: ['ads', 'gaps'],
          length: 6,
          output: 'recent',
        },
        { op: 'embed', inputs: ['userId'], tables: ['users'], output: 'user' },
        { op: 'embed', inputs: ['adId'], tables: ['ads'], output: 'ad' },
        { op: 'attend', inputs: ['recent', 'ad'], units: 5, weights: 'softmax', output: 'byAd' },
        { op: 'concat', inputs: ['user', 'ad'], output: 'both' },
        { op: 'attend', inputs: ['recent', 'both'], units: 6, weights: 'sigmoid', output: 'byBoth' },
        { op: 'pool', inputs: ['recent'], mode: 'last', output: 'latest' },
        {
          op: 'dense',
          inputs: ['byAd', 'byBoth', 'latest'],
          units: 1,
          activation: 'linear',
          bias: true,
          output: 'logit',
        },
      ],
      tasks: [{ name: 'click', logits: ['logit'] }],
      losses: [],
    }),
  });
  const options = { rates: defaultRates('bf16'), keeps: true };
  const plan = createPlan(typed, options);

  it('computes keys once a request, keeps the ad’s queries and adds the user’s share of others', () => {
    checkPlan({ typed, weights }, plan, options);
    const value = (name: string) => plan.values.get(name);
    expect(value('byAd.keys')).toEqual({ width: 6 * 5, scope: 'request', kept: false });
    expect(value('byAd.query')).toEqual({ width: 5, scope: 'ad', kept: true });
    expect(value('byBoth.query.request')).toEqual({ width: 6, scope: 'request', kept: false });
    expect(value('byBoth.query')).toMatchObject({ scope: 'candidate' });
    expect(value('latest')).toMatchObject({ width: 12, scope: 'request' });
  });

  it('pays a candidate for its scores and its sum alone', () => {
    const cost = planCosts(plan).find(({ output }) => output === 'byAd');
    expect(cost).toEqual({ output: 'byAd', scope: 'candidate', multiplyAdds: 6 * 5 + 6 + 6 * 12, bytes: 4 * 5 });
    const naive = naiveCosts(typed).find(({ output }) => output === 'byAd');
    expect(naive?.multiplyAdds).toBe(8 * 5 + 6 * 12 * 5 + 6 * 5 + 6 + 6 * 12);
  });
});

describe('a plan of creatives', () => {
  const dense = (output: string, inputs: string[], units: number): Step => {
    return { op: 'dense', inputs, units, activation: 'relu', bias: true, output };
  };
  const table = (name: string, vocabulary = name) => ({ name, vocabulary, size: 8 });
  const model = randomBundle({
    random: createRandom(9),
    fields: variantFields,
    model: () => ({
      architecture: 'towers',
      tables: [table('userId'), table('adId'), table('imageId'), table('match'), table('seen', 'adId')],
      steps: [
        { op: 'embed', inputs: ['userId'], tables: ['userId'], output: 'user' },
        { op: 'embed', inputs: ['adId'], tables: ['adId'], output: 'ad' },
        { op: 'embed', inputs: ['imageId'], tables: ['imageId'], output: 'image' },
        { op: 'embed', inputs: ['match'], tables: ['match'], output: 'match' },
        { op: 'embedSequence', inputs: ['recent.adId'], tables: ['seen'], length: 6, output: 'recent' },
        dense('h', ['user', 'ad'], 64),
        { op: 'stack', inputs: ['user', 'ad', 'image'], output: 'all' },
        { op: 'senet', inputs: ['all'], units: 48, activation: 'sigmoid', output: 'gates' },
        { op: 'gate', inputs: ['all', 'gates'], output: 'gated' },
        { op: 'concat', inputs: ['h', 'image', 'match'], output: 'x' },
        { op: 'cross', inputs: ['x', 'x'], rank: null, output: 'crossed' },
        { op: 'attend', inputs: ['recent', 'x'], units: 16, weights: 'softmax', output: 'attended' },
        dense('right', ['x', 'gated', 'attended', 'crossed'], 32),
        { op: 'sum', inputs: ['right', 'h', 'image'], bias: true, output: 'logit' },
      ],
      tasks: [{ name: 'click', logits: ['logit'] }],
      losses: [],
    }),
  });
  const planFor = (variantsPerCandidate: number, rates = defaultRates('fp32')) => {
    const options = { rates, variantsPerCandidate, keeps: true };
    const plan = createPlan(model.typed, options);
    checkPlan(model, plan, options);
    return plan;
  };
  const scopesOf = (plan: Plan, output: string) => {
    const step = plan.steps.find((each) => each.output === output) as PlanStep;
    return slicesOf(step).map(({ value }) => plan.values.get(value)?.scope);
  };

  it('multiplies what knows no creative once a candidate: for a layer, a cross layer and a query', () => {
    const plan = planFor(5);
    for (const output of ['right', 'crossed.w', 'attended.query']) {
      expect(plan.values.get(output)?.scope).toBe('variant');
      expect(plan.values.get(`${output}.candidate`)?.scope).toBe('candidate');
      expect(scopesOf(plan, output)).toContain('candidate');
      const wide = plan.steps.flatMap((step) => (step.output === output && step.op === 'affine' ? step.terms : []));
      for (const term of wide)
        if (term.kind === 'product') expect(plan.values.get(term.input.value)?.scope).not.toBe('candidate');
    }
    expect(plan.values.get('logit.candidate')).toMatchObject({ width: 1, scope: 'candidate' });
    expect(plan.values.get('h')?.scope).toBe('candidate');
  });

  it('computes the gates’ means at their scopes, and gates of creatives for each', () => {
    const plan = planFor(5);
    expect(['request', 'ad', 'creative'].map((scope) => plan.values.get(`gates.means.${scope}`)?.scope)).toEqual([
      'request',
      'ad',
      'creative',
    ]);
    expect(plan.values.get('gates')?.scope).toBe('variant');
  });

  it('leaves each layer whole where a candidate has one creative', () => {
    const names = [...planFor(1).values.keys()];
    expect(names.filter((name) => name.endsWith('.candidate'))).toEqual([]);
  });

  it('costs the less, the more creatives a candidate has', () => {
    const cost = (planned: number) =>
      costOfRequest(planCosts(planFor(planned)), { candidates: 500, variantsPerCandidate: 5, adsKept: true });
    expect(cost(5).multiplyAdds).toBeLessThan(0.6 * cost(1).multiplyAdds);
    // Values of a candidate alone cost no more for having more creatives.
    const costs = planCosts(planFor(5));
    const at = (variantsPerCandidate: number) =>
      costOfRequest(costs, { candidates: 500, variantsPerCandidate, adsKept: true }).multiplyAdds;
    expect(at(2) - at(1)).toBe(500 * (costsByScope(costs).get('variant')?.multiplyAdds ?? 0));
  });
});

describe('a plan of sums of sums', () => {
  it('takes them apart only so far', () => {
    const sum = (output: string, inputs: string[]): Step => ({ op: 'sum', inputs, bias: false, output });
    const steps: Step[] = [{ op: 'input', inputs: ['visits', 'budget'], output: 'x' }, sum('sum0', ['x'])];
    for (let i = 1; i <= 40; i++) steps.push(sum(`sum${i}`, [`sum${i - 1}`, `sum${i - 1}`]));
    const tasks = [{ name: 'click', logits: ['sum40'] }];
    const typed = checkModel({ architecture: 'sums', tables: [], steps, tasks, losses: [] }, base.typed.schema);
    const plan = createPlan(typed, { rates: defaultRates('fp32') });
    expect(plan.steps.length).toBeLessThan(60);
    expect(differenceOf({ typed, weights: new Map() }, plan, inputs[2])).toBeLessThan(1e-12);
  });
});

describe.each(architectures.map(({ name }) => name))('a plan of %s', (architecture) => {
  const options: Record<string, unknown> = {
    'senet-dnn': { hidden: [17, 8], crossLayers: 2, crossRank: 5, innerUnits: 3, dropout: 0.2 },
    'dcn-v2': { hidden: [9], crossLayers: 3, crossRank: null },
    'deep-fm': { hidden: [16, 3], embeddingSize: 5 },
  };
  const bundle = randomBundle({ random: createRandom(7), architecture, options: options[architecture] });

  it.each(['request', 'rows'] as const)(
    'answers as its steps do, fields of the request given as %s',
    (requestFields) => {
      const planOptions = { rates: defaultRates('bf16'), numberBytes: 2, keeps: true, requestFields };
      const plan = createPlan(bundle.typed, planOptions);
      checkPlan(bundle, plan, planOptions);
      const once = randomInput(bundle, 40, createRandom(3), 'request');
      expect(differenceOf(bundle, plan, requestFields === 'rows' ? repeatRows(once) : once)).toBeLessThan(1e-12);
    },
  );
});

const field = (name: string, scope: 'request' | 'ad'): Field => ({ name, kind: 'id', scope, size: 16 });
const many = (count: number, scope: 'request' | 'ad') =>
  Array.from({ length: count }, (_, i) => field(i === 0 && scope === 'request' ? 'userId' : `${scope}${i}`, scope));

/** 20 user and 12 ad fields × 16, 512-256-128, two heads. */
function referenceShape(architecture = 'senet-dnn'): Bundle {
  const fields = [...many(20, 'request'), ...many(12, 'ad')];
  return randomBundle({
    random: createRandom(1),
    architecture,
    options: architecture === 'fm' ? {} : { hidden: [512, 256, 128] },
    fields,
    rowCount: 20,
  });
}

const tiles = { matrixMultiplyAddsPerNs: 700, vectorMultiplyAddsPerNs: 12, cacheBytesPerNs: 50, memoryBytesPerNs: 10 };
const avx2 = { matrixMultiplyAddsPerNs: 57, vectorMultiplyAddsPerNs: 12, cacheBytesPerNs: 50, memoryBytesPerNs: 10 };
const stepOf = (plan: Plan, output: string) => plan.steps.find((step) => step.output === output);
const kept = (plan: Plan) => [...plan.values].flatMap(([name, value]) => (value.kept ? [name] : []));

describe('a plan of SENet-DNN', () => {
  const { typed } = referenceShape();
  const product = { kind: 'product', weight: 'hidden.0.w' };
  const ofRequest = {
    kind: 'gatedSum',
    gates: { value: 'gates', from: 0, width: 20 },
    fields: 'hidden.0.fields.request',
  };

  it('on fast matrix units gates projected user fields, and ad fields before their product', () => {
    const plan = createPlan(typed, { rates: tiles, numberBytes: 2 });
    expect(stepOf(plan, 'hidden.0')).toEqual({
      op: 'affine',
      terms: [ofRequest, { ...product, input: { value: 'gated.ad', from: 0, width: 192 }, firstRow: 320 }],
      bias: 'hidden.0.b',
      units: 512,
      activation: 'relu',
      output: 'hidden.0',
    });
    expect(plan.values.get('hidden.0.fields.request')).toEqual({ width: 20 * 512, scope: 'request', kept: false });
    expect(kept(plan)).toEqual(['embeddings.ad', 'gates.hidden.ad']);
    expect(keptBytes(plan)).toEqual({ ad: (192 + 11) * 4, creative: 0 });
  });

  it('takes two thirds of the model’s multiply-adds', () => {
    const plan = planCosts(createPlan(typed, { rates: tiles, numberBytes: 2 }));
    const perCandidate = 2 * 11 + 11 * 32 + 192 + (20 + 192) * 512 + 512 * 256 + 256 * 128 + 2 * 128;
    const perRequest = 320 + 20 * 11 + 320 * 512;
    expect(costOfRequest(plan, { candidates: 500, adsKept: true }).multiplyAdds).toBe(perRequest + 500 * perCandidate);
    expect((perRequest + 500 * perCandidate) / 1e6).toBeCloseTo(136.8, 1);
    expect(costOfRequest(naiveCosts(typed), { candidates: 500, adsKept: false }).multiplyAdds / 1e6).toBeCloseTo(
      214,
      0,
    );
  });

  it('on slow ones with fast memory keeps the ads’ projections, unless nothing is kept or a record would be too large', () => {
    const rates = { ...avx2, vectorMultiplyAddsPerNs: 30, memoryBytesPerNs: 25 };
    const terms = (options: Partial<PlanOptions>) => {
      const step = stepOf(createPlan(typed, { rates, ...options }), 'hidden.0');
      return step?.op === 'affine'
        ? step.terms.map((term) => (term.kind === 'gatedSum' ? term.fields : term.kind))
        : [];
    };
    expect(terms({})).toEqual(['hidden.0.fields.request', 'hidden.0.fields.ad']);
    expect(terms({ rates: { ...rates, memoryBytesPerNs: 5 } })).toEqual(['hidden.0.fields.request', 'product']);
    expect(terms({ keeps: false })).toEqual(['hidden.0.fields.request', 'product']);
    expect(terms({ recordBytesMax: 24_000 })).toEqual(['hidden.0.fields.request', 'product']);
  });

  it('leaves the steps as they are where a request’s fields may differ by row', () => {
    const plan = createPlan(typed, { rates: tiles, requestFields: 'rows' });
    expect(stepOf(plan, 'hidden.0')).toMatchObject({
      terms: [
        { ...product, input: { width: 320 }, firstRow: 0 },
        { ...product, input: { width: 192 }, firstRow: 320 },
      ],
    });
    expect(new Set([...plan.values.values()].map(({ scope }) => scope))).toEqual(new Set(['candidate']));
  });
});

describe('a plan of layers over several scopes', () => {
  const { typed } = referenceShape('deep-fm');
  const terms = (options: PlanOptions) => {
    const step = stepOf(createPlan(typed, options), 'hidden.0');
    return step?.op === 'affine' ? step.terms.map((term) => (term.kind === 'gatedSum' ? '' : term.input.value)) : [];
  };

  it('multiplies the user’s half once, and the ad’s half where that beats reading its product', () => {
    expect(terms({ rates: tiles, numberBytes: 2 })).toEqual(['embeddings.ad', 'hidden.0.request']);
    expect(terms({ rates: avx2 })).toEqual(['hidden.0.request', 'hidden.0.ad']);
    expect(terms({ rates: avx2, keeps: false })).toEqual(['embeddings.ad', 'hidden.0.request']);
  });

  it('keeps of an ad no more than the sum of its pairs and the sum of its fields for a factorisation machine', () => {
    const plan = createPlan(referenceShape('fm').typed, { rates: tiles });
    expect(kept(plan)).toEqual(
      ['click', 'conversion'].flatMap((label) => [`${label}.fm.total.ad`, `${label}.logit.ad`]),
    );
    expect(stepOf(plan, 'click.fm.across')).toMatchObject({ input: { width: 32 }, fieldCount: 2 });
    expect(stepOf(plan, 'click.logit.ad')).toMatchObject({
      inputs: [{ value: 'click.linear.ad' }, { value: 'click.fm.ad' }],
    });
    expect(costsByScope(planCosts(plan)).get('candidate')).toEqual({
      multiplyAdds: 2 * (5 * 16 + 3),
      bytes: 2 * (64 + 128 + 8),
    });
  });

  it('keeps one number of an ad for a linear model', () => {
    const plan = createPlan(randomBundle({ random: createRandom(1), architecture: 'lr' }).typed, { rates: tiles });
    expect(kept(plan).filter((name) => name.startsWith('click.') && plan.values.get(name)?.scope === 'ad')).toEqual([
      'click.logit.ad',
    ]);
    expect(plan.values.get('click.logit.ad')?.width).toBe(1);
  });
});
