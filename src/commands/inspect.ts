import { type Command, Option } from 'commander';
import { UserError } from '../core/errors.ts';
import type { Bundle } from '../model/bundle.ts';
import { defaultRates, type PlanPrecision, planPrecisions } from '../scoring/planner/defaultRates.ts';
import type { PlanFor } from './inspectPlan.ts';
import { printJson, wholeNumber } from './output.ts';

interface InspectFlags {
  json?: boolean;
  plan?: boolean;
  candidates: number;
  creatives: number;
  precision: PlanPrecision;
}

/** `limelight inspect BUNDLE`: what a bundle is, what it takes and what it costs. */
export function addInspect(program: Command): void {
  program
    .command('inspect')
    .summary('show what a bundle holds')
    .description(
      'Shows a bundle: where it came from, its metrics, its steps with their scopes, types and costs, and its tables. ' +
        'With --plan: the steps its answers take in service, and what they cost beside those of the model; see docs/planning.md.',
    )
    .argument('<bundle>', "a bundle's folder, or a model's folder, of which the highest version is taken")
    .option('--json', 'print one JSON object')
    .option('--plan', 'show the plan instead, made for this machine')
    .option('--candidates <count>', 'how many a request has, for the plan', wholeNumber(1), 500)
    .option(
      '--creatives <count>',
      'how many each has, for the plan; 5 for a model of creatives, else 1',
      wholeNumber(1),
    )
    .addOption(new Option('--precision <name>', 'of the plan').choices(planPrecisions).default('fp32'))
    .action(async (folder: string, flags: InspectFlags) => {
      const { readBundle, resolveBundleFolder } = await import('../model/bundleFiles.ts');
      const bundle = await readBundle(await resolveBundleFolder(folder));
      if (flags.plan) await printPlan(bundle, flags);
      else await printBundle(bundle, flags);
    });
}

async function printBundle(bundle: Bundle, { json }: InspectFlags): Promise<void> {
  const { describeBundle } = await import('./inspectBundle.ts');
  const { renderBundle } = await import('./inspectText.ts');
  const described = describeBundle(bundle);
  if (json) printJson(described);
  else process.stdout.write(renderBundle(described));
}

async function printPlan(bundle: Bundle, { json, candidates, creatives, precision }: InspectFlags): Promise<void> {
  const { describePlan } = await import('./inspectPlan.ts');
  const { renderPlan } = await import('./inspectPlanText.ts');
  const described = describePlan(bundle, {
    precision,
    candidates,
    variantsPerCandidate: creatives,
    ...(await ratesHere(precision)),
  });
  if (json) printJson(described);
  else process.stdout.write(renderPlan(described));
}

/** This machine's rates where the native engine is built, else those of a common one. */
async function ratesHere(precision: PlanPrecision): Promise<Pick<PlanFor, 'rates' | 'ratesFrom'>> {
  const { loadAddon, machineRates } = await import('../scoring/engines/native/load.ts');
  try {
    const loaded = loadAddon();
    return { rates: machineRates(loaded, precision), ratesFrom: `measured on this machine (${loaded.kernels})` };
  } catch (error) {
    if (!(error instanceof UserError) || error.kind !== 'unsupported') throw error;
    return { rates: defaultRates(precision), ratesFrom: `of a common server core, since ${error.message}` };
  }
}
