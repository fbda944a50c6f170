#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { addBackfill } from './commands/backfill.ts';
import { addCompare } from './commands/compare.ts';
import { addCreative } from './commands/creative.ts';
import { addEvaluate } from './commands/evaluate.ts';
import { addExport } from './commands/export.ts';
import { addHistory } from './commands/history.ts';
import { addImport } from './commands/import.ts';
import { addInspect } from './commands/inspect.ts';
import { addPredict } from './commands/predict.ts';
import { addRank } from './commands/rank.ts';
import { addSchema } from './commands/schema.ts';
import { addServe } from './commands/serve.ts';
import { addSimulate } from './commands/simulate.ts';
import { addTrain } from './commands/train.ts';
import { UserError } from './core/errors.ts';

/** The version in package.json, two folders above the built file and one above the source. */
function version(): string {
  for (const path of ['../package.json', '../../package.json']) {
    try {
      return JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')).version;
    } catch {
      // The other place.
    }
  }
  return 'unknown';
}

function createProgram(): Command {
  const program = new Command('limelight')
    .description('Train CTR and CVR models on Parquet logs and rank ads with them.')
    .version(version())
    // A value that an option cannot have is wrong input, whoever finds out: commander, or the command itself.
    .exitOverride(({ code, exitCode }) => process.exit(code === 'commander.invalidArgument' ? 2 : exitCode))
    .showHelpAfterError('(limelight <command> --help shows what it takes)')
    .configureHelp({ sortSubcommands: false });
  for (const add of [
    addSimulate,
    addImport,
    addSchema,
    addBackfill,
    addTrain,
    addEvaluate,
    addPredict,
    addCompare,
    addInspect,
    addExport,
    addRank,
    addServe,
    addHistory,
    addCreative,
  ]) {
    add(program);
  }
  return program;
}

// A reader that has seen enough (`| head`) is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

try {
  await createProgram().parseAsync();
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  process.stderr.write(`limelight: ${error.message}\n`);
  process.exitCode = 2;
}
