import type { Command } from 'commander';
import { UserError } from '../core/errors.ts';
import type { ReadState, StateFlags } from './historyStates.ts';
import { print, printJson, several, timeMs } from './output.ts';

interface ShowFlags extends StateFlags {
  key: string[];
  at?: number;
  json?: boolean;
}

interface ForgetFlags extends StateFlags {
  key: string;
  out?: string;
}

interface MergeFlags extends Omit<StateFlags, 'state'> {
  out: string;
}

/** `limelight history show | forget | merge`: looks into states of history, and changes them. */
export function addHistory(program: Command): void {
  const history = program
    .command('history')
    .summary('look into a state of history, forget a key, merge shards')
    .description('States of history: what `limelight serve --history` writes, or the one in a bundle.');
  const withSchema = (command: Command) =>
    command
      .option('--schema <file>', 'the schema the state is of, where it does not say itself')
      .option(
        '--model <bundle>',
        'a bundle whose schema it is of, and whose columns are known to be of numbers or text',
      );
  withSchema(
    history
      .command('show')
      .description('print what a model would see of some keys: counters and sequences, before they are encoded')
      .requiredOption('--state <file>', "a state, or a bundle's folder")
      .requiredOption('--key <name=value>', 'whose: a field, its column, or user; again for another key', several),
  )
    .option('--at <time>', 'as of when; the end of the state where absent', timeMs)
    .option('--json', 'print one JSON object')
    .action(show);
  withSchema(
    history
      .command('forget')
      .description('erase all that is held under a key: of a user, say')
      .requiredOption('--state <file>', 'a state')
      .requiredOption('--key <name=value>', 'a field, its column, or user, and the value'),
  )
    .option('--out <file>', 'where to write the state; over the old one where absent')
    .action(forget);
  withSchema(
    history
      .command('merge')
      .description("add shards' states up: exact for keys that only one of them has")
      .argument('<states...>', 'two or more')
      .requiredOption('--out <file>', 'where to write the sum'),
  ).action(merge);
}

async function show({ key, at, json, ...flags }: ShowFlags): Promise<void> {
  const { readState } = await import('./historyStates.ts');
  const { readKey } = await import('./historyKeys.ts');
  const { renderHistory, showHistory } = await import('./historyShow.ts');
  const state = await readState(flags);
  const { history, schema, columnTypes } = state;
  const keys = key.map((given) => readKey(given, schema, history.plan, columnTypes));
  const atMs = at ?? Math.max(0, history.watermarkMs);
  history.advance(atMs);
  const shown = showHistory(state, keys, atMs);
  if (json) printJson(shown);
  else process.stdout.write(renderHistory(shown));
}

async function forget({ key, out, ...flags }: ForgetFlags): Promise<void> {
  const { readState } = await import('./historyStates.ts');
  const { readKey } = await import('./historyKeys.ts');
  const state = await readState(flags);
  const { field, keys } = readKey(key, state.schema, state.history.plan, state.columnTypes);
  const [lo, hi] = keys.words;
  const wasHeld = state.history.forget(field.name, lo, hi);
  if (wasHeld || out !== undefined) await write(state, out ?? flags.state);
  print(wasHeld ? `forgot ${key}; wrote ${out ?? flags.state}` : `nothing is held of ${key} in ${flags.state}`);
}

async function merge(states: string[], { out, ...flags }: MergeFlags): Promise<void> {
  if (states.length < 2)
    throw new UserError(`history merge: expected two or more states, got ${states.length}; name the shards'`);
  const { readState } = await import('./historyStates.ts');
  const first = await readState({ ...flags, state: states[0] });
  for (const state of states.slice(1)) {
    const { history } = await readState({ ...flags, state });
    if (history.plan.hash !== first.history.plan.hash)
      throw new UserError(`${state}: is of another schema than ${states[0]}; merge states of one schema`);
    first.history.merge(history);
  }
  await write(first, out);
  print(`merged ${states.length} states into ${out}: ${first.history.stats().keys} keys`);
}

async function write({ history, schema }: ReadState, file: string): Promise<void> {
  const { saveWithSchema } = await import('../history/stateSchema.ts');
  const { writeHistoryFile } = await import('../model/bundleFiles.ts');
  await writeHistoryFile(file, saveWithSchema(history, schema));
}
