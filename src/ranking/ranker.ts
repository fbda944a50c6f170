import { eCpmInto, eventsPerMilleInto, scoreInto } from '../auction/eCpm.ts';
import { secondPricesInto } from '../auction/pricing.ts';
import { chooseTop } from '../auction/slots.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { Creatives } from '../catalog/creatives.ts';
import { type EncodedCatalog, encodeCatalog } from '../catalog/encodeCatalog.ts';
import { assert, UserError } from '../core/errors.ts';
import type { Random } from '../core/random.ts';
import type { History } from '../history/history.ts';
import type { Bundle } from '../model/bundle.ts';
import { createEncoder, type Encoder } from '../schema/encoder.ts';
import { scoreInBlocks } from '../scoring/scoreInBlocks.ts';
import type { Scorer } from '../scoring/scorer.ts';
import { answerOf, type RankAnswer } from './answer.ts';
import { readBody } from './body.ts';
import { type Candidates, readCandidates } from './candidates.ts';
import { CreativeChoice, type ServedBandit } from './creativeChoice.ts';
import { RequestEncoder } from './encodeRequest.ts';
import { EventReader } from './eventRows.ts';
import { type FieldPlan, planFields } from './fieldPlan.ts';
import { createPast } from './past.ts';
import { CandidateProbabilities } from './probabilities.ts';
import { excludeRepeats, RepeatedAds } from './repeatedAds.ts';

export const defaultMaxCandidates = 100_000;

export interface RankerOptions {
  /** The ads that a request may name by their id alone. */
  readonly catalog?: Catalog;
  /** The creatives of the catalog's ads, one of which is chosen for each candidate. */
  readonly creatives?: Creatives;
  /** Chooses them, with `creativeArms(catalog, creatives)` as its arms; the model alone where absent. It learns elsewhere. */
  readonly bandit?: ServedBandit;
  /** A request with more is refused. */
  readonly maxCandidates?: number;
  /** What sequences and counters are read from, made or loaded with the plan of the model's schema, and not changed; where absent, nothing ever happened. */
  readonly history?: History;
}

/** Ranks requests with one model; not to be entered twice at a time, since its buffers are reused. */
export interface Ranker {
  readonly bundle: Bundle;
  readonly scorer: Scorer;
  readonly catalog?: Catalog;
  readonly creatives?: Creatives;
  /** What a request must send, and where. */
  readonly plan: FieldPlan;
  /** Reads events for the history of the model's schema, where that has any, and for a record of creatives. */
  readonly events?: EventReader;
  /**
   * One request end to end: read, encode, score, calibrate, choose creatives, value by eCPM, choose slots and price them. An ad whose
   * creative a bandit draws is valued by its expectation over the draw, which so decides nothing but which creative is shown.
   *
   * @param request a `RankRequest` as JSON has it, unchecked
   * @param nowMs   when it is, ms since 1970: history must have been advanced to it; its watermark where absent. A function is called
   *                once nothing is wrong with the request, so that it may advance what is held and a request that is refused does not
   * @param random  what a bandit draws from
   * @throws UserError for anything wrong in it
   */
  rank(request: unknown, nowMs?: number | (() => number), random?: Random): RankAnswer;
}

