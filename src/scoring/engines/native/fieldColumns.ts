import type { Bundle } from '../../../model/bundle.ts';
import { denseWidth, isEmbedded, tableOf } from '../../../schema/fields.ts';
import type { Field, IdsField } from '../../../schema/schema.ts';
import type { ColumnSpec } from './addon.ts';

/** A program's column, the field it holds, and whether that has lists that cannot be single ids. */
export type FieldColumn = ColumnSpec & { readonly field: string; readonly isSequence: boolean };

/** What a field's encoded column looks like. */
export function columnOf(
  field: Field,
  fields: ReadonlyMap<string, Field>,
  { fitted }: Pick<Bundle, 'fitted'>,
): Omit<ColumnSpec, 'stage'> {
  if (!isEmbedded(field)) return { kind: 'dense', width: denseWidth(field), tableRows: 0, mean: false };
  const isList =
    field.kind === 'ids' || (field.kind === 'cross' && field.of.some((part) => fields.get(part)?.kind === 'ids'));
  const tableRows = fitted.vocabularies.get(tableOf(field) as string)?.rows ?? 0;
  const { pooling = 'mean' } = field as Partial<IdsField>;
  return { kind: isList ? 'ids' : 'id', width: 0, tableRows, mean: pooling === 'mean' };
}
