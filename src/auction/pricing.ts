import { OCPM } from '../core/bids.ts';

/**
 * What a winner pays under the quality-adjusted second price: the lowest whole price per charge event at which it would still have
 * beaten the next score and the reserve.
 *
 *   p = max(nextScore, reserve)/Q^a        in eCPM
 *   price = ⌊p / chargesPerMille⌋ + 1      one minimum unit (a micro) above, so that it wins outright
 *
 * never above the bid. chargesPerMille is how many charge events a thousand impressions bring: the bid's own events, or 1 where
 * the impression is charged and the price is per mille.
 *
 * For oCPM the bid is per conversion and the price per mille, so the bound is the bid's own eCPM, rounded down.
 * A whole reserve is therefore never undercut at quality 1.
 *
 * @param bidType        code
 * @param eventsPerMille of the bid's event, as `eventsPerMilleInto` has it
 * @param quality        Q^a
 * @param nextScore      eCPM · Q^a of the candidate in the next slot, or of the best without one; 0 if there is none
 * @param reserve        the least score to win a slot: an eCPM in micros at quality 1
 * @returns whole micros per charge event, per mille where that is an impression
 * @see Varian 2007, "Position auctions"; Lahaie and Pennock 2007, "Revenue analysis of a family of ranking rules", for the squashing
 */
export function secondPriceMicros(
  bidType: number,
  bidMicros: number,
  eventsPerMille: number,
  quality: number,
  nextScore: number,
  reserve: number,
): number {
  const chargesPerMille = bidType === OCPM ? 1 : eventsPerMille;
  const most = bidType === OCPM ? Math.floor(bidMicros * eventsPerMille) : bidMicros;
  const toBeat = Math.max(nextScore, reserve);
  // With nothing to beat the minimum unit is enough, also where no charge is ever expected.
  if (toBeat === 0) return Math.min(1, most);
  const price = Math.floor(toBeat / quality / chargesPerMille) + 1;
  if (!(price < most)) return most;
  return roundedUp(price, most, chargesPerMille, quality, toBeat);
}

/** The divisions round; a price that does not win by the score's own arithmetic is raised until it does. */
function roundedUp(price: number, most: number, chargesPerMille: number, quality: number, toBeat: number): number {
  let raised = price;
  // Beyond 2^52 the next float64 may be more than one unit away.
  while (raised < most && raised * chargesPerMille * quality <= toBeat) {
    if (chargesPerMille * quality === 0) return most;
    raised += Math.max(1, Math.floor(raised * 2 ** -52));
  }
  return Math.min(raised, most);
}

/**
 * The prices of the chosen, in slot order.
 *
 * @param order     the chosen by score, best first, followed by the best of the others where there is one
 * @param chosen    how many of `order` have a slot
 * @param ordered   how many entries `order` has: `chosen`, or one more
 * @param out       [chosen], whole micros per charge event
 */
export function secondPricesInto(
  order: Int32Array,
  chosen: number,
  ordered: number,
  columns: AuctionColumns,
  reserve: number,
  out: Float64Array,
): void {
  const { types, bidMicros, eventsPerMille, quality, scores } = columns;
  for (let slot = 0; slot < chosen; slot++) {
    const i = order[slot];
    const next = slot + 1 < ordered ? scores[order[slot + 1]] : 0;
    out[slot] = secondPriceMicros(types[i], bidMicros[i], eventsPerMille[i], quality[i], next, reserve);
  }
}

/** One number a candidate in each. */
export interface AuctionColumns {
  readonly types: Uint8Array;
  readonly bidMicros: Float64Array;
  readonly eventsPerMille: Float64Array;
  /** Q^a. */
  readonly quality: Float64Array;
  readonly scores: Float64Array;
}
