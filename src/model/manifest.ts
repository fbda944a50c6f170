import { schemaFile } from '../schema/derivedFields.ts';
import type { Fitted } from '../schema/fitted.ts';
import { bundleFormat, type Manifest } from './bundle.ts';
import type { TypedModel } from './checkModel.ts';

/** What a manifest says that does not follow from the model and the encoder. */
export type ManifestFacts = Pick<
  Manifest,
  'name' | 'version' | 'createdAt' | 'createdBy' | 'calibration' | 'precision' | 'metrics' | 'training'
>;

/** A manifest as its file has it: indented, but lists of numbers in one line each. */
export function manifestText(manifest: Manifest): string {
  const text = JSON.stringify(manifest, null, 2);
  // Texts in JSON hold no line breaks, so that what is matched is a list.
  return `${text.replaceAll(/\[\n[-+.,\deE\s]+\]/g, (list) => list.replaceAll(/\s+/g, ' '))}\n`;
}

/** Puts a manifest together, in the newest format. */
export function createManifest(facts: ManifestFacts, typed: TypedModel, fitted: Fitted): Manifest {
  const { architecture, tables, steps, tasks, losses } = typed.model;
  return {
    format: bundleFormat,
    ...facts,
    schema: schemaFile(typed.schema),
    model: { architecture, tables: [...tables], steps: [...steps], tasks: [...tasks], losses: [...losses] },
    fitted: {
      vocabularies: Object.fromEntries(
        [...fitted.vocabularies].map(([table, { kind, rows }]) => [table, { kind, rows }]),
      ),
      numbers: Object.fromEntries(
        [...fitted.numbers].map(([field, { mean, deviation, boundaries }]) => [
          field,
          boundaries === undefined ? { mean, deviation } : { mean, deviation, boundaries: [...boundaries] },
        ]),
      ),
      vectors: Object.fromEntries(
        [...fitted.vectors].map(([field, { means, deviations }]) => [
          field,
          { means: [...means], deviations: [...deviations] },
        ]),
      ),
      columnTypes: Object.fromEntries(fitted.columnTypes),
    },
  };
}
