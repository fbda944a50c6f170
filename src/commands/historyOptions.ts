import type { Command } from 'commander';

/** For commands that replay rows of a log. */
export function addHistoryOptions(command: Command): Command {
  return command.option(
    '--history <state>',
    'a state of history to begin with, such as a bundle’s for the days after its training (default: none)',
  );
}
