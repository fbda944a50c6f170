import { type AdEvent, chargeEvents, optimisedEvents } from '../auction/events.ts';
import type { AuctionColumns } from '../auction/pricing.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { Creatives } from '../catalog/creatives.ts';
import { type BidType, bidTypes } from '../core/bids.ts';
import type { Manifest } from '../model/bundle.ts';
import type { Scores } from '../scoring/scorer.ts';
import type { RankBody } from './body.ts';
import type { Candidates } from './candidates.ts';
import type { ChosenCreatives } from './creativeChoice.ts';
import type { CandidateProbabilities } from './probabilities.ts';

/** What a request is answered with: `docs/http-api.md` describes it. */
export interface RankAnswer {
  requestId?: string | number;
  model: { name: string; version: string };
  slots: RankedSlot[];
  candidateCount: number;
  /** Candidates whose score reached the reserve, each ad once. */
  eligibleCount: number;
}

export interface RankedSlot {
  /** 1 the best. */
  slot: number;
  /** Where the request named positions. */
  position?: number;
  /** As the request wrote it. */
  adId: unknown;
  campaignId?: unknown;
  advertiserId?: unknown;
  /** The creative to show, where there is a table of creatives; absent of an ad without. */
  creativeId?: unknown;
  /** How likely this creative was to be chosen for this ad; where there is a table of creatives. */
  propensity?: number;
  /** Whether the ad's creatives are still being explored; where a bandit chose among all of them. */
  exploring?: boolean;
  bidType: BidType;
  bidMicros: number;
  /** Of what is shown. */
  pCtr?: number;
  pCvr?: number;
  pEngagement?: number;
  /** Of the ad: where a policy draws the creative, the mean over the draw, as is the price that follows from it. */
  eCpmMicros: number;
  /** Per charge event, per mille where that is an impression. */
  priceMicros: number;
  explain?: SlotFactors;
}

/** Each factor of a slot's rank and price. */
export interface SlotFactors {
  optimisedEvent: AdEvent;
  chargeEvent: AdEvent;
  /** The engine's p(task) over impressions, by task; a conversion's is that of click and conversion. */
  raw: Record<string, number>;
  calibrated: Record<string, number>;
  /** Optimised events a thousand impressions of the ad bring, the mean over creatives that might have been drawn; 1 for cpm. */
  eventsPerMille: number;
  /** Q^a. */
  quality: number;
  /** eCpm · Q^a, unrounded. */
  score: number;
  /** Of the next candidate in order, null if there is none. */
  nextScore: number | null;
  reserveEcpmMicros: number;
  /** max(nextScore, reserve) / Q^a: the eCPM to beat, before it is turned back into the charge event. */
  eCpmToBeatMicros: number;
  /** Whether the ad is in the catalog. */
  inCatalog: boolean;
  /** All that the ad might have been shown with, where there is a table of creatives. */
  creatives?: SlotCreative[];
}

/** A creative that a slot's ad might have been shown with. */
export interface SlotCreative {
  /** Null of an ad's own, without a name. */
  creativeId: unknown;
  /** What the model has of it, calibrated; absent where it does not tell creatives apart, or knows no clicks. */
  pCtr?: number;
  /** How likely it was to be chosen; where a policy chose. */
  propensity?: number;
}

/** All an answer is made of; [count] columns. */
export interface Outcome {
  readonly manifest: Manifest;
  readonly body: RankBody;
  readonly candidates: Candidates;
  readonly catalog?: Catalog;
  readonly creatives?: Creatives;
  /** Where there is a table of creatives. */
  readonly choice?: ChosenCreatives;
  /** [candidates] each, or [creatives] where the model tells these apart. */
  readonly scores: Scores;
  readonly probabilities: CandidateProbabilities;
  readonly columns: AuctionColumns;
  readonly eCpmMicros: Float64Array;
  /** The chosen, best first, then the best of the others. */
  readonly order: Int32Array;
  readonly ordered: number;
  readonly chosen: number;
  readonly prices: Float64Array;
  readonly eligibleCount: number;
}

export function answerOf(outcome: Outcome): RankAnswer {
  const { manifest, body, candidates, chosen, eligibleCount } = outcome;
  const slots: RankedSlot[] = [];
  for (let slot = 0; slot < chosen; slot++) slots.push(slotOf(outcome, slot));
  return {
    ...(body.requestId === undefined ? {} : { requestId: body.requestId }),
    model: { name: manifest.name, version: manifest.version },
    slots,
    candidateCount: candidates.count,
    eligibleCount,
  };
}

