import { type DescribedPlan, formulaOf } from './inspectPlan.ts';
import { aligned, bytesText, grouped } from './textTable.ts';

/** The plan step by step, and its costs, as aligned text. */
export function renderPlan(plan: DescribedPlan): string {
  const { steps, costs, keptBytes } = plan;
  const { precision, candidates, variantsPerCandidate, rates, ratesFrom } = plan.plannedFor;
  const creatives = variantsPerCandidate > 1 ? ` of ${grouped(variantsPerCandidate)} creatives` : '';
  const widths = new Map(steps.map(({ output, shape }) => [output, shape.reduce((product, n) => product * n, 1)]));
  const widthOf = (value: string) => widths.get(value) ?? 0;
  const shown = (rate: number) => String(Number(rate.toPrecision(3)));
  const parts: [string, string][] = [
    [
      `Plan of ${plan.name}, version ${plan.version}, for ${grouped(candidates)} candidates${creatives} in ${precision}`,
      aligned([
        ['rates', ratesFrom],
        ['matrix products', `${shown(rates.matrixMultiplyAddsPerNs)} multiply-adds/ns`],
        ['products of one row', `${shown(rates.vectorMultiplyAddsPerNs)} multiply-adds/ns`],
        ['from cache', `${shown(rates.cacheBytesPerNs)} bytes/ns`],
        ['from memory', `${shown(rates.memoryBytesPerNs)} bytes/ns`],
        [
          'tasks',
          plan.tasks.map(({ name, logits }) => `${name} = ${logits.map((x) => `σ(${x})`).join('·')}`).join('; '),
        ],
      ]),
    ],
    [
      'Steps',
      aligned(
        [
          ['output', 'op', 'scope', 'shape', 'kept', 'multiply-adds', 'bytes', 'what'],
          ...steps.map((step) => [
            step.output,
            step.op,
            step.scope,
            `[${step.shape.join(' × ')}]`,
            step.kept ? 'kept' : '',
            grouped(step.multiplyAdds),
            grouped(step.bytes),
            formulaOf(step, widthOf),
          ]),
        ],
        [5, 6],
      ),
    ],
    [
      'Costs',
      aligned(
        [
          ['per', 'multiply-adds', 'naive', 'share', 'bytes read', 'naive', 'share'],
          ...costs.map(({ per, planned, naive }) => [
            per,
            ...compared(planned.multiplyAdds, naive.multiplyAdds),
            ...compared(planned.bytes, naive.bytes),
          ]),
        ],
        [1, 2, 3, 4, 5, 6],
      ),
    ],
    ['Kept', aligned(Object.entries(keptBytes).map(([scope, bytes]) => [`per ${scope}`, bytesText(bytes)]))],
  ];
  return parts.map(([title, body]) => `${title}\n${body}`).join('\n');
}

/** The plan's number, the naive one, and the first as a share of the second; not where work has moved to this scope. */
function compared(planned: number, naive: number): string[] {
  return [grouped(planned), grouped(naive), planned > 5 * naive ? '' : `${Math.round((100 * planned) / naive)} %`];
}
