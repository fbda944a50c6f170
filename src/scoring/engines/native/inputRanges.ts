import type { Bundle } from '../../../model/bundle.ts';
import { widthOf } from '../../../model/values.ts';
import { layerInputs } from '../../layerInputs.ts';
import type { Term } from '../../planner/planSteps.ts';

/** Of the rows of a weight: the largest magnitude of the input each is multiplied with. */
export interface InputRanges {
  readonly largest: readonly number[];
  readonly negative: boolean;
}

/** The ranges that a bundle records of its layers' inputs, by the layer's weights. */
export function rangesOf({ typed, manifest }: Pick<Bundle, 'typed' | 'manifest'>): Map<string, InputRanges> {
  const ranges = new Map<string, InputRanges>();
  const activations = manifest.precision?.activations ?? {};
  for (const step of typed.model.steps) {
    const names = layerInputs(step);
    if (names.length === 0) continue;
    const parts = names.map((name) => (Object.hasOwn(activations, name) ? activations[name] : undefined));
    const widths = names.map((name) => widthOf(typed.values.get(name)?.type as Parameters<typeof widthOf>[0]));
    if (!parts.every((part, i) => part?.largest.length === widths[i])) continue;
    const weight = step.op === 'attend' ? 'wq' : step.op === 'cross' && step.rank !== null ? 'v' : 'w';
    ranges.set(`${step.output}.${weight}`, {
      largest: parts.flatMap((part) => part?.largest ?? []),
      negative: parts.some((part) => part?.negative),
    });
  }
  return ranges;
}

/** How the inputs of a product are rounded to bytes. */
export interface Quantisation {
  /** x ≈ (q − zero) / inverseScale. */
  readonly inverseScales: Float32Array;
  readonly zero: number;
}

/** @returns undefined for what is no product, or one whose inputs' ranges are not known */
export function quantisationOf(term: Term, ranges: ReadonlyMap<string, InputRanges>): Quantisation | undefined {
  if (term.kind !== 'product') return undefined;
  const known = ranges.get(term.weight);
  if (known === undefined) return undefined;
  const zero = known.negative ? 128 : 0;
  const scales = known.largest
    .slice(term.firstRow, term.firstRow + term.input.width)
    .map((x) => (255 - zero) / Math.max(x, 1e-6));
  return { inverseScales: Float32Array.from(scales), zero };
}
