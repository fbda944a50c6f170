import { type Command, Option } from 'commander';
import { addEngineOptions, type EngineFlags } from './engineOptions.ts';
import { wholeNumber } from './output.ts';

interface ServeFlags extends EngineFlags {
  model: string;
  catalog?: string;
  port: number;
  host: string;
  maxCandidates?: number;
  bodyLimitMb: number;
  logLevel: string;
  history?: string;
  replay?: boolean;
  creatives?: string;
  creativePolicy?: string;
  creativeState?: string;
  creativeStateSeconds?: number;
}

export const creativesOption = () =>
  new Option('--creatives <parquet>', "creatives of the catalog's ads: a file, folder or glob of one row a creative");

export const maxCandidatesOption = () =>
  new Option('--max-candidates <n>', 'refuse requests with more (default: 100000)').argParser(wholeNumber(1));

/** `limelight serve --model BUNDLE`: the ranking server. */
export function addServe(program: Command): void {
  const command = program
    .command('serve')
    .summary('start the ranking server')
    .description(
      'Serves POST /v1/rank and /v1/events, GET /v1/models, /metrics, /healthz and /readyz over HTTP until SIGTERM or SIGINT.',
    )
    .requiredOption('--model <bundle>', "a bundle's folder, or a model's, of which the highest version is taken")
    .option('--catalog <parquet>', 'ads by id: a file, folder or glob of one row an ad')
    .addOption(creativesOption())
    .option(
      '--creative-policy <policy>',
      "how to choose and explore them: default, another policy's name or a JSON file of settings; without, the likeliest to be clicked is shown",
    )
    .option(
      '--creative-state <file>',
      'what is known of creatives to begin with, and to write every so often and at the end',
    )
    .addOption(
      new Option(
        '--creative-state-seconds <n>',
        'how often to write it while running; 0 for at the end alone (default: 300)',
      ).argParser(wholeNumber(0, 86_400)),
    )
    .addOption(new Option('--port <n>', '0 takes a free one').argParser(wholeNumber(0, 65535)).default(8080))
    .option('--host <address>', 'the address to listen on; 0.0.0.0 for all', '127.0.0.1')
    .option('--history <file>', "a state of history to begin with and to write at the end; without, the model's own")
    .option('--replay', 'take time from requests and events, not from the clock: to serve what happened before again');
  addEngineOptions(command)
    .addOption(maxCandidatesOption())
    .addOption(
      new Option('--body-limit-mb <n>', 'refuse larger bodies (MiB)').argParser(wholeNumber(1, 1024)).default(16),
    )
    .addOption(
      new Option('--log-level <level>', 'structured logs on standard error')
        .choices(['debug', 'info', 'warn', 'error', 'silent'])
        .default('info'),
    )
    .action(async (flags: ServeFlags) => {
      const { runServer } = await import('../server/runServer.ts');
      await runServer({ ...flags, bodyLimitBytes: flags.bodyLimitMb * 2 ** 20 });
    });
}
