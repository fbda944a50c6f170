import type { Command } from 'commander';
import { counted, UserError } from '../core/errors.ts';
import type { AdStanding, CreativeStanding, StateStandings } from './creativeStandings.ts';
import { fixed, print, printJson, textTable, wholeNumber } from './output.ts';
import { grouped } from './textTable.ts';

interface StateFlags {
  readonly state: string;
  readonly ad?: string;
  readonly ads: number;
  readonly policy: string;
  readonly json?: boolean;
}

/** `limelight creative state | merge`: looks into what servers have saved of creatives, and adds it up. */
export function addCreativeState(command: Command): void {
  command
    .command('state')
    .description(
      'print what a state holds, as `limelight serve --creative-state` writes it: its ads, and whether they explore',
    )
    .requiredOption('--state <file>', 'the state')
    .option('--ad <id>', 'print this ad’s creatives')
    .option('--ads <number>', 'how many ads to list, those shown most', wholeNumber(0, 1e6), 20)
    .option('--policy <policy>', "as serve's --creative-policy: under which an ad explores or has exited", 'default')
    .option('--json', 'print one JSON object on standard output')
    .action(runState);
  command
    .command('merge')
    .description(
      'add up the states of replicas that began empty; afterwards one of them alone begins from the sum, the others empty',
    )
    .argument('<states...>', 'two or more')
    .requiredOption('--out <file>', 'where to write the sum')
    .action(runMerge);
}

async function runState({ state, ad, ads, policy, json }: StateFlags): Promise<void> {
  const { readPolicy } = await import('../server/heldCreatives.ts');
  const { standingsOf } = await import('./creativeStandings.ts');
  const { openState } = await import('./creativeStates.ts');
  const settings = await readPolicy(policy, '--policy');
  const standings = await standingsOf(await openState(state), settings, ads, ad);
  if (ad !== undefined && standings.ads.length === 0)
    throw new UserError(`state '${state}': holds nothing of ad '${ad}'; name one that it lists`, 'missing');
  if (json) return printJson(standings);
  print(summary(standings));
  if (ad !== undefined) print(`\n${adText(standings.ads[0])}`);
  else if (standings.ads.length > 0) print(`\n${adTable(standings)}`);
}

async function runMerge(states: readonly string[], { out }: { readonly out: string }): Promise<void> {
  if (states.length < 2)
    throw new UserError(`creative merge: expected two or more states, got ${states.length}; name the replicas'`);
  const { mergeStateFiles } = await import('./creativeStates.ts');
  const { outputError } = await import('../tables/outputFolder.ts');
  const { ads, creatives, impressions } = await mergeStateFiles(states, out).catch((error) => {
    throw (error as NodeJS.ErrnoException).code === undefined ? error : outputError(out, error);
  });
  print(
    `merged ${states.length} states into ${out}: ${counted(impressions, 'impression')} of ${counted(creatives, 'creative')} of ${counted(ads, 'ad')}`,
  );
}

function summary(found: StateStandings): string {
  const { at, adCount, creativeCount, goneCreatives, impressions, clicks, exploringAds, exitedAds, policy } = found;
  const gone = goneCreatives > 0 ? `, ${grouped(goneCreatives)} of them gone from the catalog` : '';
  const lambda = found.lambda > 0 ? `; λ ${fixed(found.lambda)}` : '';
  return `${counted(creativeCount, 'creative')} of ${counted(adCount, 'ad')}${gone}; as of ${minuteOf(at)} UTC
${counted(impressions, 'impression')}, ${counted(clicks, 'click')}, revenue ${fixed(found.revenueMicros / 1e6, 2)}
under policy ${policy} ${grouped(exploringAds)} ads explore, ${grouped(exitedAds)} show their best${lambda}`;
}

function adTable({ ads, adCount }: StateStandings): string {
  const head = [
    'ad',
    'creatives',
    'impressions',
    'clicks',
    'corrected CTR',
    'leader',
    'loss',
    'explores',
    'gone since',
  ];
  const rows = ads.map((one) => [
    one.ad,
    grouped(one.creatives.length),
    grouped(one.impressions),
    grouped(one.clicks),
    fixed(one.correctedCtr, 5),
    one.leader ?? '–',
    fixed(one.expectedLoss, 3),
    exploresText(one),
    seenText(one),
  ]);
  const left = adCount > ads.length ? `\n… and ${grouped(adCount - ads.length)} more; --ads lists so many` : '';
  return `${textTable(head, rows)}${left}`;
}

function adText({ creatives, ...ad }: AdStanding): string {
  const since = ad.since === null ? '' : `, of what was since ${minuteOf(ad.since)}`;
  const loss = ad.expectedLoss === null ? '' : `; its leader alone is expected to lose ${fixed(ad.expectedLoss, 3)}`;
  const head = ['creative', 'impressions', 'clicks', 'corrected CTR', 'mean view ms', 'revenue', 'gone since'];
  const rows = creatives.map((one) => [
    one.creative === ad.leader ? `${one.creative} *` : one.creative,
    grouped(one.impressions),
    grouped(one.clicks),
    fixed(one.correctedCtr, 5),
    fixed(one.viewMs, 0),
    fixed(one.revenueMicros / 1e6, 2),
    seenText(one),
  ]);
  const mode = { true: 'explores', false: 'shows its best', null: 'is gone' }[`${ad.explores}`];
  return `ad ${ad.ad} ${mode}${since}${loss}\n\n${textTable(head, rows)}\n\n* the leader; CTRs are those of the best position`;
}

const exploresText = ({ explores }: AdStanding) => (explores === null ? '–' : explores ? 'yes' : 'no');
const seenText = ({ lastSeen }: AdStanding | CreativeStanding) => (lastSeen === null ? '–' : minuteOf(lastSeen));
const minuteOf = (time: string) => time.slice(0, 16).replace('T', ' ');
