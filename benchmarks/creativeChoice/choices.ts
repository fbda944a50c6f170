import { createMarket } from '../../data/simulator/market.ts';
import type { MarketPreset } from '../../data/simulator/presets.ts';
import type { ColumnBatch, IntegerColumn, NumberColumn } from '../../src/schema/columns.ts';

/** Impressions after a time, each with every creative that could have been shown. */
export interface Choices {
  /** A row a creative, those of an impression one after another. */
  readonly rows: ColumnBatch;
  /** [rows] how often the creative had been shown before that time. */
  readonly shownBefore: Int32Array;
}

/** The choices that come after `fromMs` in the market whose log has the same seed and size. */
export function drawChoices(
  preset: MarketPreset,
  { count, fromMs, ...options }: { seed: number; impressionCount: number; fromMs: number; count: number },
): Choices {
  const market = createMarket(preset, options);
  const shown = new Map<bigint, number>();
  for (let passed = false; !passed; ) {
    const batch = market.nextBatch(500);
    const ids = idsOf(batch, 'creative_id');
    idsOf(batch, 'time_ms').forEach((timeMs, row) => {
      passed ||= Number(timeMs) >= fromMs;
      if (!passed) shown.set(ids[row], (shown.get(ids[row]) ?? 0) + 1);
    });
    if (batch.rowCount === 0) break;
  }
  const rows = market.nextChoices(count);
  return { rows, shownBefore: Int32Array.from(idsOf(rows, 'creative_id'), (id) => shown.get(id) ?? 0) };
}

const idsOf = ({ columns }: ColumnBatch, name: string) => (columns.get(name) as IntegerColumn).values as BigInt64Array;

export interface ChoiceQuality {
  /** Impressions with at least two creatives to choose from. */
  readonly impressions: number;
  /** Mean true CTR of what the model likes best, of any creative and of the best. */
  readonly chosen: number;
  readonly random: number;
  readonly best: number;
}

/**
 * How good a model's favourites truly are. Of equals each counts alike.
 *
 * @param scores [rows] what the model thinks of each
 * @param among which rows there are to choose from; all where absent
 */
export function choiceQuality(
  { rows }: Choices,
  scores: ArrayLike<number>,
  among: (row: number) => boolean = () => true,
): ChoiceQuality {
  const impressions = idsOf(rows, 'impression_id');
  const truth = (rows.columns.get('true_p_click') as NumberColumn).values;
  const sums = { impressions: 0, chosen: 0, random: 0, best: 0 };
  for (let from = 0, to = 0; from < rows.rowCount; from = to) {
    const set: number[] = [];
    for (; to < rows.rowCount && impressions[to] === impressions[from]; to++) if (among(to)) set.push(to);
    if (set.length < 2) continue;
    const highest = Math.max(...set.map((row) => scores[row]));
    sums.impressions++;
    sums.chosen += meanOf(
      truth,
      set.filter((row) => scores[row] === highest),
    );
    sums.random += meanOf(truth, set);
    sums.best += Math.max(...set.map((row) => truth[row]));
  }
  const of = (sum: number) => sum / Math.max(1, sums.impressions);
  return { impressions: sums.impressions, chosen: of(sums.chosen), random: of(sums.random), best: of(sums.best) };
}

const meanOf = (values: ArrayLike<number>, rows: readonly number[]) =>
  rows.reduce((sum, row) => sum + values[row], 0) / rows.length;
