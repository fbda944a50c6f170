import type { Random } from '../../core/random.ts';
import type { Bundle } from '../../model/bundle.ts';
import { scopeOfField } from '../../schema/fields.ts';
import type { Field } from '../../schema/schema.ts';
import type { ScoringInput } from '../scorer.ts';
import { historyFields, randomInput, sampleFields } from './randomBundle.ts';

/** Fields of all five scopes, of every kind that a scope can have. */
export const variantFields: readonly (Field | (typeof historyFields)[number])[] = [
  ...sampleFields,
  ...historyFields,
  { name: 'title', kind: 'ids', scope: 'creative', size: 8, buckets: 30 },
  { name: 'length', kind: 'number', scope: 'creative' },
  { name: 'match', kind: 'number', scope: 'variant', quantiles: 4, size: 8 },
  { name: 'matches', kind: 'number', scope: 'variant', transform: 'log1p' },
  { name: 'userImage', kind: 'cross', of: ['userId', 'imageId'], size: 8, buckets: 50 },
];

/**
 * Random creatives of candidates: fields of scope request as one row, ad and candidate a row each candidate, others a row each creative.
 *
 * @param counts creatives of each candidate
 */
export function variantInput(
  bundle: Pick<Bundle, 'typed' | 'fitted'>,
  counts: readonly number[],
  random: Random,
): ScoringInput & Required<Pick<ScoringInput, 'candidates'>> {
  const of = Int32Array.from(counts.flatMap((creatives, candidate) => new Array<number>(creatives).fill(candidate)));
  const byName = new Map(bundle.typed.schema.fields.map((field) => [field.name, field]));
  const perCandidate = randomInput(bundle, counts.length, random, 'request').fields;
  const perRow = randomInput(bundle, of.length, random, 'request').fields;
  const fields = bundle.typed.schema.fields.map((field) => {
    const isOfCreative = ['creative', 'variant'].includes(scopeOfField(field, byName));
    const column = (isOfCreative ? perRow : perCandidate).get(field.name);
    if (column === undefined) throw new Error(`no column '${field.name}'`);
    return [field.name, column] as const;
  });
  return { rowCount: of.length, fields: new Map(fields), candidates: { count: counts.length, of } };
}

/** One to seven creatives of each candidate, at random. */
export function creativeCounts(candidates: number, random: Random): number[] {
  return Array.from({ length: candidates }, () => 1 + random.below(7));
}
