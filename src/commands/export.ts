import type { Command } from 'commander';
import { print, wholeNumber } from './output.ts';

interface OnnxFlags {
  out: string;
  planned?: boolean;
  candidates: number;
}

export function addExport(program: Command): void {
  const command = program.command('export').description('write a bundle’s model in another format');
  command
    .command('onnx')
    .description('as an ONNX graph: ids in, uncalibrated probabilities out; see docs/onnx.md')
    .argument('<bundle>', "a bundle's folder, or a model's folder, of which the highest version is taken")
    .requiredOption('--out <file>', 'the file to write; must not exist yet')
    .option('--planned', "as Limelight's planner rewrites it: the request's fields come as one row, for all candidates")
    .option('--candidates <count>', 'how many the plan is made for', wholeNumber(1), 500)
    .action(runExportOnnx);
}

async function runExportOnnx(folder: string, flags: OnnxFlags): Promise<void> {
  const { loadBundle } = await import('../index.ts');
  const { exportModel } = await import('../scoring/onnx/exportModel.ts');
  const { writeOnnx } = await import('./writeOnnx.ts');
  const bundle = await loadBundle(folder);
  const exported = flags.planned
    ? (await import('../scoring/onnx/exportPlan.ts')).exportPlan(bundle, flags.candidates)
    : exportModel(bundle);
  const files = await writeOnnx(flags.out, exported, bundle.manifest);
  const inputs = exported.fields.length;
  print(`wrote ${files.join(' and ')}: ${inputs} inputs, outputs ${exported.outputs.join(', ')}`);
}
