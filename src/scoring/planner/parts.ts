import type { Slice } from './planSteps.ts';

/**
 * A stretch of a model's value: numbers of a plan's value, field by field; with `gates` (one a field), those numbers each
 * times its field's gate, which no step has computed yet. A model's value is a list of parts, side by side.
 */
export interface Part {
  readonly slice: Slice;
  /** Numbers of each field; a vector counts as one. */
  readonly sizes: readonly number[];
  readonly gates?: Slice;
  /** Of a part with gates: what to call the product. */
  readonly name?: string;
}

export const sumOf = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);

export const sliceKey = ({ value, from, width }: Slice) => `${value}[${from}+${width}]`;

const follows = (a: Slice, b: Slice) => a.value === b.value && a.from + a.width === b.from;
const joined = (a: Slice, b: Slice): Slice => ({ value: a.value, from: a.from, width: a.width + b.width });

/** The same numbers in as few parts as can be. */
export function mergeParts(parts: readonly Part[]): Part[] {
  const merged: Part[] = [];
  for (const part of parts) {
    const last = merged.at(-1);
    const sameGates =
      last?.gates && part.gates ? follows(last.gates, part.gates) : last?.gates === undefined && !part.gates;
    if (last === undefined || !sameGates || !follows(last.slice, part.slice)) {
      merged.push(part);
      continue;
    }
    merged[merged.length - 1] = {
      ...last,
      slice: joined(last.slice, part.slice),
      sizes: [...last.sizes, ...part.sizes],
      ...(last.gates && part.gates ? { gates: joined(last.gates, part.gates) } : {}),
    };
  }
  return merged;
}

/** Gives each field its gate; cuts parts where their gates lie in different slices. */
export function gateParts(parts: readonly Part[], gates: readonly Slice[], name: string): Part[] {
  const gated: Part[] = [];
  let at = 0;
  let used = 0;
  for (const { slice, sizes } of parts) {
    let from = slice.from;
    for (let field = 0; field < sizes.length; ) {
      const count = Math.min(sizes.length - field, gates[at].width - used);
      const taken = sizes.slice(field, field + count);
      const width = sumOf(taken);
      gated.push({
        slice: { value: slice.value, from, width },
        sizes: taken,
        gates: { value: gates[at].value, from: gates[at].from + used, width: count },
        name,
      });
      from += width;
      field += count;
      used += count;
      if (used === gates[at].width) {
        at++;
        used = 0;
      }
    }
  }
  return gated;
}
