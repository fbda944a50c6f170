import { UserError } from '../core/errors.ts';
import type { Bundle, Golden } from '../model/bundle.ts';
import type { ColumnBatch } from '../schema/columns.ts';
import { createEncoder } from '../schema/encoder.ts';
import type { Fitted } from '../schema/fitted.ts';
import { columnFromJson } from '../schema/jsonColumns.ts';
import { runSteps } from './engines/reference/runSteps.ts';
import { probabilitiesOf } from './engines/reference/scorer.ts';
import { createInputCheck } from './input.ts';
import type { Scorer } from './scorer.ts';

/** The columns among `columns` whose type is known, as a batch. */
export function batchFromJson(
  columns: Readonly<Record<string, readonly unknown[]>>,
  rowCount: number,
  types: Fitted['columnTypes'],
  source = 'golden requests',
): ColumnBatch {
  const typed = Object.entries(columns).flatMap(([name, values]) => {
    const type = types.get(name);
    return type === undefined ? [] : [[name, columnFromJson(values, type, `${source}: '${name}'`)] as const];
  });
  return { rowCount, columns: new Map(typed) };
}

/** Raw rows with the answers of the float64 reference engine: what `golden.json` holds. */
export function makeGolden(
  bundle: Pick<Bundle, 'typed' | 'fitted' | 'weights'>,
  columns: Golden['columns'],
  rowCount: number,
): Golden {
  const { typed, fitted, weights } = bundle;
  const input = createEncoder(typed.schema, fitted).encode(batchFromJson(columns, rowCount, fitted.columnTypes));
  createInputCheck(typed, (vocabulary) => fitted.vocabularies.get(vocabulary)?.rows ?? 0)(input);
  const probabilities = probabilitiesOf(typed, runSteps(typed, weights, input), input);
  return {
    rowCount,
    columns,
    probabilities: Object.fromEntries([...probabilities].map(([task, p]) => [task, [...p]])),
  };
}

/**
 * Encodes and scores a bundle's golden requests as a server would, and compares the answers.
 *
 * @param tolerance largest difference in probability
 * @throws UserError at the first answer that differs by more
 */
export function replayGolden(bundle: Bundle, scorer: Scorer, tolerance: number): void {
  const { golden, typed, fitted, manifest } = bundle;
  const name = `bundle '${manifest.name}' version ${manifest.version}`;
  const batch = batchFromJson(golden.columns, golden.rowCount, fitted.columnTypes, `${name}: golden requests`);
  const scores = scorer.score(createEncoder(typed.schema, fitted).encode(batch));
  for (const { name: task } of typed.model.tasks) {
    const expected = golden.probabilities[task];
    const got = scores.get(task);
    for (let row = 0; row < golden.rowCount; row++) {
      const difference = Math.abs((got?.[row] ?? Number.NaN) - (expected?.[row] ?? Number.NaN));
      // Written so that NaN fails.
      if (!(difference <= tolerance)) {
        throw new UserError(
          `${name}: engine '${scorer.engine}' answers golden request ${row} with ${task} = ${got?.[row]}, expected ${expected?.[row]} ± ${tolerance}; keep the version in use, and train or export this one anew`,
        );
      }
    }
  }
}
