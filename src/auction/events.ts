export type AdEvent = 'impression' | 'click' | 'engagement' | 'conversion';

/** The event an advertiser's bid values. */
export const optimisedEvents: readonly AdEvent[] = ['impression', 'click', 'engagement', 'conversion', 'conversion'];

/** The event the advertiser pays for; a price is per mille where it is an impression. oCPM optimises one, charges another. */
export const chargeEvents: readonly AdEvent[] = ['impression', 'click', 'engagement', 'conversion', 'impression'];
