import { estimateExamination } from '../src/creative/examination.ts';
import { examinationOf, slotCtrs } from '../src/creative/positions.ts';
import { realData } from '../test/realData.ts';
import { drawMarket, rankMarket } from './positions/market.ts';
import { countShown, heldOutLosses, ratesByHalf, readPages, tauOfHalves } from './positions/yandex.ts';
import type { Topic } from './topic.ts';

const digits = (value: number) => Number(value.toFixed(4));
const SEEDS = [1, 2, 3];
/** Of either half of a result's impressions, for its rates to be compared. */
const LEAST = 100;

/** How well clicks are told apart from the positions they came in, on real result pages and where the truth is known. */
export const positions: Topic = {
  name: 'positions',
  summary: 'position correction: log loss and Kendall’s τ on real result pages, τ to the true CTRs in a drawn market',
  async run({ small, log }) {
    const rows: Record<string, string | number | null>[] = [];
    const found = realData('yandex');
    if (!('missing' in found)) rows.push(...(await yandexRows(found.folder)));
    const impressions = small ? 500 : 50_000;
    const taus = SEEDS.map((seed) => rankMarket(drawMarket(impressions, seed)));
    const data = `market, ${impressions.toLocaleString('en')} impressions a creative, mean of ${SEEDS.length} seeds`;
    for (const [by, correction] of [
      ['raw', 'none: clicks / impressions'],
      ['table', 'ECOI, CTR by position of the same log'],
      ['fit', 'ECOI, examination estimated from the same log'],
      ['random', 'ECOI, CTR by position of the randomised 15 %'],
    ] as const) {
      rows.push({ data, correction, 'τ to truth': digits(taus.reduce((sum, tau) => sum + tau[by], 0) / SEEDS.length) });
    }
    log(`market: ${JSON.stringify(taus)}`);
    return {
      setting: 'position correction of clicks',
      seed: SEEDS[0],
      rows,
      notes: [
        ...('missing' in found ? [`Yandex was left out: ${found.missing}`] : []),
        `held-out log loss: the last fifth of each query's pages; examination and CTRs from the others`,
        `τ across positions: each result's impressions in two halves, its higher and its lower positions; pairs of results, one in its higher and the other in its lower, against the same pair the other way round; results with ${LEAST} impressions in either half`,
        'market: 100 creatives, ten slots, rank = ln CTR + ln bid + noise; better creatives in better slots, as a rule',
      ],
    };
  },
};

async function yandexRows(folder: string) {
  const shown = await readPages(folder);
  const losses = heldOutLosses(shown);
  const train = countShown(shown);
  const all = countShown(shown, true);
  const count = Math.max(...train.positions);
  const of = (correction: string, loss: number | null, examination?: Float64Array) => {
    const halves = examination && ratesByHalf(all, examination, LEAST);
    const tau = halves && tauOfHalves(halves);
    return {
      data: `Yandex, ${shown.items.length / 10} pages`,
      correction,
      'held-out log loss': loss && digits(loss),
      'τ across positions': tau ? digits(tau.crossed) : null,
      'τ, all higher to all lower': tau ? digits(tau.straight) : null,
      results: halves ? halves.upper.length : null,
    };
  };
  const none = new Float64Array(count).fill(1);
  return [
    of('CTR by position alone', losses.table),
    of('none: CTR by result', losses.result, none),
    of('ECOI, CTR by position', null, examinationOf(slotCtrs(train))),
    of('examination · attraction; ECOI', losses.fit, estimateExamination(train).examination),
  ];
}
