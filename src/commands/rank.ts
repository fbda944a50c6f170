import type { Command } from 'commander';
import { addEngineOptions, type EngineFlags } from './engineOptions.ts';
import { timeMs } from './output.ts';
import { creativesOption, maxCandidatesOption } from './serve.ts';

interface RankFlags extends EngineFlags {
  model: string;
  request: string;
  catalog?: string;
  creatives?: string;
  maxCandidates?: number;
  history?: string;
  at?: number;
  json?: boolean;
}

/** `limelight rank --model BUNDLE --request FILE`: what `POST /v1/rank` does, once and without a server. */
export function addRank(program: Command): void {
  const command = program
    .command('rank')
    .summary('rank the candidates of one request')
    .description(
      'Answers one ranking request from a file, as the server would: which ads, in which slots, at which price.',
    )
    .requiredOption('--model <bundle>', "a bundle's folder, or a model's, of which the highest version is taken")
    .requiredOption('--request <file>', 'the request as JSON (docs/http-api.md); - for standard input')
    .option('--catalog <parquet>', 'ads by id: a file, folder or glob of one row an ad')
    .addOption(creativesOption())
    .option('--history <file>', "a state of history to read; without, the model's own")
    .option('--at <time>', 'when the request is; the end of the history where absent', timeMs);
  addEngineOptions(command)
    .addOption(maxCandidatesOption())
    .option('--json', 'print the answer as one JSON object')
    .action(async ({ request, json, at, ...options }: RankFlags) => {
      const { readRequest, renderAnswer } = await import('./rankOnce.ts');
      const { loadRanker } = await import('../server/loadRanker.ts');
      const asked = await readRequest(request);
      const { ranker, history } = await loadRanker(options);
      const answer = ranker.rank(asked, at === undefined ? undefined : history?.advance(at));
      ranker.scorer.dispose();
      process.stdout.write(json ? `${JSON.stringify(answer)}\n` : renderAnswer(answer));
    });
}