function slotOf(outcome: Outcome, slot: number): RankedSlot {
  const { body, candidates, columns, probabilities, scores, order, prices, eCpmMicros } = outcome;
  const i = order[slot];
  const campaignId = ownerOf('campaignId', i, outcome);
  const advertiserId = ownerOf('advertiserId', i, outcome);
  return {
    slot: slot + 1,
    ...(body.positions === undefined ? {} : { position: body.positions[slot] }),
    adId: candidates.adIds[i],
    ...(campaignId === null ? {} : { campaignId }),
    ...(advertiserId === null ? {} : { advertiserId }),
    ...creativeOf(outcome, i),
    bidType: bidTypes[columns.types[i]],
    bidMicros: columns.bidMicros[i],
    ...probabilities.shownOf(scores, shownRow(outcome, i)),
    eCpmMicros: Math.round(eCpmMicros[i]),
    priceMicros: prices[slot],
    ...(body.explain ? { explain: factorsOf(outcome, slot) } : {}),
  };
}

/** The row of scores of what a candidate is shown with. */
function shownRow({ choice }: Outcome, i: number): number {
  return choice?.p === undefined ? i : choice.variants[i];
}

/** Whose ad it is: what the request says, else the catalog. */
function ownerOf(name: 'campaignId' | 'advertiserId', i: number, { candidates, catalog }: Outcome): unknown {
  const given = candidates.given.get(name)?.values[i];
  if (given !== undefined && given !== null) return given;
  const row = candidates.catalogRows?.[i] ?? -1;
  return row >= 0 && catalog !== undefined ? catalog.valueOf(name, row) : null;
}

function creativeOf(outcome: Outcome, i: number): Pick<RankedSlot, 'creativeId' | 'propensity' | 'exploring'> {
  const { choice } = outcome;
  if (choice === undefined) return {};
  const creativeId = nameOf(outcome, i, choice.variants[i]);
  const exploring = choice.of.ads[i] < 0 ? undefined : choice.isExploring?.(choice.of.ads[i]);
  return {
    ...(creativeId === null ? {} : { creativeId }),
    propensity: choice.propensities[i],
    ...(exploring !== undefined && { exploring }),
  };
}

/** A creative's id: the catalog's, or what the request calls one of its own. */
function nameOf({ candidates, creatives, choice }: Outcome, i: number, variant: number): unknown {
  const place = choice?.of.known[variant] ?? -1;
  return (place >= 0 ? creatives?.idOf(creatives.rows[place]) : candidates.given.get('creativeId')?.values[i]) ?? null;
}

function creativesOf(outcome: Outcome, i: number): SlotCreative[] | undefined {
  const { choice, probabilities } = outcome;
  if (choice === undefined) return undefined;
  const { of, p, shares } = choice;
  const hasClicks = p !== undefined && probabilities.tasks.has('click');
  return Array.from({ length: of.offsets[i + 1] - of.offsets[i] }, (_, k) => {
    const variant = of.offsets[i] + k;
    return {
      creativeId: nameOf(outcome, i, variant),
      ...(hasClicks && { pCtr: probabilities.calibrated('click', p[variant]) }),
      ...(shares && { propensity: shares[variant] }),
    };
  });
}

function factorsOf(outcome: Outcome, slot: number): SlotFactors {
  const { body, candidates, scores, probabilities, columns, order, ordered } = outcome;
  const i = order[slot];
  const nextScore = slot + 1 < ordered ? columns.scores[order[slot + 1]] : null;
  const row = shownRow(outcome, i);
  const raw = Object.fromEntries([...scores].map(([task, p]) => [task, p[row]]));
  const creatives = creativesOf(outcome, i);
  const calibrated = Object.entries(raw).map(([task, p]) => [task, probabilities.calibrated(task, p)]);
  return {
    optimisedEvent: optimisedEvents[columns.types[i]],
    chargeEvent: chargeEvents[columns.types[i]],
    raw,
    calibrated: Object.fromEntries(calibrated),
    eventsPerMille: columns.eventsPerMille[i],
    quality: columns.quality[i],
    score: columns.scores[i],
    nextScore,
    reserveEcpmMicros: body.reserveEcpmMicros,
    eCpmToBeatMicros: Math.max(nextScore ?? 0, body.reserveEcpmMicros) / columns.quality[i],
    inCatalog: (candidates.catalogRows?.[i] ?? -1) >= 0,
    ...(creatives && { creatives }),
  };
}
