import { CPA, CPC, CPE, CPM, OCPM } from '../core/bids.ts';
import { assert } from '../core/errors.ts';

/** Calibrated probabilities of the candidates, [count] each; a column may be absent where no bid needs it. */
export interface Probabilities {
  /** p(click | impression). */
  readonly pCtr?: Float64Array;
  /** p(conversion | click). */
  readonly pCvr?: Float64Array;
  /** p(engagement | impression). */
  readonly pEngagement?: Float64Array;
}

/**
 * How often a thousand impressions bring the event a bid values:
 *
 *   cpm 1 (the bid is per mille)   cpc 1000·pCTR   cpe 1000·pEngage   cpa, ocpm 1000·pCTR·pCVR
 *
 * @param types bid type codes, [count]
 * @param out   [count]
 */
export function eventsPerMilleInto(types: Uint8Array, p: Probabilities, count: number, out: Float64Array): void {
  assert(types.length >= count && out.length >= count, 'eventsPerMilleInto: a column is too short');
  const { pCtr, pCvr, pEngagement } = p;
  for (let i = 0; i < count; i++) {
    switch (types[i]) {
      case CPM:
        out[i] = 1;
        break;
      case CPC:
        out[i] = needed(pCtr)[i] * 1000;
        break;
      case CPE:
        out[i] = needed(pEngagement)[i] * 1000;
        break;
      case CPA:
      case OCPM:
        out[i] = needed(pCtr)[i] * needed(pCvr)[i] * 1000;
        break;
      default:
        assert(false, `eventsPerMilleInto: bid type ${types[i]}`);
    }
  }
}

function needed(column: Float64Array | undefined): Float64Array {
  assert(column !== undefined, 'eventsPerMilleInto: a bid needs a probability that was not given');
  return column;
}

/** eCpmMicros = bidMicros · eventsPerMille: what a thousand impressions are worth to the bidder. */
export function eCpmInto(
  bidMicros: Float64Array,
  eventsPerMille: Float64Array,
  count: number,
  out: Float64Array,
): void {
  for (let i = 0; i < count; i++) out[i] = bidMicros[i] * eventsPerMille[i];
}

/**
 * score = eCpmMicros · quality, what candidates are ranked by.
 *
 * @param quality Q^a, the quality score raised to the squashing exponent; 1 leaves the eCPM as it is
 */
export function scoreInto(eCpmMicros: Float64Array, quality: Float64Array, count: number, out: Float64Array): void {
  for (let i = 0; i < count; i++) out[i] = eCpmMicros[i] * quality[i];
}
