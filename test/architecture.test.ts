import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { violations } from './architecture/check.ts';
import { importsOf, withoutComments } from './architecture/imports.ts';
import { testSupport } from './architecture/rules.ts';

const root = join(import.meta.dirname, '..');
const folders = ['src', 'training', 'data', 'benchmarks', 'scripts', 'test'];

/** Every source file by its path; this one apart, whose made-up violations would count. */
function sources(): Map<string, string> {
  const files = new Map<string, string>();
  for (const folder of folders) {
    for (const name of readdirSync(join(root, folder), { recursive: true }) as string[]) {
      const file = `${folder}/${name}`;
      if (file.endsWith('.ts') && file !== 'test/architecture.test.ts')
        files.set(file, readFileSync(join(root, file), 'utf8'));
    }
  }
  return files;
}

describe('the architecture', () => {
  const files = sources();

  it('holds: every import keeps to the table of the design', () => {
    expect(files.size).toBeGreaterThan(100);
    expect(violations(files)).toEqual([]);
  });

  it('publishes no file for tests', () => {
    const { exclude } = JSON.parse(readFileSync(join(root, 'tsconfig.build.json'), 'utf8'));
    expect(exclude).toEqual(['**/*.test.ts', ...testSupport]);
  });

  /** The project with one line added to one file, or a new file. */
  const withLine = (file: string, line: string) => new Map(files).set(file, `${line}\n${files.get(file) ?? ''}`);

  it.each([
    ['src/core/hash.ts', `import { parseSchema } from '../schema/parseSchema.ts';`, 'src/core may import nothing'],
    ['src/auction/eCpm.ts', `import type { Scorer } from '../scoring/scorer.ts';`, 'src/auction may import src/core'],
    ['src/server/server.ts', `import { train } from '../../training/train.ts';`, 'src/server may import'],
    ['src/server/server.ts', `await import('../../training/train.ts');`, 'src/server may import'],
    ['src/commands/train.ts', `import { train } from '../../training/train.ts';`, 'by await import() alone'],
    ['src/cli.ts', `import { train } from '../training/train.ts';`, 'src/cli.ts may import src/core, src/commands'],
    ['training/train.ts', `import { rank } from '../src/ranking/ranker.ts';`, 'training may import'],
    ['data/csv/importCsv.ts', `import { train } from '../../training/train.ts';`, 'data may import'],
    ['src/newThing/x.ts', `import { clamp } from '../core/numerics.ts';`, 'its folder is not in'],
    ['src/ranking/ranker.ts', `import fastify from 'fastify';`, 'only src/server may'],
    ['training/train.ts', `import * as tf from '@tensorflow/tfjs-core';`, 'only src/scoring/engines/tfjs may'],
    ['data/csv/importCsv.ts', `import { tableFromIPC } from 'apache-arrow';`, 'only src/tables may'],
    [
      'src/scoring/engines/tfjs/graph.ts',
      `import { dense } from '../reference/layers.ts';`,
      'one engine never imports',
    ],
    ['src/scoring/engines.ts', `import { loadBackend } from './engines/tfjs/load.ts';`, 'by await import() alone'],
    ['src/schema/fit.ts', `import { readFileSync } from 'node:fs';`, 'files, network and processes'],
    ['src/ranking/ranker.ts', `const nowMs = Date.now();`, 'time, chance and environment are arguments'],
    ['src/core/random.ts', `const draw = Math.random();`, 'time, chance and environment are arguments'],
    ['src/model/ops.ts', `export { checkModel } from './checkModel.ts';`, 'only src/index.ts hands on'],
    ['src/core/errors.ts', `import { clamp } from './numbers.ts';`, 'there is no such file'],
    ['src/core/hash.ts', `import { it } from 'vitest';`, 'it is for tests alone'],
    ['src/scoring/golden.ts', `import { randomBundle } from './conformance/randomBundle.ts';`, 'it is for tests alone'],
    ['src/model/values.ts', `import { checkModel } from './checkModel.ts';`, 'a circle'],
  ])('would catch %s doing `%s`', (file, line, rule) => {
    const found = violations(withLine(file, line)).filter((problem) => problem.includes(rule));
    const target = /'([^']+)'/.exec(line)?.[1].split('/').at(-1) ?? '';
    expect(found.some((problem) => problem.includes(file) && problem.includes(target))).toBe(true);
  });

  it('sees every form of import, and none in comments', () => {
    const text = `
      import a, { b } from './a.ts';
      import {
        c,
        d,
      } from "./c.ts";
      import type { E } from './e.ts';
      import './f.ts';
      export { g } from './g.ts';
      export * from './h.ts';
      const i = await import('./i.ts');
      type J = typeof import('./j.ts');
      // import { k } from './k.ts';
      /* import { l } from './l.ts'; */
    `;
    expect(importsOf('src/x/y.ts', withoutComments(text)).map(({ target, kind }) => `${target} ${kind}`)).toEqual([
      'src/x/a.ts static',
      'src/x/c.ts static',
      'src/x/e.ts type',
      'src/x/g.ts static',
      'src/x/h.ts static',
      'src/x/f.ts static',
      'src/x/i.ts dynamic',
      'src/x/j.ts type',
    ]);
  });
});
