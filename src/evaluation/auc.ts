import { rowsByGroup } from './groups.ts';
import { ascendingOrder } from './order.ts';
import { checkLengths, type Labels, type Values } from './rows.ts';

/**
 * The area under the ROC curve: the chance that a positive row scores above a negative one, ties counting half.
 *
 *   AUC = Σ_{i∈P, j∈N} w_i w_j ([s_i > s_j] + ½[s_i = s_j]) / (Σ_P w · Σ_N w)
 *
 * Exact without weights: the sum is of halves and whole numbers, which a float64 holds to 2^53.
 *
 * @returns null where a class is missing or weighs nothing
 * @throws UserError on a NaN score
 */
export function auc(scores: Values, labels: Labels, weights?: Values): number | null {
  checkLengths(scores.length, { labels, weights });
  return aucOfRows(ascendingOrder(scores), 0, scores.length, scores, labels, weights);
}

/** AUC of `rows[from .. to)`, which must be in ascending order of score. */
export function aucOfRows(
  rows: Uint32Array,
  from: number,
  to: number,
  scores: Values,
  labels: Labels,
  weights?: Values,
): number | null {
  let wins = 0;
  let positives = 0;
  let negatives = 0;
  for (let start = from; start < to; ) {
    const score = scores[rows[start]];
    let tiedPositives = 0;
    let tiedNegatives = 0;
    let end = start;
    for (; end < to && scores[rows[end]] === score; end++) {
      const row = rows[end];
      const weight = weights ? weights[row] : 1;
      if (labels[row] > 0) tiedPositives += weight;
      else tiedNegatives += weight;
    }
    wins += tiedPositives * (negatives + tiedNegatives / 2);
    positives += tiedPositives;
    negatives += tiedNegatives;
    start = end;
  }
  return positives > 0 && negatives > 0 ? wins / (positives * negatives) : null;
}

/** AUC by group and how many of the impressions it speaks for. */
export interface GroupedAuc {
  /** null where no group has both classes. */
  gauc: number | null;
  /** Share of the impressions (of their weight, where weighted) that are in a group with both classes. */
  coverage: number;
}

/**
 * AUC within each group (user), averaged by the group's impressions; groups with one class have no AUC and are left out.
 *
 *   GAUC = Σ_g n_g AUC_g / Σ_g n_g      n_g: the group's impressions, or their weight
 *
 * @param groups a group index a row, from `denseGroups`; negative: in no group, counted against the coverage
 * @see Zhu et al. 2017, "Optimized Cost per Click in Taobao Display Advertising", section 4.1
 */
export function gauc(scores: Values, labels: Labels, groups: Int32Array, weights?: Values): GroupedAuc {
  checkLengths(scores.length, { labels, groups, weights });
  return gaucInOrder(ascendingOrder(scores), scores, labels, groups, weights);
}

/** `gauc` of rows whose ascending order of score is known. */
export function gaucInOrder(
  order: Uint32Array,
  scores: Values,
  labels: Labels,
  groups: Int32Array,
  weights?: Values,
): GroupedAuc {
  let sum = 0;
  let covered = 0;
  let total = 0;
  const byGroup = aucByGroup(order, scores, labels, groups, weights);
  for (let g = 0; g < byGroup.auc.length; g++) {
    if (Number.isNaN(byGroup.auc[g])) continue;
    sum += byGroup.auc[g] * byGroup.impressions[g];
    covered += byGroup.impressions[g];
  }
  for (let i = 0; i < order.length; i++) total += weights ? weights[i] : 1;
  return { gauc: covered > 0 ? sum / covered : null, coverage: total > 0 ? covered / total : 0 };
}

/** Each group's AUC (NaN where it has one class) and its impressions, or their weight. */
export function aucByGroup(
  order: Uint32Array,
  scores: Values,
  labels: Labels,
  groups: Int32Array,
  weights?: Values,
): { auc: Float64Array; impressions: Float64Array } {
  const { rows, starts } = rowsByGroup(order, groups);
  const count = starts.length - 1;
  const aucs = new Float64Array(count);
  const impressions = new Float64Array(count);
  for (let g = 0; g < count; g++) {
    aucs[g] = aucOfRows(rows, starts[g], starts[g + 1], scores, labels, weights) ?? Number.NaN;
    let weight = starts[g + 1] - starts[g];
    if (weights) {
      weight = 0;
      for (let i = starts[g]; i < starts[g + 1]; i++) weight += weights[rows[i]];
    }
    impressions[g] = weight;
  }
  return { auc: aucs, impressions };
}
