/** What an advertiser bids for and is charged for. Columns hold the index into this list. */
export const bidTypes = ['cpm', 'cpc', 'cpe', 'cpa', 'ocpm'] as const;
export type BidType = (typeof bidTypes)[number];

export const CPM = 0;
export const CPC = 1;
export const CPE = 2;
export const CPA = 3;
export const OCPM = 4;

const codes = new Map<unknown, number>(bidTypes.map((name, code) => [name, code]));

/** The code of a bid type's name, -1 for any other value. */
export function bidTypeCode(name: unknown): number {
  return codes.get(name) ?? -1;
}

/** Bids are whole micros that a float64 holds exactly. */
export const mostBidMicros = 2 ** 53;

export function isBidMicros(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= mostBidMicros;
}
