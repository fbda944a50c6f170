import type { Command } from 'commander';
import { printJson } from './output.ts';

/** `limelight inspect BUNDLE`: what a bundle is, what it takes and what it costs. */
export function addInspect(program: Command): void {
  program
    .command('inspect')
    .summary('show what a bundle holds')
    .description(
      'Shows a bundle: where it came from, its metrics, its steps with their scopes, types and costs, and its tables.',
    )
    .argument('<bundle>', "a bundle's folder, or a model's folder, of which the highest version is taken")
    .option('--json', 'print one JSON object')
    .action(async (folder: string, options: { json?: boolean }) => {
      const { readBundle, resolveBundleFolder } = await import('../model/bundleFiles.ts');
      const { describeBundle } = await import('./inspectBundle.ts');
      const { renderBundle } = await import('./inspectText.ts');
      const described = describeBundle(await readBundle(await resolveBundleFolder(folder)));
      if (options.json) printJson(described);
      else process.stdout.write(renderBundle(described));
    });
}
