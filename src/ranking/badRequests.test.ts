import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '../core/errors.ts';
import { createReferenceScorer } from '../scoring/engines/reference/scorer.ts';
import { createRanker, type Ranker } from './ranker.ts';
import { type SampleMarket, sampleColumns, sampleMarket, sampleRows } from './sampleMarket.ts';

let market: SampleMarket;
let ranker: Ranker;
let withCatalog: Ranker;
let request: Record<string, unknown>;
let row: Record<string, unknown>;

beforeAll(async () => {
  market = await sampleMarket({ seed: 4 });
  const scorer = createReferenceScorer(market.bundle);
  ranker = createRanker(market.bundle, scorer, { maxCandidates: 50 });
  withCatalog = createRanker(market.bundle, scorer, { catalog: market.catalog });
  request = { user: market.user, context: market.context, slots: 2, candidates: sampleRows(market, true) };
  [row] = sampleRows(market, true);
});

function refusal(served: Ranker, json: unknown): UserError {
  try {
    served.rank(json);
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
  throw new Error('it was answered');
}

const message = (json: unknown, served = ranker) => refusal(served, json).message;

describe('a request of the wrong shape', () => {
  it.each<[unknown, RegExp]>([
    [null, /request: expected a JSON object with slots and candidates, got null/],
    [[], /expected a JSON object with slots and candidates, got \[\]/],
    ['x', /got "x"/],
    [{}, /request: the body lacks 'slots', 'candidates'|lacks 'slots' and 'candidates'/],
  ])('%j is refused', (json, expected) => {
    expect(message(json)).toMatch(expected);
  });

  it.each<[string, unknown, RegExp]>([
    ['candidtes', [], /unknown 'candidtes'/],
    ['slots', 0, /slots is 0; expected how many/],
    ['slots', 1.5, /slots is 1.5/],
    ['slots', '3', /slots is "3"/],
    ['slots', [], /slots is \[\]/],
    ['slots', [null], /slots\[0\] is null/],
    ['slots', [{ position: 0 }], /slots\[0\] is \{"position":0\}/],
    ['slots', [{ position: 2 }, {}], /slots name a position twice \(2, 2\)/],
    ['candidates', 'all', /candidates is "all"; expected an array of rows or ad ids/],
    ['candidates', null, /candidates is null/],
    ['user', [], /user must be object/],
    ['user', 'u7', /user must be object, got "u7"/],
    ['explain', 'yes', /explain must be boolean, got "yes"/],
    ['reserveEcpmMicros', -1, /reserveEcpmMicros must be >= 0, got -1/],
    ['reserveEcpmMicros', 0.5, /reserveEcpmMicros must be integer, got 0.5/],
    ['requestId', {}, /requestId/],
  ])('%s = %j is refused', (key, value, expected) => {
    expect(message({ ...request, [key]: value })).toMatch(expected);
  });
});

describe('a wrong user or context', () => {
  it('is told every field it lacks, with its type', () => {
    const { userId: _, age: __, ...user } = market.user;
    expect(message({ ...request, user })).toMatch(
      /user and context lack field 'userId' \(integer\), 'age' \(number\);/,
    );
    expect(message({ ...request, context: undefined })).toMatch(/lack field 'hour' \(integer\)/);
  });

  it('is told the name it may have meant, or where the field belongs', () => {
    expect(message({ ...request, user: { ...market.user, vists: 3 } })).toMatch(
      /user: unknown field 'vists'; did you mean 'visits'\?/,
    );
    expect(message({ ...request, context: { ...market.context, zzzzzz: 3 } })).toMatch(
      /context: unknown field 'zzzzzz'; it knows userId, user_id, clickedAds/,
    );
    expect(message({ ...request, user: { ...market.user, topic: 3 } })).toMatch(
      /user: 'topic' is a field of the candidates; send it there/,
    );
    expect(message({ ...request, context: { ...market.context, age: 3 } })).toMatch(
      /'age' is in both user and context/,
    );
  });

  it.each<[string, unknown, RegExp]>([
    ['userId', 'abc', /request: field 'userId': expected integer, got "abc"; send the type the model was trained with/],
    ['userId', 1.5, /field 'userId': expected integer, got 1.5/],
    ['userId', 2 ** 53, /field 'userId': expected integer, got 9007199254740992/],
    ['userId', { id: 1 }, /field 'userId': expected integer, got \{"id":1\}/],
    ['age', '41', /field 'age': expected number, got "41"/],
    ['clickedAds', 3, /field 'clickedAds': expected list of integer, got 3/],
    ['clickedAds', [3, 'x'], /field 'clickedAds', item 1: expected integer, got "x"/],
  ])('%s = %j is refused', (name, value, expected) => {
    expect(message({ ...request, user: { ...market.user, [name]: value } })).toMatch(expected);
  });

  it('knows no field by a name that every object has', () => {
    const user = JSON.parse(`{"__proto__": {"age": 3}}`);
    expect(message({ ...request, user: Object.assign(user, market.user) })).toMatch(/unknown field '__proto__'/);
    expect(message({ ...request, user: { ...market.user, constructor: 1 } })).toMatch(/unknown field 'constructor'/);
    expect(({} as Record<string, unknown>).age).toBeUndefined();
  });
});

describe('wrong candidates', () => {
  const withRow = (change: Record<string, unknown>) => ({ ...request, candidates: [row, { ...row, ...change }] });

  it('are refused if there are none or too many, and the limit can be changed', () => {
    for (const candidates of [[], { adId: [] }])
      expect(message({ ...request, candidates })).toMatch(/candidates: expected at least 1, got 0/);
    const many = new Array(51).fill(row);
    const error = refusal(ranker, { ...request, candidates: many });
    expect(error.message).toMatch(/candidates: expected at most 50, got 51; send fewer.*--max-candidates/);
    expect(error.kind).toBe('tooLarge');
    const columns = Object.fromEntries(Object.keys(row).map((name) => [name, new Array(100_001).fill(row[name])]));
    expect(message({ ...request, candidates: columns }, withCatalog)).toMatch(/expected at most 100000, got 100001/);
    expect(ranker.rank({ ...request, candidates: many.slice(1) }).candidateCount).toBe(50);
  });

  it.each<[string, unknown, RegExp]>([
    ['adId', null, /candidates, item 1: adId is null; expected a whole number or a text/],
    ['adId', 1.5, /adId is 1.5/],
    ['adId', '', /adId is ""/],
    ['adId', 2 ** 60, /adId is 1152921504606847000; .* beyond 2\^53 as text/],
    ['adId', undefined, /candidates, item 1: adId is nothing/],
    ['bidType', 'CPC', /candidates, item 1 \(ad 1\): bidType is "CPC"; expected one of cpm, cpc, cpe, cpa, ocpm/],
    ['bidType', undefined, /candidates, item 1 \(ad 1\): lacks 'bidType'; send it, or load a catalog/],
    ['bidType', null, /lacks 'bidType'/],
    [
      'bidMicros',
      -5,
      /candidates, item 1 \(ad 1\): bidMicros is -5; expected a whole number of micros from 0 to 2\^53/,
    ],
    ['bidMicros', 0.5, /bidMicros is 0.5/],
    ['bidMicros', '12', /bidMicros is "12"/],
    ['bidMicros', undefined, /lacks 'bidMicros'/],
    ['bidMicros', 1e300, /bidMicros is 1e\+300/],
    ['topic_code', 'news', /candidates: field 'topic', item 1: expected integer, got "news"/],
    ['topic_code', undefined, /candidates, item 1 \(ad 1\): lacks field 'topic' \(integer\); send it, null where/],
    ['keywords', 'word', /candidates: field 'keywords', item 1: expected list of text, got "word"/],
    ['image', [1, 2], /field 'image', list of number: expected 3 numbers a row, got 2 in row 1/],
    ['image', [1, 2, null], /field 'image'.*got NaN in row 1/],
    ['distance', 'far', /field 'distance', item 1: expected number, got "far"/],
    ['age', 30, /candidates, item 1: 'age' is a field of user or context; send it there/],
    ['tpoic', 1, /candidates, item 1: unknown field 'tpoic'; did you mean 'topic'\?/],
  ])('%s = %j is refused', (name, value, expected) => {
    expect(message(withRow({ [name]: value }))).toMatch(expected);
  });

  it.each<[unknown, RegExp]>([
    [null, /candidates, item 1: expected an object or an ad id, got null/],
    [[1], /expected an object or an ad id, got \[1\]/],
    [true, /expected an object or an ad id, got true/],
    [7, /candidates, item 1 \(ad 7\): lacks 'bidType'; send it, or load a catalog/],
  ])('the row %j is refused', (other, expected) => {
    expect(message({ ...request, candidates: [row, other] })).toMatch(expected);
  });

  it.each<[string, unknown, RegExp]>([
    ['bidMicros', [1], /candidates: 'bidMicros' has 1 values but 'adId' has 40; send one a candidate/],
    ['keywords', 'word', /candidates: 'keywords' is "word"; expected an array of 40 values/],
    ['adId', 7, /candidates: 'adId' is 7; expected an array of ad ids/],
    ['adIdd', [], /candidates: unknown field 'adIdd'; did you mean 'adId'\?/],
    ['bidType', 'free', /candidates, item 0 \(ad 1\): bidType is "free"/],
    ['topic_code', new Array(40).fill(1.5), /field 'topic', item 0: expected integer, got 1.5/],
  ])('the column %s = %j is refused', (name, value, expected) => {
    expect(message({ ...request, candidates: { ...sampleColumns(market, true), [name]: value } })).toMatch(expected);
  });

  it('take one bid type or bid for all in columns', () => {
    const columns = sampleColumns(market, true);
    const candidates = { ...columns, bidType: 'cpm', bidMicros: 12 };
    for (const { bidType, bidMicros } of ranker.rank({ ...request, candidates }).slots)
      expect([bidType, bidMicros]).toEqual(['cpm', 12]);
  });

  it('are refused where the catalog lacks the ad, named by its id', () => {
    expect(message({ ...request, candidates: [3, 777] }, withCatalog)).toMatch(
      /candidates, item 1 \(ad 777\): lacks 'bidType'; the catalog has no such ad: correct the id/,
    );
    const stranger = { adId: 777, bidType: 'cpm', bidMicros: 5, distance: 1, topic: 3 };
    expect(message({ ...request, candidates: [stranger] }, withCatalog)).toMatch(
      /candidates, item 0 \(ad 777\): lacks field 'adId'|lacks field 'keywords' \(list of text\) and is not in the catalog/,
    );
    expect(message({ ...request, candidates: ['shoes'] }, withCatalog)).toMatch(
      /candidates, item 0: ad id "shoes": expected a whole number/,
    );
  });

  it('leave the ranker as it was', () => {
    const before = ranker.rank(request);
    expect(() => ranker.rank(withRow({ image: [1, 2] }))).toThrow(UserError);
    expect(ranker.rank(request)).toEqual(before);
  });
});

describe('whatever is sent', () => {
  it('is answered or refused with a sentence: no JSON value anywhere in a request is our own mistake', () => {
    const anything = fc.oneof(
      { depthIdentifier: 'small' },
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom(0, -1, 1e300),
    );
    const columns = sampleColumns(market, true);
    const places = fc.oneof(
      fc.record({ side: fc.constant('body'), name: fc.constantFrom(...Object.keys(request), 'explain', 'requestId') }),
      fc.record({
        side: fc.constantFrom('user', 'row'),
        name: fc.constantFrom(...Object.keys({ ...market.user, ...row })),
      }),
      fc.record({ side: fc.constant('columns'), name: fc.constantFrom(...Object.keys(columns)) }),
    );
    fc.assert(
      fc.property(places, anything, fc.boolean(), ({ side, name }, value, inCatalog) => {
        const changed = {
          body: { ...request, [name]: value },
          user: { ...request, user: { ...market.user, [name]: value } },
          row: { ...request, candidates: [row, { ...row, [name]: value }] },
          columns: { ...request, candidates: { ...columns, [name]: value } },
        }[side];
        try {
          JSON.stringify((inCatalog ? withCatalog : ranker).rank(changed));
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
          expect((error as UserError).message).toMatch(/^(request|candidates|user|context|schema)\b/);
        }
      }),
      { numRuns: 500 },
    );
  });
});