/** @throws UserError if the catalog lacks a column that the model needs, or the history is of other sequences and counters */
export function createRanker(bundle: Bundle, scorer: Scorer, options: RankerOptions = {}): Ranker {
  const { catalog, creatives, bandit, maxCandidates = defaultMaxCandidates } = options;
  const { typed, fitted, manifest } = bundle;
  const plan = planFields(typed, fitted, creatives !== undefined);
  const encoder = createEncoder(typed.schema, fitted);
  const encodedCatalog = catalog && encodeFor(catalog, plan, encoder, creatives);
  const chooser = creatives && new CreativeChoice(creatives, plan, typed.schema, bandit);
  assert(creatives === undefined || catalog !== undefined, 'creatives are of a catalog');
  const past = createPast(
    bundle,
    plan,
    encoder,
    options,
    encodedCatalog && { ...encodedCatalog, creativeAds: creatives?.rows.map((row) => creatives.ads[row]) },
  );
  const requests = new RequestEncoder(plan, encoder, encodedCatalog, past?.fields);
  const probabilities = new CandidateProbabilities(manifest, typed.model.tasks);
  const auction = new AuctionBuffers();
  const repeated = new RepeatedAds();
  const rules = { catalog, most: maxCandidates, names: plan.candidateNames, requestNames: plan.requestNames };
  return {
    bundle,
    scorer,
    catalog,
    creatives,
    plan,
    events: past?.events ?? (creatives && new EventReader(undefined, plan, typed.schema, fitted, options)),
    rank(request, time, random) {
      const body = readBody(request);
      const candidates = readCandidates(body.candidates, rules);
      probabilities.check(candidates);
      const variants = chooser?.find(candidates);
      const scored = chooser?.ofModel ? variants : undefined;
      const input = requests.encode(body, candidates, scored);
      if (past === undefined && body.history !== undefined)
        throw new UserError('request: has a history, but the model takes none; leave it out');
      const told = past?.told(body);
      const timeMs = typeof time === 'function' ? time() : time;
      if (past !== undefined) {
        const nowMs = timeMs ?? Math.max(0, past.history.watermarkMs);
        requests.encodeHistory(past.at(nowMs, told), candidates, scored, nowMs);
      }
      const scores = scoreInBlocks(scorer, input);
      const choice = chooser && variants && chooser.choose(variants, scored && scores, probabilities, body, random);
      if (scored && choice?.shares) probabilities.updateMeans(scores, candidates, scored.offsets, choice.shares);
      else probabilities.update(scores, candidates.count, scored && choice?.variants);
      const firsts = repeated.firstsOf(candidates);
      const outcome = auction.run(candidates, probabilities, body.slotCount, body.reserveEcpmMicros, firsts);
      return answerOf({ manifest, body, candidates, catalog, creatives, choice, scores, probabilities, ...outcome });
    },
  };
}

function encodeFor(
  catalog: Catalog,
  { candidate, crosses }: FieldPlan,
  encoder: Encoder,
  creatives?: Creatives,
): EncodedCatalog {
  const needed = [...candidate.filter(({ required }) => required).map(({ field }) => field), ...crosses];
  const keys = candidate.filter(({ isKey }) => isKey).map(({ field }) => field);
  return encodeCatalog(catalog, encoder, needed, { keyFields: keys, creatives });
}

/** Runs auctions in columns that are reused. */
class AuctionBuffers {
  private room = 0;
  private bufferOf = () => new Float64Array(this.room);
  private eventsPerMille = this.bufferOf();
  private eCpmMicros = this.bufferOf();
  private quality = this.bufferOf();
  private scores = this.bufferOf();
  private prices = this.bufferOf();
  private order = new Int32Array(0);

  run(candidates: Candidates, p: CandidateProbabilities, slotCount: number, reserve: number, firsts?: Int32Array) {
    const { count, types, bidMicros } = candidates;
    this.grow(count);
    const { eventsPerMille, eCpmMicros, quality, scores, order, prices } = this;
    eventsPerMilleInto(types, p, count, eventsPerMille);
    eCpmInto(bidMicros, eventsPerMille, count, eCpmMicros);
    scoreInto(eCpmMicros, quality, count, scores);
    if (firsts !== undefined) excludeRepeats(firsts, scores);
    let eligibleCount = 0;
    for (let i = 0; i < count; i++) if (scores[i] >= reserve) eligibleCount++;
    // One more than there are slots: it sets the last slot's price.
    const ordered = chooseTop(scores, count, Math.min(slotCount + 1, count), reserve, order);
    const chosen = Math.min(ordered, slotCount);
    const columns = { types, bidMicros, eventsPerMille, quality, scores };
    secondPricesInto(order, chosen, ordered, columns, reserve, prices);
    return { columns, eCpmMicros, order, ordered, chosen, prices, eligibleCount };
  }

  private grow(count: number): void {
    if (count <= this.room) return;
    this.room = Math.ceil(count * 1.5);
    this.eventsPerMille = this.bufferOf();
    this.eCpmMicros = this.bufferOf();
    // Until ads have a quality score, all have the same.
    this.quality = this.bufferOf().fill(1);
    this.scores = this.bufferOf();
    this.prices = this.bufferOf();
    this.order = new Int32Array(this.room);
  }
}
