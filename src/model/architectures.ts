import { UserError } from '../core/errors.ts';
import { problemsOf } from '../schema/parseSchema.ts';
import type { Schema } from '../schema/schema.ts';
import type { Architecture } from './architecture.ts';
import { checkModel, type TypedModel } from './checkModel.ts';
import { dcnV2 } from './dcnV2.ts';
import { deepFm } from './deepFm.ts';
import { din } from './din.ts';
import { dualTower } from './dualTower.ts';
import { fm } from './fm.ts';
import { lr } from './lr.ts';
import { senetDnn } from './senetDnn.ts';

/** Every architecture `--arch` knows; a new one is one file and a line here. */
export const architectures: readonly Architecture[] = [senetDnn, lr, fm, deepFm, dcnV2, din, dualTower];

/**
 * Makes the model of an architecture for a schema.
 *
 * @throws UserError for an unknown architecture or wrong options
 */
export function buildModel(name: string, schema: Schema, options: unknown = {}, source = 'configuration'): TypedModel {
  const found = architectures.find((architecture) => architecture.name === name);
  if (found === undefined) {
    throw new UserError(
      `unknown architecture '${name}'; use one of ${architectures.map((a) => a.name).join(', ')}`,
      'missing',
    );
  }
  const problems = problemsOf(found.Options, options, (path) =>
    path === '' ? 'model' : `model.${path.slice(1).replaceAll('/', '.')}`,
  );
  if (problems.length > 0) throw new UserError(`${source}: ${problems.join(`\n${source}: `)}`);
  return checkModel(found.build(schema, options as never), schema, name);
}
